import { createHmac, timingSafeEqual } from 'node:crypto';

/** Verdict on a callback's signature. Only `valid` may pass; the others are for logs and metrics. */
export type SignatureVerdict = 'valid' | 'missing' | 'malformed' | 'expired' | 'mismatch';

/** Far more than a rotation needs; bounds the HMACs that an unauthenticated header can ask for. */
const MAX_SIGNATURES = 5;

const hmac = (secret: string, timestamp: string, rawBody: Buffer | string) =>
  createHmac('sha256', secret).update(`${timestamp}.`).update(rawBody).digest();

const usable = (secrets: string[]) => {
  if (secrets.length === 0 || secrets.some((secret) => secret === '')) {
    throw new Error('a callback needs a secret that is not empty');
  }
  return secrets;
};

/**
 * Value of `X-Toq-Signature`: `t={unix seconds},v1={hex HMAC-SHA256(secret, "{t}." + raw body)}`, one `v1` a secret, so
 * that a receiver holding either version of a secret in rotation accepts it. Throws on an empty secret.
 */
export function signCallback(secrets: string[], timestampSeconds: number, rawBody: Buffer | string): string {
  const timestamp = String(Math.trunc(timestampSeconds));
  const signatures = usable(secrets).map(
    (secret) => `v1=${hmac(secret, timestamp, rawBody).toString('hex')}`,
  );
  return [`t=${timestamp}`, ...signatures].join(',');
}

/**
 * Checks `X-Toq-Signature` over the bytes as they came; every secret is tried against every `v1`, in constant time.
 * Unknown schemes (`v2=…`) are skipped. A header may be `toleranceSeconds` old or early. Throws on an empty secret.
 */
export function verifyCallback(
  secrets: string[],
  header: string | undefined,
  rawBody: Buffer | string,
  nowSeconds: number,
  toleranceSeconds = 300,
): SignatureVerdict {
  const expectedFrom = usable(secrets);
  if (!header) return 'missing';

  const fields = header.split(',').map((field) => field.trim());
  const timestamps = fields.filter((field) => field.startsWith('t='));
  const signatures = fields.filter((field) => field.startsWith('v1=')).map((field) => field.slice(3));
  const timestamp = /^t=(\d{1,12})$/.exec(timestamps[0] ?? '')?.[1];
  if (
    !timestamp ||
    timestamps.length !== 1 ||
    signatures.length === 0 ||
    signatures.length > MAX_SIGNATURES ||
    !signatures.every((signature) => /^[0-9a-f]{64}$/.test(signature))
  ) {
    return 'malformed';
  }

  if (Math.abs(nowSeconds - Number(timestamp)) > toleranceSeconds) return 'expired';

  const given = signatures.map((signature) => Buffer.from(signature, 'hex'));
  const matches = expectedFrom
    .map((secret) => hmac(secret, timestamp, rawBody))
    .flatMap((expected) => given.map((signature) => timingSafeEqual(expected, signature)));
  return matches.includes(true) ? 'valid' : 'mismatch';
}
