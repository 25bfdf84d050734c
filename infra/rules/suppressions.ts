export interface Suppression {
  /** id of the rule */
  rule: string;
  /** which environment; all of them when it is not said */
  stack?: string;
  /** which resources, `{type}::{logical name}` with `*` for anything */
  resource: string;
  /** which of the rule's faults, with `*` for anything; all of them when it is not said */
  fault?: string;
  /** why the fault is none, or is accepted */
  reason: string;
}

/** Every exception from a rule. One that excuses nothing any more is a failing test. */
export const suppressions: Suppression[] = [
  {
    rule: 'S1',
    resource: 's3/bucket:Bucket::*logs*',
    reason: 'It holds access logs; logging the delivery of logs would feed itself.',
  },
  {
    rule: 'S3BucketVersioningEnabled',
    resource: 's3/bucket:Bucket::*logs*',
    reason: 'AWS only adds objects to it and nobody overwrites them; they expire.',
  },
  {
    rule: 'S3DefaultEncryptionKMS',
    resource: 's3/bucket:Bucket::*logs*',
    reason: 'S3 and load balancers deliver access logs to no bucket whose default is SSE-KMS: it is SSE-S3.',
  },
  {
    rule: 'SMG4',
    resource: 'secretsmanager/secret:Secret::callback-secret',
    reason:
      'Rotated by setting the stack’s callbackSecret and deploying (docs/operations.md): ECS gives the value to tasks when they start, so a rotation has to roll the service too.',
  },
  ...['SMG4', 'SecretsManagerUsingKMSKey'].map((rule) => ({
    rule,
    resource: 'secretsmanager/secret:Secret::hosting-database',
    reason: 'It exists before the stack does and belongs to the database: only its ARN is looked up.',
  })),
  {
    rule: 'PS1',
    resource: 'iam/rolePolicy:RolePolicy::admin-role',
    reason: 'Break-glass: a person repairs what the system cannot, with a second factor. It signs no URLs.',
  },
  {
    rule: 'PS5',
    resource: 's3/bucketVersioning:BucketVersioning::storage-media',
    fault: 's3:GetObject: 60 minutes',
    reason:
      'The frontends show a gallery and play its videos for an hour without asking again (the API’s ttlSeconds).',
  },
  {
    rule: 'EC2.15',
    resource: 'awsx:ec2:Vpc::entrance-network-vpc',
    reason: 'Nothing but NAT gateways, which need one, is in the public subnets (TOQ-PRIVATE-SUBNETS).',
  },
  ...['EC2.55', 'EC2.56'].map((rule) => ({
    rule,
    stack: 'staging',
    resource: 'awsx:ec2:Vpc::entrance-network-vpc',
    reason:
      'An endpoint costs by the hour and zone; a few image pulls a day through the NAT gateway cost less. They are a setting (interfaceEndpoints).',
  })),
  ...['consolidate', 'thumbnails', 'validate', 'zip'].map((task) => ({
    rule: 'LambdaConcurrency',
    resource: `lambda/function:Function::tasks-${task}`,
    reason:
      'Called by the state machines only, 20 images and 10 videos at once an execution, ten executions begun at once; a reservation would be taken from the account’s other functions.',
  })),
  {
    rule: 'LambdaDLQ',
    resource: 'lambda/function:Function::tasks-*',
    reason:
      'Invoked synchronously by Step Functions, which retries and catches; a dead-letter queue would stay empty.',
  },
  {
    rule: 'ECS2',
    resource: 'ecs/taskDefinition:TaskDefinition::hosting-service*',
    reason:
      'Names, ports and limits are not secret, and a review of the program should show them. Secrets come from Secrets Manager (ECS.8).',
  },
  {
    rule: 'TOQ-ECS-IMAGE',
    resource: 'ecs/taskDefinition:TaskDefinition::hosting-service-migrations',
    reason: 'It ends by itself and its exit code is its health.',
  },
  {
    rule: 'APIG4',
    resource: 'apigatewayv2/route:Route::entrance-api-media',
    reason:
      'The service verifies the bearer token itself, on every route, and answers 401 as problem+json; a preflight OPTIONS has no token.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::*',
    fault: 'xray:* on *',
    reason: 'Traces are no resource: these actions take only the wildcard.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::*',
    fault: 'logs:* on arn:aws:logs:*:log-group:/aws/*:*',
    reason: 'The streams of one log group; their names are made at run time.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::state-machines-role',
    fault: 'logs:* on *',
    reason: 'Vended log delivery: AWS’s documentation asks for these actions on every resource.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::entrance-network-role',
    fault: 'logs:DescribeLogGroups on *',
    reason:
      'The VPC looks for its log group before it writes: AWS’s documentation asks for it on every group.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::hosting-service-execution-role',
    fault: 'ecr:GetAuthorizationToken on *',
    reason: 'The registry’s token is no resource: the action takes only the wildcard.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::*',
    fault: 's3:* on arn:aws:s3:::*/*/raw/*',
    reason: 'Keys begin with the listing’s id: the prefix of a stage is */raw/.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::*',
    fault: 's3:* on arn:aws:s3:::*/*/processed/*',
    reason: 'Keys begin with the listing’s id: the prefix of a stage is */processed/.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::hosting-service-backend-role',
    fault: 'states:* on arn:aws:states:*:execution:listing-media-*:*',
    reason: 'The executions of the two machines; their names are those of jobs.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::state-machines-role',
    fault: 'mediaconvert:* on arn:aws:mediaconvert:*:jobs/*',
    reason: 'A job’s id is MediaConvert’s own and known only when it runs.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::admin-role',
    fault: 's3:* on arn:aws:s3:::*/*',
    reason: 'Break-glass: a person repairs what the system cannot, with a second factor.',
  },
  {
    rule: 'IAM5',
    resource: 'iam/rolePolicy:RolePolicy::hosting-database-monitoring-role',
    fault: 'logs:* on arn:aws:logs:*:log-group:RDS*',
    reason:
      'RDS names its log group and streams itself (AWS’s AmazonRDSEnhancedMonitoringRole, for this account).',
  },
  {
    rule: 'RDS6',
    resource: 'rds/instance:Instance::hosting-database',
    reason:
      'Knex’s pool opens connections with one user and password, which ECS reads from the secret; a token lives for 15 minutes.',
  },
  {
    rule: 'RDS11',
    resource: 'rds/instance:Instance::hosting-database',
    reason: 'Only the service’s security group reaches it: another port would hide nothing.',
  },
  {
    rule: 'TOQ-SERVICE-GRANTS',
    resource: 'sns/topicPolicy:TopicPolicy::alerts',
    fault: 'Events: *',
    reason:
      'EventBridge says nothing about the source when it publishes to a topic (EventBridge user guide): a condition would refuse every event.',
  },
  {
    rule: 'TOQ-SERVICE-GRANTS',
    resource: 'kms/key:Key::encryption',
    fault: 'Events: *',
    reason: 'EventBridge says nothing about the source when it uses a topic’s key.',
  },
  {
    rule: 'TOQ-SERVICE-GRANTS',
    resource: 'cloudwatch/logResourcePolicy:LogResourcePolicy::transcode-events',
    fault: 'logs:CreateLogStream: *',
    reason:
      'EventBridge names its rule when it writes, not when it makes the stream; a stream alone tells nothing.',
  },
];
