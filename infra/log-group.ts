import * as aws from '@pulumi/aws';
import type * as pulumi from '@pulumi/pulumi';

/** How every log group of the stack is kept. */
export interface LogRetention {
  retentionDays: number;
  keyArn: pulumi.Input<string>;
}

/** An encrypted log group that forgets. Declared, because one that a service creates by itself keeps everything. */
export const logGroup = (
  name: string,
  physicalName: string,
  retention: LogRetention,
  opts: pulumi.CustomResourceOptions,
) =>
  new aws.cloudwatch.LogGroup(
    name,
    { name: physicalName, retentionInDays: retention.retentionDays, kmsKeyId: retention.keyArn },
    opts,
  );
