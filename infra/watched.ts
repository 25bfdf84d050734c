import type * as pulumi from '@pulumi/pulumi';
import type { Task } from '../lambdas/config.ts';

type Text = pulumi.Input<string>;

/** What alarms and dashboard look at, by the names that metrics know it by. */
export interface Watched {
  /** `env` of what the service itself measures */
  environment: Text;
  processingMachineArn: Text;
  finalizationMachineArn: Text;
  queue: Text;
  deadLetterQueue: Text;
  /** physical names */
  functions: Record<Task, string>;
  transcodeQueueArn: Text;
  apiId: Text;
  /** `app/…` and `targetgroup/…` */
  loadBalancer: { arnSuffix: Text; targetGroupArnSuffix: Text };
  cluster: Text;
  service: Text;
  /** an instance of the stack's own */
  database: Text | undefined;
}
