import * as aws from '@pulumi/aws';
import type * as pulumi from '@pulumi/pulumi';
import type { Foundation } from './foundation.ts';

/** An encrypted log group that forgets. Declared, because one that a service creates by itself keeps everything. */
export const logGroup = (
  name: string,
  physicalName: string,
  { keyArn, logRetentionDays }: Foundation,
  opts: pulumi.CustomResourceOptions,
) =>
  new aws.cloudwatch.LogGroup(
    name,
    { name: physicalName, retentionInDays: logRetentionDays, kmsKeyId: keyArn },
    opts,
  );
