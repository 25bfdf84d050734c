import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Environment, Task } from '../lambdas/config.ts';
import type { Foundation } from './foundation.ts';
import { logGroup } from './log-group.ts';
import { anyFunction } from './permissions.ts';
import { type Statement, trustService } from './policies.ts';
import { Role } from './role.ts';

/** The variables of `T`, each of which may be known late. A missing or a surplus one does not compile. */
export type Late<T> = { [K in keyof T]: pulumi.Input<NonNullable<T[K]> & string> };

export interface MediaFunctionArgs<T extends Task> extends Foundation {
  /** Which of lambdas/ it runs. */
  task: T;
  environment: Late<Environment<T>>;
  /** What it may do beyond writing its logs and traces. */
  permissions: Statement[];
  timeoutSeconds: number;
  memoryMiB: number;
  /** Most copies that run at once, where something downstream has to be spared. */
  reservedConcurrency?: number;
}

/** What `npm run package` makes of a task. */
const packageOf = (task: Task) => path.join(import.meta.dirname, '..', 'dist', 'lambdas', `${task}.zip`);

/**
 * Base64, as Lambda states it: code that somebody replaced past the program shows up in a preview. Undefined before the
 * package is made, which is when only reviews and the local cloud evaluate the program: the engine deploys no missing file.
 */
const sha256 = (file: string) =>
  existsSync(file) ? createHash('sha256').update(readFileSync(file)).digest('base64') : undefined;

/** A Lambda function with a role and a log group of its own. */
export class MediaFunction<T extends Task> extends pulumi.ComponentResource {
  readonly name: pulumi.Output<string>;
  readonly arn: pulumi.Output<string>;

  constructor(name: string, args: MediaFunctionArgs<T>, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:MediaFunction', name, {}, opts);

    const { names, task } = args;
    const logs = logGroup(name, names.functionLogs(task), args, { parent: this });
    const role = new Role(
      `${name}-role`,
      {
        name: names.role(`lambda-${task}`),
        description: `Lambda ${names.function(task)}`,
        trust: trustService('lambda.amazonaws.com', args.account.id),
        permissions: [...anyFunction(logs.arn), ...args.permissions],
      },
      { parent: this },
    );
    const lambda = new aws.lambda.Function(
      name,
      {
        name: names.function(task),
        role: role.arn,
        runtime: aws.lambda.Runtime.NodeJS24dX,
        architectures: ['arm64'],
        handler: 'index.handler',
        code: new pulumi.asset.FileArchive(packageOf(task)),
        sourceCodeHash: sha256(packageOf(task)),
        timeout: args.timeoutSeconds,
        memorySize: args.memoryMiB,
        reservedConcurrentExecutions: args.reservedConcurrency,
        environment: { variables: args.environment },
        tracingConfig: { mode: 'Active' },
        loggingConfig: { logFormat: 'JSON', logGroup: logs.name },
      },
      { parent: this },
    );

    this.name = lambda.name;
    this.arn = lambda.arn;
    this.registerOutputs({ name: this.name, arn: this.arn });
  }
}
