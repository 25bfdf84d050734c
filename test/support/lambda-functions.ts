import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { ExecutionContext } from 'ava';
import type { LambdaFunction } from '../../local/graph/manifest.ts';
import { createFunctions } from '../../local/lambda/functions.ts';
import { lambdaService } from '../../local/lambda/service.ts';
import { ACCOUNT, openDoor, REGION, role } from './front-door.ts';

/**
 * The Lambda API of a test over functions of a few lines: `sources` by the name of their artefact, and what is declared
 * of each function, which has the artefact of its own name unless it says otherwise.
 */
export async function openFunctions(
  t: ExecutionContext,
  sources: Record<string, string>,
  declared: Record<string, Partial<LambdaFunction>>,
) {
  const directory = await mkdtemp(path.join(tmpdir(), 'lambda-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  for (const [name, source] of Object.entries(sources)) {
    await mkdir(path.join(directory, name));
    await writeFile(path.join(directory, name, 'index.mjs'), source);
  }
  const door = await openDoor();
  t.teardown(door.close);
  const lines: string[] = [];
  const functions = createFunctions({
    functions: Object.entries(declared).map(([name, own]) => ({
      name,
      arn: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`,
      roleArn: role(name),
      runtime: 'nodejs24.x',
      handler: 'index.handler',
      timeoutSeconds: 30,
      memoryMiB: 512,
      environment: {},
      ...own,
      artefact: path.join(directory, own.artefact ?? name),
    })),
    region: REGION,
    endpoint: door.endpoint,
    credentials: door.credentials,
    log: (name, line) => lines.push(`${name} ${line}`),
  });
  t.teardown(functions.close);
  door.services.lambda = lambdaService(functions);
  const client = new LambdaClient(door.client());
  t.teardown(() => client.destroy());
  return {
    door,
    directory,
    functions,
    /** what the functions and the runtime have logged */
    lines,
    client,
    /** [answer, X-Amz-Function-Error] */
    async invoke(FunctionName: string, event: unknown) {
      const answer = await client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }));
      return [JSON.parse(answer.Payload?.transformToString() ?? ''), answer.FunctionError] as const;
    },
  };
}

/** Resolves with the first value that is not undefined. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(20);
  }
}
