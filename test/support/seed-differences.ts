import { at, list, statements } from '../../infra/rules/rule.ts';
import type { Graph } from '../../local/graph/graph.ts';
import { rawKey } from '../../statemachines/object-keys.ts';
import { inputsOf, ofType } from './graphs.ts';

export interface Difference {
  seed: string;
  section: string;
  /** what the seed asks for */
  asks: string;
  /** what the program declares instead */
  answer: string;
  reason: string;
  /** whether the program has the answer */
  now(graph: Graph): boolean;
}

const policyOf = (graph: Graph, part: string) =>
  statements(
    inputsOf(graph, 'iam/rolePolicy:RolePolicy', `toq-media-processing-${part}-staging`).policy,
  ).flatMap(({ Action }) => list(Action).map(String));

/** Where the program deliberately does not do what a seed says. */
export const DIFFERENCES: Difference[] = [
  {
    seed: '001',
    section: '1.1',
    asks: 'keys with a date segment',
    answer: 'no date segment',
    reason: 'Seed 002 is newer and has none.',
    now: () =>
      rawKey({
        listingIdentityId: 28,
        type: 'PHOTO_HORIZONTAL',
        reference: 'front',
        filename: 'a.jpg',
        contentType: 'image/jpeg',
      }) === '28/raw/photo/horizontal/front-a.jpg',
  },
  {
    seed: '001',
    section: '1.1',
    asks: 'the lifecycle rule selects the prefix raw/',
    answer: 'it selects the tag stage=raw',
    reason: 'Keys begin with the listing’s id: the prefix raw/ would match nothing.',
    now: (graph) =>
      at(
        inputsOf(graph, 's3/bucketLifecycleConfiguration:BucketLifecycleConfiguration', 'storage-media')
          .rules,
        'filter.tag.value',
      ) === 'raw',
  },
  {
    seed: '001',
    section: '1.1',
    asks: 's3:HeadObject and s3:GetObjectAttributes',
    answer: 's3:GetObject alone',
    reason: 'IAM has no s3:HeadObject: HeadObject needs s3:GetObject, and it answers size and checksum too.',
    now: (graph) => !policyOf(graph, 'backend').includes('s3:GetObjectAttributes'),
  },
  {
    seed: '001',
    section: '1.1',
    asks: 'the backend deletes objects',
    answer: 'the bucket would let it, its role does not',
    reason: 'Deletes are soft (seed 001 §4); physical clean-up is a future job.',
    now: (graph) => !policyOf(graph, 'backend').includes('s3:DeleteObject'),
  },
  {
    seed: '002',
    section: '1',
    asks: 'this key id',
    answer: 'a key of the stack, by alias',
    reason: 'AWS makes the id; everything of ours names the key by its ARN or alias.',
    now: (graph) => ofType(graph, 'kms/key:Key').length === 1,
  },
  {
    seed: '002',
    section: '4.1',
    asks: 'EC2 assumes the backend role',
    answer: 'ECS tasks do',
    reason: 'The service runs on Fargate.',
    now: (graph) =>
      String(
        inputsOf(graph, 'iam/role:Role', 'toq-media-processing-backend-staging').assumeRolePolicy,
      ).includes('ecs-tasks.amazonaws.com'),
  },
  {
    seed: '002',
    section: '4.2',
    asks: 'one role for all Lambdas, with full access to the bucket',
    answer: 'toq-media-processing-lambda-{function}-staging, each with its prefixes',
    reason: 'Least privilege: the thumbnails cannot touch the bundle, consolidate cannot read at all.',
    now: (graph) =>
      ofType(graph, 'iam/role:Role').filter(({ inputs }) => String(inputs.name).includes('-lambda-'))
        .length === 6,
  },
  {
    seed: '002',
    section: '4.2',
    asks: 'states:SendTaskSuccess and SendTaskFailure for the Lambdas',
    answer: 'neither',
    reason: 'The machines call the Lambdas and take their answers: no task token exists.',
    now: (graph) => !JSON.stringify(graph.resources).includes('states:SendTask'),
  },
  {
    seed: '002',
    section: '4.3',
    asks: 'the machines send messages to the queue',
    answer: 'they do not',
    reason: 'No state of either machine does.',
    now: (graph) => !policyOf(graph, 'stepfunctions').includes('sqs:SendMessage'),
  },
  {
    seed: '001',
    section: '1.6',
    asks: 'MediaConvert_Default_Role',
    answer: 'toq-media-processing-mediaconvert-staging',
    reason: 'Seed 002 is newer; the default role reaches every bucket.',
    now: (graph) => !JSON.stringify(graph.resources).includes('MediaConvert_Default_Role'),
  },
  {
    seed: '002',
    section: '5',
    asks: 'Go on provided.al2023 (seed 001: nodejs20.x, Python, Go)',
    answer: 'nodejs24.x on arm64',
    reason: 'One language for service, functions and program; nodejs20.x is past its end of life.',
    now: (graph) =>
      ofType(graph, 'lambda/function:Function').every(({ inputs }) => inputs.runtime === 'nodejs24.x'),
  },
  {
    seed: '001',
    section: '1.5',
    asks: 'a shared libvips layer, and 1 GB of /tmp for the bundle',
    answer: 'sharp inside the package, no extra storage',
    reason: 'A layer is versioned apart from its code; the bundle is streamed.',
    now: (graph) =>
      ofType(graph, 'lambda/function:Function').every(
        ({ inputs }) => inputs.layers === undefined && inputs.ephemeralStorage === undefined,
      ),
  },
  {
    seed: '001',
    section: '1.7',
    asks: 'the private endpoint calls callback-dispatch',
    answer: 'callback-dispatch calls the endpoint, signed by IAM, which leads to the service',
    reason: 'Seed 002 is newer: the function reports to the backend.',
    now: (graph) => ofType(graph, 'lambda/permission:Permission').length === 0,
  },
  {
    seed: '001',
    section: '1.7',
    asks: 'events COMPLETED',
    answer: 'events COMPLETE',
    reason: 'MediaConvert calls it COMPLETE.',
    now: (graph) => !JSON.stringify(graph.resources).includes('COMPLETED'),
  },
  {
    seed: '001',
    section: '1.9',
    asks: 'logs in /aws/step-functions/listing-media-processing-sm',
    answer: '/aws/vendedlogs/states/listing-media-processing-sm-staging',
    reason: 'Under vendedlogs the delivery needs no entry in the account’s size-limited log resource policy.',
    now: (graph) =>
      ofType(graph, 'cloudwatch/logGroup:LogGroup').some(
        ({ inputs }) => inputs.name === '/aws/vendedlogs/states/listing-media-processing-sm-staging',
      ),
  },
  {
    seed: '002',
    section: '5',
    asks: 'the function listing-media-callback-staging, exposed as -callback-dispatch-',
    answer: 'listing-media-callback-dispatch-staging alone',
    reason: 'One thing, one name.',
    now: (graph) =>
      !ofType(graph, 'lambda/function:Function').some(
        ({ inputs }) => inputs.name === 'listing-media-callback-staging',
      ),
  },
];
