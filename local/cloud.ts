import path from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import type { Activity } from './activity.ts';
import { createCredentials } from './credentials.ts';
import { type BusEvent, createEvents } from './events.ts';
import { startDoor } from './front-door.ts';
import type { Gate } from './gate.ts';
import { startGateway } from './gateway.ts';
import type { Manifest } from './graph/manifest.ts';
import { type Authority, createAuthority } from './iam/authority.ts';
import { startEventSources } from './lambda/event-source.ts';
import { createFunctions } from './lambda/functions.ts';
import { lambdaService } from './lambda/service.ts';
import { createMediaConvert } from './media-convert/service.ts';
import { createQueues } from './queues.ts';
import { createS3 } from './s3/service.ts';
import { createSecrets } from './secrets.ts';
import { createSecurityTokens } from './security-tokens.ts';
import { createStepFunctions } from './step-functions/service.ts';
import { createTasks } from './step-functions/tasks.ts';
import type { Watchdog } from './watchdog.ts';

export interface CloudOptions {
  manifest: Manifest;
  /** everything that outlives a stop is kept below */
  directory: string;
  ports: { door: number; gateway: number };
  activity: Activity;
  gate: Gate;
  watchdog: Watchdog;
  /** whether the wire counts as TLS; it does, unless a test says otherwise */
  secureTransport?: () => boolean;
}

/** What AWS would refuse to create or to start: a role that does not trust its service, a secret that ECS may not read. */
async function admitServices({ functions, stateMachines, container }: Manifest, authority: Authority) {
  for (const { roleArn } of functions) await authority.assume('lambda.amazonaws.com', roleArn);
  for (const { roleArn } of stateMachines) await authority.assume('states.amazonaws.com', roleArn);
  for (const roleArn of [container.taskRoleArn, container.executionRoleArn]) {
    await authority.assume('ecs-tasks.amazonaws.com', roleArn);
  }
  for (const reference of Object.values(container.secrets)) {
    await authority.readSecret(container.executionRoleArn, reference);
  }
}

/** Runs what the program declares, the container excepted, behind one signed HTTP endpoint. */
export async function startCloud(options: CloudOptions) {
  const { manifest, directory, ports, activity, gate, watchdog, secureTransport } = options;
  const { region, accountId } = manifest;
  const below = (name: string) => path.join(directory, name);
  const endpoint = `http://127.0.0.1:${ports.door}`;
  const credentials = createCredentials();
  const issue = (roleArn: string) => credentials.issueAccessKey(roleArn);
  const report = (error: unknown) =>
    activity.log('cloud', error instanceof Error ? (error.stack ?? error.message) : String(error));

  const authority = createAuthority({
    declared: manifest,
    ...(secureTransport && { secureTransport }),
    onDenied: (sentence) => activity.log('iam', sentence),
  });
  await admitServices(manifest, authority);

  const s3 = createS3({
    buckets: manifest.buckets,
    directory: below('s3'),
    region,
    require: authority.require,
  });
  const queues = await createQueues({
    queues: manifest.queues,
    topics: manifest.topics,
    region,
    directory: below('queues'),
  });
  const secrets = createSecrets(manifest.secrets);
  const deliver = async (target: string, event: BusEvent, ruleArn: string) => {
    if (target.startsWith('arn:aws:logs:')) await authority.logEvent(target, ruleArn);
    activity.log(`events → ${target.split(':').slice(5).join(':')}`, JSON.stringify(event));
    if (!target.startsWith('arn:aws:sns:')) return;
    await authority.publish(target);
    await queues.publish(target, JSON.stringify(event));
  };
  const events = createEvents({ manifest, deliver, report });
  const mediaConvert = createMediaConvert({
    region,
    accountId,
    roles: manifest.roles,
    queues: manifest.mediaConvert.queues,
    templates: manifest.mediaConvert.jobTemplates,
    s3: (roleArn) => new S3Client({ endpoint, region, credentials: issue(roleArn) }),
    directory: below('scratch'),
    emit: (event) => void events.put(event),
    watchdog,
  });
  const functions = createFunctions({
    functions: manifest.functions,
    region,
    endpoint,
    credentials: issue,
    log: (name, line) => activity.log(name, line),
  });
  const stepFunctions = createStepFunctions({
    stateMachines: manifest.stateMachines,
    directory: below('step-functions'),
    tasks: createTasks({ endpoint, region, credentials: issue }),
    onEvent: activity.step,
  });

  const door = await startDoor({
    services: gate.guard({
      s3: s3.service,
      sqs: queues.sqs,
      sns: queues.sns,
      states: stepFunctions.service,
      lambda: lambdaService(functions),
      mediaconvert: mediaConvert.service,
      secretsmanager: secrets.service,
      sts: createSecurityTokens(manifest, credentials),
      events: events.service,
    }),
    credentials,
    region,
    port: ports.door,
    crossOrigin: s3.crossOrigin,
    authorize: authority.authorize,
    report,
  });
  const gateway = await startGateway({
    api: manifest.api,
    target: new URL(`http://127.0.0.1:${manifest.container.port}`),
    credentials,
    region,
    authorize: authority.invoke,
    port: ports.gateway,
  });
  let sources: ReturnType<typeof startEventSources> | undefined;

  return {
    endpoint: door.url,
    gatewayUrl: gateway.url,
    credentials,
    secrets,
    functions,
    permissions: authority.read,

    /** Lets work flow: the queue's consumer, and the executions that an earlier stop interrupted. */
    flow() {
      sources = startEventSources({
        mappings: manifest.eventSourceMappings,
        queues: manifest.queues,
        functions,
        region,
        endpoint,
        credentials: issue,
        report,
      });
      stepFunctions.resume();
    },

    /** Stops taking work in, ends what runs (executions go on at the next start), then the services under it. */
    async close() {
      await Promise.all([sources?.close(), stepFunctions.close()]);
      await Promise.all([functions.close(), mediaConvert.close(), gateway.close()]);
      await door.close();
      await queues.close();
      s3.close();
    },
  };
}
export type Cloud = Awaited<ReturnType<typeof startCloud>>;
