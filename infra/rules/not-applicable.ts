export interface NotApplicable {
  ids: string[];
  reason: string;
  /** types that the reason says are not declared */
  absent?: string[];
}

/** Ids of the catalogues that we follow for which there is nothing to check in the declared resources. */
export const notApplicable: NotApplicable[] = [
  {
    ids: [
      ...['CFR1', 'CFR2', 'CFR3', 'CFR4', 'CFR5', 'CFR6', 'CFR7'],
      ...['1', '3', '5', '6', '7', '10', '13', '15'].map((number) => `CloudFront.${number}`),
    ],
    reason: 'There is no CloudFront distribution: galleries are read from S3 with presigned URLs.',
    absent: ['cloudfront/distribution:Distribution'],
  },
  {
    ids: ['APIG2', 'APIG3', 'APIG6', 'APIGateway.1', 'APIGateway.3', 'APIGateway.4'],
    reason:
      'Request validation, WAF, execution logs and X-Ray are features of REST APIs; ours is an HTTP API, and the service validates.',
    absent: ['apigateway/restApi:RestApi', 'apigateway/stage:Stage'],
  },
  {
    ids: ['ELB1', 'ELB3', 'ELB4', 'ELB5'],
    reason: 'There is no Classic Load Balancer.',
    absent: ['elb/loadBalancer:LoadBalancer'],
  },
  {
    ids: ['EVB1'],
    reason: 'There is no event bus of our own: MediaConvert speaks on the default one.',
    absent: ['cloudwatch/eventBus:EventBus', 'cloudwatch/eventBusPolicy:EventBusPolicy'],
  },
  {
    ids: ['ECS.16'],
    reason: 'There are no task sets: the service deploys by itself (TOQ-ECS-ROLLBACK).',
    absent: ['ecs/taskSet:TaskSet'],
  },
  {
    ids: ['RDS14', 'RDS16', 'RDS.7', 'RDS.16', 'RDS.24', 'RDS.34', 'RDS.45'],
    reason: 'There is no Aurora cluster: a database that a stack provides is one instance.',
    absent: ['rds/cluster:Cluster', 'rds/clusterInstance:ClusterInstance'],
  },
  {
    ids: ['RDS.43'],
    reason: 'There is no database proxy: the service pools its connections itself.',
    absent: ['rds/proxy:Proxy'],
  },
  {
    ids: ['S3.1'],
    reason:
      'It is a setting of the account, which has buckets of others, too; each bucket of the stack blocks public access itself (S2).',
    absent: ['s3/accountPublicAccessBlock:AccountPublicAccessBlock'],
  },
  {
    ids: ['SecretsManager.2'],
    reason: 'Whether a rotation succeeded shows only in the account: nothing that is declared tells.',
  },
  {
    ids: ['PS4', 'PS7'],
    reason:
      'A URL is signed for one length, type, tag and SHA-256 (test/end-to-end.test.ts): using it again stores the same bytes again. With `if-none-match` an upload whose answer was lost could not be repeated.',
  },
  {
    ids: ['PS9'],
    reason: 'Browsers upload and download from anywhere: a network perimeter would shut them out.',
  },
];
