import { createCredentials } from '../../local/credentials.ts';
import type { AwsService } from '../../local/door.ts';
import { startDoor } from '../../local/front-door.ts';

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';
export const role = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;

/** The real front door before services that may be added later; every role may do everything. */
export async function openDoor() {
  const services: Record<string, AwsService> = {};
  const credentials = createCredentials();
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
