import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Environment } from '../lambdas/config.ts';
import type { LogRetention } from './log-group.ts';
import { type Late, MediaFunction } from './media-function.ts';
import type { Names } from './names.ts';
import { type Account, start } from './permissions.ts';

export interface IntakeArgs {
  names: Names;
  account: Account;
  logs: LogRetention;
  environment: Late<Environment<'start'>>;
  queueArn: pulumi.Input<string>;
  keyArn: pulumi.Input<string>;
}

/** From the queue to the processing machine: the function `start`, one execution for each message. */
export class Intake extends pulumi.ComponentResource {
  readonly functionArn: pulumi.Output<string>;

  constructor(name: string, args: IntakeArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Intake', name, {}, opts);
    const { account, names } = args;

    const consumer = new MediaFunction(
      `${name}-start`,
      {
        task: 'start',
        function: names.function('start'),
        role: names.role('lambda-start'),
        logGroup: names.functionLogs('start'),
        logs: args.logs,
        accountId: account.id,
        environment: args.environment,
        permissions: start(
          account,
          args.queueArn,
          args.keyArn,
          args.environment.PROCESSING_STATE_MACHINE_ARN,
        ),
        // a sixth of the queue's visibility timeout
        timeoutSeconds: 10,
        memoryMiB: 256,
      },
      { parent: this },
    );
    new aws.lambda.EventSourceMapping(
      name,
      {
        eventSourceArn: args.queueArn,
        functionName: consumer.arn,
        batchSize: 10,
        maximumBatchingWindowInSeconds: 0,
        functionResponseTypes: ['ReportBatchItemFailures'],
        // StartExecution has a bucket of its own in every account; ten starters do not empty it
        scalingConfig: { maximumConcurrency: 10 },
      },
      { parent: this },
    );

    this.functionArn = consumer.arn;
    this.registerOutputs({ functionArn: this.functionArn });
  }
}
