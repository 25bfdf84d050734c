import { randomBytes, randomInt } from 'node:crypto';
import type { Caller } from './door.ts';

/** A key pair, as an SDK takes it. Lives in memory only: every start of the local cloud issues new ones. */
export interface AccessKey {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  expiresAt?: Date;
}

export interface IssuedKey extends AccessKey {
  caller: Caller;
}

/** Which declared role stands behind which access key. */
export interface Credentials {
  /** The long-lived key of a declared role; the same one however often it is asked for. */
  issueAccessKey(roleArn: string): AccessKey;
  /** AssumeRole: a key with a session token that stops working after `durationSeconds`. */
  issueSession(roleArn: string, sessionName: string, durationSeconds: number): Required<AccessKey>;
  find(accessKeyId: string): IssuedKey | undefined;
}

const KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** 20 characters; the prefix tells a long-lived key (AKIA) from a temporary one (ASIA), as in the IAM reference. */
const newKeyId = (prefix: 'AKIA' | 'ASIA') =>
  prefix + Array.from({ length: 16 }, () => KEY_ALPHABET[randomInt(KEY_ALPHABET.length)]).join('');

/** `arn:aws:iam::{account}:role/{path/}{name}` as the session that it turns into. */
export function assumedRoleArn(roleArn: string, sessionName: string) {
  const match = /^arn:aws:iam::(\d{12}):role\/(?:.*\/)?([^/]+)$/.exec(roleArn);
  if (!match) throw new TypeError(`not the ARN of a role: ${roleArn}`);
  return `arn:aws:sts::${match[1]}:assumed-role/${match[2]}/${sessionName}`;
}

export function createCredentials(now: () => Date = () => new Date()): Credentials {
  const issued = new Map<string, IssuedKey>();
  const longLived = new Map<string, AccessKey>();

  function remember(roleArn: string, sessionName: string, key: AccessKey) {
    const { accessKeyId } = key;
    const caller = { accessKeyId, roleArn, principalArn: assumedRoleArn(roleArn, sessionName) };
    issued.set(accessKeyId, { ...key, caller });
  }

  function forgetExpired() {
    for (const [id, { expiresAt }] of issued) {
      // A day of grace, so that a client that is late hears ExpiredToken and not that its key never existed.
      if (expiresAt && now().getTime() - expiresAt.getTime() > 86_400_000) issued.delete(id);
    }
  }

  return {
    issueAccessKey(roleArn) {
      const known = longLived.get(roleArn);
      if (known) return known;
      const key = { accessKeyId: newKeyId('AKIA'), secretAccessKey: randomBytes(30).toString('base64') };
      remember(roleArn, 'local', key);
      longLived.set(roleArn, key);
      return key;
    },

    issueSession(roleArn, sessionName, durationSeconds) {
      forgetExpired();
      const key = {
        accessKeyId: newKeyId('ASIA'),
        secretAccessKey: randomBytes(30).toString('base64'),
        sessionToken: randomBytes(96).toString('base64'),
        expiresAt: new Date(now().getTime() + durationSeconds * 1000),
      };
      remember(roleArn, sessionName, key);
      return key;
    },

    find: (accessKeyId) => issued.get(accessKeyId),
  };
}
