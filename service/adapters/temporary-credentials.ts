import { AssumeRoleCommand, type STSClient } from '@aws-sdk/client-sts';

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: Date;
}

/** Credentials that are good for at least `forSeconds` more. */
export type TemporaryCredentials = (forSeconds: number) => Promise<Credentials>;

const MARGIN_SECONDS = 60;
/** the most that AWS gives to a role that assumes another one */
const SESSION_SECONDS = 3600;

/**
 * Assumes a role, and again when what is left is less than asked for: a presigned URL dies with the credentials that
 * signed it.
 */
export function assumedRole(sts: STSClient, roleArn: string, sessionName: string): TemporaryCredentials {
  let current: Promise<Credentials> | undefined;

  async function assume(): Promise<Credentials> {
    const { Credentials: given } = await sts.send(
      new AssumeRoleCommand({
        RoleArn: roleArn,
        RoleSessionName: sessionName,
        DurationSeconds: SESSION_SECONDS,
      }),
    );
    if (!given?.AccessKeyId || !given.SecretAccessKey || !given.SessionToken || !given.Expiration) {
      throw new Error(`STS gave no credentials for ${roleArn}`);
    }
    return {
      accessKeyId: given.AccessKeyId,
      secretAccessKey: given.SecretAccessKey,
      sessionToken: given.SessionToken,
      expiration: given.Expiration,
    };
  }

  function renew() {
    const asked = assume();
    current = asked;
    asked.catch(() => {
      if (current === asked) current = undefined;
    });
    return asked;
  }

  return async (forSeconds) => {
    const holding = current ?? renew();
    const held = await holding;
    const secondsLeft = (held.expiration.getTime() - Date.now()) / 1000;
    if (secondsLeft >= forSeconds + MARGIN_SECONDS) return held;
    // another caller may have renewed meanwhile
    return current && current !== holding ? current : renew();
  };
}
