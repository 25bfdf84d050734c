import { declarations } from './declarations.ts';
import type { Graph } from './graph.ts';
import type { Manifest } from './manifest.ts';
import { buckets, keys, logPolicies, queues, roles, secrets, topics } from './resources.ts';
import {
  api,
  container,
  eventSourceMappings,
  functions,
  mediaConvert,
  rules,
  stateMachines,
} from './workloads.ts';

/**
 * The harvested graph as what the local cloud runs. Throws, with the list, when something in it has no value or names a
 * resource that nobody declares. `existingSecret` is what the secret holds that the program only refers to.
 */
export function manifestOf(graph: Graph, existingSecret: string): Manifest {
  const problems = [...graph.problems, ...dangling(graph)];
  if (problems.length) {
    throw new Error(
      `The stack ${graph.stack} is not complete:\n${problems.map((line) => `- ${line}`).join('\n')}`,
    );
  }
  const declared = declarations(graph);
  const declaredApi = api(declared);
  const [, , , region = '', accountId = ''] = declaredApi.executionArn.split(':');
  return {
    environment: graph.stack,
    region,
    accountId,
    roles: roles(declared),
    keys: keys(declared),
    buckets: buckets(declared),
    queues: queues(declared),
    topics: topics(declared),
    logPolicies: logPolicies(declared),
    functions: functions(declared),
    eventSourceMappings: eventSourceMappings(declared),
    stateMachines: stateMachines(declared),
    mediaConvert: mediaConvert(declared),
    rules: rules(declared),
    secrets: secrets(declared, existingSecret),
    container: container(declared),
    api: declaredApi,
  };
}

/** Things that are named but rightly not declared: they come from configuration, or into being at run time. */
const ELSEWHERE = [
  /:iam::\d+:root$/,
  /:iam::\d+:role\/(?!toq-media-)/,
  /:secretsmanager:[^:]*:\d+:secret:rds!db-/,
  /:acm:[^:]*:\d+:certificate\//,
  /:elasticloadbalancing:[^:]*:\d+:loadbalancer\/\*$/,
  /:logs:[^:]*:\d+:log-group:RDS\*/,
  /:mediaconvert:[^:]*:\d+:jobs\//,
  /:events:[^:]*:\d+:rule\/StepFunctionsGetEventsForMediaConvertJobRule$/,
];

/** A sentence for each ARN in the graph whose resource nobody declares. */
export function dangling(graph: Graph): string[] {
  const resources = graph.resources.filter(({ kind }) => kind === 'custom' || kind === 'read');
  const declared = resources.flatMap(({ outputs }) =>
    [outputs.arn, outputs.executionArn, ...Object.values(outputs.outputs ?? {})].filter(
      (arn) => typeof arn === 'string',
    ),
  );
  const known = (arn: string) => {
    if (ELSEWHERE.some((pattern) => pattern.test(arn))) return true;
    const [literal = ''] = arn.replace(':execution:', ':stateMachine:').split('*');
    return declared.some(
      (own) =>
        literal === own ||
        literal.startsWith(`${own}/`) ||
        literal.startsWith(`${own}:`) ||
        (arn.includes('*') && own.startsWith(literal)),
    );
  };
  return resources.flatMap(({ type, name, inputs }) => {
    // of this account, or a bucket: other ARNs without an account are AWS's own
    const arns =
      JSON.stringify(inputs).match(/arn:aws:(s3:::|[a-z0-9-]+:[a-z0-9-]*:\d{12}:)[^"\\,\s]*/g) ?? [];
    return [...new Set(arns)]
      .filter((arn) => !known(arn))
      .map((arn) => `${type} (${name}): ${arn} is not declared`);
  });
}
