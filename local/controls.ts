import type { Knex } from 'knex';
import type { Activity } from './activity.ts';
import type { Cloud } from './cloud.ts';
import type { RunningContainer } from './container.ts';
import type { AccessKey } from './credentials.ts';
import type { Gate } from './gate.ts';
import type { Manifest } from './graph/manifest.ts';
import { roleNamed } from './roles.ts';
import { addListing, type NewListing } from './seed.ts';

export interface FunctionPeak {
  name: string;
  /** largest resident memory so far; 0 when it has not run */
  peakMiB: number;
  memoryMiB: number;
}

export interface ControlsOptions {
  manifest: Manifest;
  cloud: Cloud;
  container: RunningContainer;
  activity: Activity;
  gate: Gate;
  knex: Knex;
}

const declared = (value: string | undefined, what: string) => {
  if (!value) throw new Error(`the container's ${what} is not declared`);
  return value;
};

/** What can be asked of, and done to, a running stack from outside the AWS and REST APIs. */
export function createControls({ manifest, cloud, container, activity, gate, knex }: ControlsOptions) {
  return {
    /** what the program declares */
    manifest,
    queueUrl: declared(manifest.container.environment.QUEUE_URL, 'QUEUE_URL'),
    callbackSecretArn: declared(manifest.container.secrets.CALLBACK_SECRET, 'CALLBACK_SECRET'),

    /** A declared role's key; the role by its name, or the end of it: `backend`, `lambda-zip`. */
    credentials: (role: string): AccessKey =>
      cloud.credentials.issueAccessKey(roleNamed(manifest.roles, manifest.environment, role).arn),

    /** Adds a listing, by default one that waits for the photographer's files; returns its id. */
    addListing: (listing?: NewListing): Promise<number> => addListing(knex, listing),

    /** Which declared permissions were needed so far, and what was refused. */
    permissions: cloud.permissions,

    functionPeaks(): FunctionPeak[] {
      const peaks = cloud.functions.peakMemory();
      return manifest.functions.map(({ name, memoryMiB }) => ({
        name,
        memoryMiB,
        peakMiB: peaks[name] ?? 0,
      }));
    },

    servicePid: () => container.pid,

    /** Ends the service as a crash would; resolves when the process that replaces it is ready. */
    killService: (signal?: NodeJS.Signals) => container.kill(signal),

    /** Makes a new AWSCURRENT of a secret; the one before becomes AWSPREVIOUS. */
    putSecret: (id: string, value: string) => cloud.secrets.put(id, value),

    /** Stops AWS calls in the door, from now until released. For JSON protocols: `sqs`, `SendMessage`. */
    hold: gate.hold,

    /** Resolves when an execution of the job enters the state, or at once if one has. */
    async untilTaskEntered(jobId: number, state: string): Promise<void> {
      const ours = (execution: string) => execution.endsWith(`-${jobId}`);
      const been = activity
        .executions()
        .some(({ name, steps }) => ours(name) && steps.some((step) => step.name === state));
      if (been) return;
      await new Promise<void>((resolve) => {
        const look = (execution: string, entered: string) => {
          if (!ours(execution) || entered !== state) return;
          activity.off('entered', look);
          resolve();
        };
        activity.on('entered', look);
      });
    },
  };
}
export type Controls = ReturnType<typeof createControls>;
