import type { Task } from '../lambdas/config.ts';
import type { Machine } from '../statemachines/definitions.ts';

const MACHINE_NAMES: Record<Machine, string> = {
  'media-processing': 'listing-media-processing-sm',
  'media-finalization': 'listing-media-finalization-sm',
};

/** The parts of the system that act with permissions of their own. */
export type RolePart =
  | 'backend'
  | 'execution'
  | `lambda-${Task}`
  | 'stepfunctions'
  | 'mediaconvert'
  | 'project-uploads'
  | 'flow-logs'
  | 'database-monitoring'
  | 'admin';

/**
 * Physical names of an environment's resources. They are fixed because other teams hold them: runbooks, dashboards and
 * the parent system's own configuration. MediaConvert's names carry no environment: one environment per AWS account.
 */
export const namesOf = (environment: string) => ({
  key: `alias/toq-media-processing-${environment}`,
  logsBucket: `toq-logs-${environment}`,
  queue: `listing-media-processing-${environment}`,
  deadLetterQueue: `listing-media-processing-dlq-${environment}`,
  role: (part: RolePart) => `toq-media-processing-${part}-${environment}`,
  function: (task: Task) => `listing-media-${task}-${environment}`,
  functionLogs: (task: Task) => `/aws/lambda/listing-media-${task}-${environment}`,
  machine: (machine: Machine) => `${MACHINE_NAMES[machine]}-${environment}`,
  /** Under `vendedlogs` the delivery needs no entry in the account's size-limited log resource policy. */
  machineLogs: (machine: Machine) => `/aws/vendedlogs/states/${MACHINE_NAMES[machine]}-${environment}`,
  transcodeQueue: 'toq-media-queue',
  jobTemplate: { horizontal: 'toq-media-video-preset', vertical: 'toq-media-video-preset-vertical' },
  transcodeRule: `toq-media-mediaconvert-status-${environment}`,
  transcodeErrorRule: `toq-media-mediaconvert-error-${environment}`,
  transcodeEventLogs: `/aws/events/toq-media-mediaconvert-status-${environment}`,
  alerts: `toq-media-alerts-${environment}`,
  callbackSecret: `toq-media-processing-callback-${environment}`,
  service: `toq-media-service-${environment}`,
  serviceLogs: `/aws/ecs/toq-media-service-${environment}`,
  serviceMigrations: `toq-media-migrations-${environment}`,
  /** Images are promoted by digest from one account to the next: the repository has the same name everywhere. */
  repository: 'toq-media',
  cluster: `toq-media-${environment}`,
  clusterLogs: `/aws/ecs/containerinsights/toq-media-${environment}/performance`,
  network: `toq-media-${environment}`,
  networkLogs: `/aws/vpc/toq-media-${environment}`,
  securityGroup: (part: string) => `toq-media-${part}-${environment}`,
  loadBalancer: `toq-media-${environment}`,
  database: `toq-media-${environment}`,
  databaseLogs: (kind: string) => `/aws/rds/instance/toq-media-${environment}/${kind}`,
  alarm: (subject: string) => `toq-media-${subject}-${environment}`,
  dashboard: `toq-media-${environment}`,
  api: `toq-media-api-${environment}`,
  apiLogs: `/aws/apigateway/toq-media-api-${environment}`,
});
export type Names = ReturnType<typeof namesOf>;

/** Physical name of every function. */
export const functionsOf = (names: Names): Record<Task, string> => ({
  start: names.function('start'),
  validate: names.function('validate'),
  thumbnails: names.function('thumbnails'),
  consolidate: names.function('consolidate'),
  zip: names.function('zip'),
  'callback-dispatch': names.function('callback-dispatch'),
});
