import { Sha256 } from '@aws-crypto/sha256-js';
import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { SignatureV4 } from '@smithy/signature-v4';
import { z } from 'zod';
import { signCallback } from '../statemachines/callback-signature.ts';
import {
  type Callback,
  CallbackDispatch,
  type CallbackStatus,
  type ErrorCode,
} from '../statemachines/contracts.ts';
import { CallbackRefused, explain } from './errors.ts';
import { task } from './task.ts';

type Input = z.output<typeof CallbackDispatch.input>;

const SECRET_LIFE_MS = 5 * 60_000;
const TIMEOUT_MS = 10_000;
/** Answers that no repetition changes: invalid, unknown job, conflict, too large. */
const REFUSALS = [400, 404, 409, 413];

const Answer = z.object({
  success: z.literal(true),
  data: z.object({ status: CallbackDispatch.output.shape.answer }),
});

const FAILURE_CODES: Partial<Record<CallbackStatus, ErrorCode>> = {
  VALIDATION_FAILED: 'VALIDATION_ERROR',
  FINALIZATION_FAILED: 'BUNDLE_FAILED',
};

/** A machine's failure report carries what it caught: turned into the service's words. */
export function callbackBody(input: Input): Callback {
  if (!input.error || !('Error' in input.error)) return input as Callback;
  const { Error: failureReason } = input.error;
  const error = explain(input.error, FAILURE_CODES[input.status] ?? 'DERIVATIVE_ERRORS_DETECTED');
  return { ...input, failureReason, error };
}

/** Both versions of the secret while it is rotated, the current one first; kept for five minutes. */
function callbackSecrets(secretArn: string, client: SecretsManagerClient) {
  let kept: { until: number; secrets: Promise<string[]> } | undefined;
  const version = async (stage: 'AWSCURRENT' | 'AWSPREVIOUS') => {
    try {
      const value = await client.send(
        new GetSecretValueCommand({ SecretId: secretArn, VersionStage: stage }),
      );
      return value.SecretString;
    } catch (error) {
      if (stage === 'AWSPREVIOUS' && error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  };
  const read = async () => {
    const versions = await Promise.all([version('AWSCURRENT'), version('AWSPREVIOUS')]);
    return versions.filter((secret) => secret !== undefined);
  };
  return {
    get() {
      if (!kept || kept.until < Date.now()) {
        kept = { until: Date.now() + SECRET_LIFE_MS, secrets: read() };
        kept.secrets.catch(() => {
          kept = undefined;
        });
      }
      return kept.secrets;
    },
    forget() {
      kept = undefined;
    },
  };
}

const secretsManager = () =>
  new SecretsManagerClient({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 4_000, throwOnRequestTimeout: true },
  });

export interface Dispatch {
  CALLBACK_URL: string;
  CALLBACK_SECRET_ARN: string;
  TRACE_HEADER_KEY: string;
}

/**
 * Delivers a callback: signed for the API Gateway (SigV4, the function's role) and for the service (`X-Toq-Signature`).
 * What the service will never accept is CALLBACK_REFUSED; any other failure is for the machine to try again.
 */
export function callbackDispatch(environment: Dispatch, client: SecretsManagerClient = secretsManager()) {
  const url = new URL(environment.CALLBACK_URL);
  const secrets = callbackSecrets(environment.CALLBACK_SECRET_ARN, client);

  async function post(body: string, traceparent: string | undefined) {
    const gateway = new SignatureV4({
      service: 'execute-api',
      region: await client.config.region(),
      credentials: await client.config.credentials(),
      sha256: Sha256,
    });
    const signed = await gateway.sign({
      method: 'POST',
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: {
        host: url.host,
        'content-type': 'application/json',
        'x-toq-signature': signCallback(await secrets.get(), Date.now() / 1000, body),
        ...(traceparent && { [environment.TRACE_HEADER_KEY]: traceparent }),
      },
      body,
    });
    return fetch(url, {
      method: 'POST',
      headers: signed.headers,
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  }

  return async (input: Input): Promise<z.input<typeof CallbackDispatch.output>> => {
    const body = JSON.stringify(callbackBody(input));
    let response = await post(body, input.traceparent);
    if (response.status === 401) {
      // the secret may have been rotated since it was read
      await response.body?.cancel();
      secrets.forget();
      response = await post(body, input.traceparent);
    }
    if (REFUSALS.includes(response.status)) {
      await response.body?.cancel();
      throw new CallbackRefused(`The service refused the callback with ${response.status}.`);
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`the callback was answered with ${response.status}`);
    }
    return { delivered: true, answer: Answer.parse(await response.json()).data.status };
  };
}

export const handler = task('callback-dispatch', CallbackDispatch, (environment) =>
  callbackDispatch(environment),
);
