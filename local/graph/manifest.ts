/**
 * What the Pulumi program declares, as far as the local cloud runs it. `local/graph/` makes it from the harvested
 * resource graph; every other part of `local/` boots from it and from nothing else.
 */
export interface Manifest {
  environment: string;
  region: string;
  accountId: string;
  roles: Role[];
  keys: { arn: string; id: string; alias: string; policy: PolicyDocument }[];
  buckets: Bucket[];
  queues: Queue[];
  topics: { name: string; arn: string; kmsKeyArn?: string; policy?: PolicyDocument }[];
  /** of CloudWatch Logs: each holds for the log groups that its statements name */
  logPolicies: { name: string; policy: PolicyDocument }[];
  functions: LambdaFunction[];
  eventSourceMappings: EventSourceMapping[];
  stateMachines: StateMachine[];
  mediaConvert: { queues: { name: string; arn: string }[]; jobTemplates: JobTemplate[] };
  rules: { name: string; arn: string; pattern: unknown; targets: { id: string; arn: string }[] }[];
  secrets: Secret[];
  container: Container;
  api: HttpApi;
}

export interface PolicyDocument {
  Version?: string;
  Statement: unknown;
}

export interface Role {
  name: string;
  arn: string;
  trust: PolicyDocument;
  policies: { name: string; document: PolicyDocument }[];
}

export interface Bucket {
  name: string;
  arn: string;
  versioned: boolean;
  /** default encryption */
  kmsKeyArn?: string;
  cors: {
    allowedOrigins: string[];
    allowedMethods: string[];
    allowedHeaders: string[];
    exposeHeaders: string[];
    maxAgeSeconds?: number;
  }[];
  policy?: PolicyDocument;
}

export interface Queue {
  name: string;
  arn: string;
  url: string;
  /** SQS attribute names and values, as CreateQueue takes them */
  attributes: Record<string, string>;
  policy?: PolicyDocument;
}

export interface LambdaFunction {
  name: string;
  arn: string;
  roleArn: string;
  runtime: string;
  /** `file.export` */
  handler: string;
  timeoutSeconds: number;
  memoryMiB: number;
  environment: Record<string, string>;
  /** folder or zip that the program would upload, as an absolute path */
  artefact: string;
  reservedConcurrency?: number;
}

export interface EventSourceMapping {
  queueArn: string;
  functionArn: string;
  batchSize: number;
  maximumBatchingWindowSeconds: number;
  reportBatchItemFailures: boolean;
  maximumConcurrency?: number;
}

export interface StateMachine {
  name: string;
  arn: string;
  roleArn: string;
  /** Amazon States Language, placeholders filled */
  definition: Record<string, unknown>;
}

export interface JobTemplate {
  name: string;
  arn: string;
  /** MediaConvert JobTemplateSettings */
  settings: Record<string, unknown>;
}

export interface Secret {
  name: string;
  arn: string;
  kmsKeyArn?: string;
  /** the declared value of AWSCURRENT; kept in memory only */
  value?: string;
}

export interface Container {
  name: string;
  taskRoleArn: string;
  /** with which ECS itself pulls the image and reads the secrets */
  executionRoleArn: string;
  port: number;
  environment: Record<string, string>;
  /** variable → `arn` or `arn:json-key:version-stage:version-id` */
  secrets: Record<string, string>;
  stopTimeoutSeconds: number;
}

export interface HttpApi {
  id: string;
  arn: string;
  /** `execute-api` ARN prefix: `arn:aws:execute-api:{region}:{account}:{id}` */
  executionArn: string;
  endpoint: string;
  routes: {
    /** `POST /media-processing/callback`, `ANY /api/v2/{proxy+}` */
    key: string;
    authorization: 'NONE' | 'AWS_IAM';
    /** path that replaces the request's own on the way to the service */
    overwritePath?: string;
  }[];
}
