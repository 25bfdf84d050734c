import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  CancelJobCommand,
  CreateJobCommand,
  type CreateJobCommandInput,
  GetJobCommand,
  MediaConvertClient,
} from '@aws-sdk/client-mediaconvert';
import type { AccessKey } from '../credentials.ts';
import { type Json, StatesError } from './expressions.ts';

/** The service integrations, called as the machine's role. What they throw is a `StatesError`. */
export interface Tasks {
  /** The function's answer; its own error becomes `Error` = errorType and `Cause` = the error as JSON. */
  invokeFunction(name: string, payload: Json, roleArn: string, signal: AbortSignal): Promise<Json>;
  /** Runs a job to its end and gives `{Job}`; aborting cancels the job. */
  runMediaConvertJob(parameters: Json, roleArn: string, signal: AbortSignal): Promise<Json>;
}

export interface TaskClients {
  /** the front door */
  endpoint: string;
  region: string;
  credentials(roleArn: string): AccessKey;
}

const POLL_MILLISECONDS = 200;

/** `Lambda.TooManyRequestsException`, `MediaConvert.BadRequestException`, …; no answer at all is SdkClientException. */
const serviceError = (service: string) => (error: unknown) => {
  if (!(error instanceof Error)) throw new StatesError(`${service}.Unknown`, String(error));
  const answered = '$metadata' in error && '$fault' in error;
  throw new StatesError(`${service}.${answered ? error.name : 'SdkClientException'}`, error.message);
};

function functionError(payload: string) {
  const { errorType } = JSON.parse(payload) as { errorType?: string };
  if (errorType) return new StatesError(errorType, payload);
  return new StatesError(
    'Lambda.Unknown',
    `The cause could not be determined because Lambda did not return an error type. Returned payload: ${payload}`,
  );
}

/** One client a role; the machine's own retriers repeat, so the SDK does not. */
function clientPerRole<Client>(
  create: (credentials: AccessKey) => Client,
  keyOf: TaskClients['credentials'],
) {
  const clients = new Map<string, Client>();
  return (roleArn: string) => {
    const client = clients.get(roleArn) ?? create(keyOf(roleArn));
    clients.set(roleArn, client);
    return client;
  };
}

/** Tasks that make signed AWS calls with the role's access key. */
export function createTasks({ endpoint, region, credentials }: TaskClients): Tasks {
  const common = { endpoint, region, maxAttempts: 1 };
  const lambda = clientPerRole((key) => new LambdaClient({ ...common, credentials: key }), credentials);
  const mediaConvert = clientPerRole(
    (key) => new MediaConvertClient({ ...common, credentials: key }),
    credentials,
  );

  return {
    async invokeFunction(name, payload, roleArn, signal) {
      const answer = await lambda(roleArn)
        .send(new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(payload) }), {
          abortSignal: signal,
        })
        .catch(serviceError('Lambda'));
      const body = answer.Payload?.transformToString() || 'null';
      if (answer.FunctionError) throw functionError(body);
      return JSON.parse(body);
    },

    async runMediaConvertJob(parameters, roleArn, signal) {
      const client = mediaConvert(roleArn);
      // a template's output: the service checks it
      const input = parameters as unknown as CreateJobCommandInput;
      const created = await client.send(new CreateJobCommand(input)).catch(serviceError('MediaConvert'));
      const Id = created.Job?.Id;
      try {
        for (;;) {
          const { Job } = await client.send(new GetJobCommand({ Id })).catch(serviceError('MediaConvert'));
          const result = JSON.parse(JSON.stringify({ Job }));
          if (Job?.Status === 'COMPLETE') return result;
          if (Job?.Status === 'ERROR' || Job?.Status === 'CANCELED') {
            throw new StatesError('States.TaskFailed', JSON.stringify(result));
          }
          await sleep(POLL_MILLISECONDS, undefined, { signal });
        }
      } catch (error) {
        if (signal.aborted) await client.send(new CancelJobCommand({ Id })).catch(() => undefined);
        throw error;
      }
    },
  };
}
