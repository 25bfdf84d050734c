import { text } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { createCredentials } from '../../local/credentials.ts';
import type { AwsService } from '../../local/door.ts';
import { type DoorOptions, startDoor } from '../../local/front-door.ts';
import type { Role } from '../../local/graph/manifest.ts';

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';
export const role = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;

/** A role that a principal of AWS's policy language may act as, and that may do nothing itself. */
export const trusting = (name: string, Principal: unknown): Role => ({
  name,
  arn: role(name),
  trust: { Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole' }] },
  policies: [],
});

/** The real front door before services that may be added later; every role may do everything. */
export async function openDoor(credentials = createCredentials()) {
  const services: Record<string, AwsService> = {};
  const door = await startDoor({ services, credentials, region: REGION });
  return {
    services,
    endpoint: door.url,
    credentials: credentials.issueAccessKey,
    /** how an SDK client reaches the door as a role */
    client: (name = 'tester') => ({
      endpoint: door.url,
      region: REGION,
      credentials: credentials.issueAccessKey(role(name)),
      maxAttempts: 1,
    }),
    close: door.close,
  };
}

/** Answers what the door told it of the request. */
const echo: AwsService = async (signed, response) => {
  const body = signed.service === 's3' ? await text(signed.request) : String(await signed.body());
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify({ service: signed.service, caller: signed.caller, body, presigned: signed.presigned }),
  );
};

/** The door of a test before services that answer what reached them, and a key of the role `photographer-api`. */
export async function openEchoDoor(t: ExecutionContext, options: Partial<DoorOptions> = {}) {
  const credentials = createCredentials(options.now);
  const services = { s3: echo, states: echo, lambda: echo, sts: echo, 'execute-api': echo };
  const door = await startDoor({ services, credentials, region: REGION, ...options });
  t.teardown(door.close);
  const key = credentials.issueAccessKey(role('photographer-api'));
  return { url: door.url, credentials, key };
}
