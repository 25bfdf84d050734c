import * as pulumi from '@pulumi/pulumi';
import type { Environment, Task } from '../lambdas/config.ts';
import type { Foundation } from './foundation.ts';
import { type Late, MediaFunction } from './media-function.ts';
import { callbackDispatch, type EncryptedBucket, thumbnails, validate, zip } from './permissions.ts';
import type { Statement } from './policies.ts';

export interface TasksArgs extends Foundation {
  /** What every function reads from its environment. */
  common: Late<Environment<'validate'>>;
  bucket: EncryptedBucket;
  /** Where callback-dispatch reports to. */
  callback: { url: pulumi.Input<string>; routeArn: pulumi.Input<string>; secretArn: pulumi.Input<string> };
}

/** Seconds and MiB of a task. The state machines wait ten seconds longer than the task may run. */
interface Size {
  timeoutSeconds: number;
  memoryMiB: number;
  reservedConcurrency?: number;
}

/** The five functions that the state machines call. */
export class Tasks extends pulumi.ComponentResource {
  readonly arns: Record<Exclude<Task, 'start'>, pulumi.Output<string>>;

  constructor(name: string, args: TasksArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Tasks', name, {}, opts);
    const { names, account, keyArn, logRetentionDays, bucket, callback, common } = args;

    const define = <T extends Task>(
      task: T,
      environment: Late<Environment<T>>,
      permissions: Statement[],
      size: Size,
    ) =>
      new MediaFunction(
        `${name}-${task}`,
        { names, account, keyArn, logRetentionDays, task, environment, permissions, ...size },
        { parent: this },
      ).arn;

    this.arns = {
      // up to 60 originals are looked at side by side: sockets and a few KiB each, little else
      validate: define('validate', common, validate(account, bucket), {
        timeoutSeconds: 120,
        memoryMiB: 512,
      }),
      // from 1769 MiB a function has a whole CPU; a 100 MP picture takes up to 400 MB as pixels
      thumbnails: define('thumbnails', { ...common, MALLOC_ARENA_MAX: '2' }, thumbnails(account, bucket), {
        timeoutSeconds: 120,
        memoryMiB: 2048,
      }),
      consolidate: define('consolidate', common, [], { timeoutSeconds: 30, memoryMiB: 256 }),
      // streams: the memory buys network throughput and CPU for checksums, not room for files
      zip: define('zip', common, zip(account, bucket), { timeoutSeconds: 900, memoryMiB: 1024 }),
      'callback-dispatch': define(
        'callback-dispatch',
        { ...common, CALLBACK_URL: callback.url, CALLBACK_SECRET_ARN: callback.secretArn },
        callbackDispatch(account, callback.secretArn, keyArn, callback.routeArn),
        // a flood of finished executions must not become a flood on the service: the machines retry what is throttled
        { timeoutSeconds: 30, memoryMiB: 256, reservedConcurrency: 10 },
      ),
    };
    this.registerOutputs({ arns: this.arns });
  }
}
