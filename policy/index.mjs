// Pulumi's host for policy packs puts its own compiler in the way of .ts files that it requires, but not of those that
// are imported: Node runs them as they are.
import './pack.ts';
