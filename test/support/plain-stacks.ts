/**
 * AVA asks Node for source maps, and Pulumi takes a stack trace of every promise: together they cost most of the time of
 * a test of the graph. Node strips types without moving anything, so there is nothing to map.
 */
process.setSourceMapsEnabled(false);
