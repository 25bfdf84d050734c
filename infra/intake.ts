import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { Environment } from '../lambdas/config.ts';
import type { Foundation } from './foundation.ts';
import { type Late, MediaFunction } from './media-function.ts';
import { start } from './permissions.ts';

export interface IntakeArgs extends Foundation {
  environment: Late<Environment<'start'>>;
  queueArn: pulumi.Input<string>;
}

/** From the queue to the processing machine: the function `start`, one execution for each message. */
export class Intake extends pulumi.ComponentResource {
  readonly functionArn: pulumi.Output<string>;

  constructor(name: string, args: IntakeArgs, opts?: pulumi.ComponentResourceOptions) {
    super('toq-media:infra:Intake', name, {}, opts);
    const { names, account, keyArn, logRetentionDays, environment, queueArn } = args;

    const consumer = new MediaFunction(
      `${name}-start`,
      {
        names,
        account,
        keyArn,
        logRetentionDays,
        task: 'start',
        environment,
        permissions: start(account, queueArn, keyArn, environment.PROCESSING_STATE_MACHINE_ARN),
        // a sixth of the queue's visibility timeout
        timeoutSeconds: 10,
        memoryMiB: 256,
      },
      { parent: this },
    );
    new aws.lambda.EventSourceMapping(
      name,
      {
        eventSourceArn: queueArn,
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
