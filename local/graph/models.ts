import type { Model } from './harvest.ts';
import { awsOf, type Place } from './models/aws.ts';
import { hosting } from './models/hosting.ts';
import { network } from './models/network.ts';
import { pipeline } from './models/pipeline.ts';

/**
 * What AWS would answer for each type of resource that the program uses: ids, ARNs and URLs, in AWS's formats (Service
 * Authorization Reference), and the defaults that the program relies on. The same place gives the same values always.
 */
export function models(place: Place): Model {
  const aws = awsOf(place);
  const types = { ...pipeline(aws), ...network(aws), ...hosting(aws) };
  return (resource) => types[resource.type]?.(resource);
}
