import { createHash } from 'node:crypto';
import type { Properties } from '../graph.ts';
import type { Modelled, ModelledResource } from '../harvest.ts';

/** Where a stack lives, and where its endpoints are if not at AWS. */
export interface Place {
  region: string;
  accountId: string;
  /** URL prefix of queues: `{sqs}/{account}/{name}` */
  sqsEndpoint?: string | undefined;
  /** the HTTP API's own endpoint */
  apiEndpoint?: string | undefined;
}

/** Type of a resource → what AWS would answer for it. */
export type Models = Record<string, (resource: ModelledResource) => Modelled>;

/** Ids and ARNs as AWS writes them, for one place. The same place and names give the same ids always. */
export interface Aws extends Place {
  arn(service: string, resource: string): string;
  /** 64 hex digits that belong to these names in this place. */
  hash(...parts: string[]): string;
  /** `vpc-0a1b2c…`: 17 hex digits, as EC2 makes them. */
  ec2(kind: string, name: string): string;
}

export function awsOf(place: Place): Aws {
  const { region, accountId } = place;
  const hash = (...parts: string[]) =>
    createHash('sha256')
      .update([region, accountId, ...parts].join('/'))
      .digest('hex');
  return {
    ...place,
    arn: (service, resource) => `arn:aws:${service}:${region}:${accountId}:${resource}`,
    hash,
    ec2: (kind, name) => `${kind}-0${hash(kind, name).slice(0, 16)}`,
  };
}

export function text(inputs: Properties, key: string): string {
  const value = inputs[key];
  if (typeof value !== 'string') throw new Error(`${key} must be given and be text`);
  return value;
}

export const object = (inputs: Properties, key: string) => {
  const value = inputs[key];
  return typeof value === 'object' && value !== null ? value : {};
};

/** Of 32 hex digits or more, as version 4. */
export const uuid = (hex: string) => hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');
