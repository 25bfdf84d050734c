import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { createTasks } from '../../../local/step-functions/tasks.ts';
import { openDoor, REGION, role } from '../../support/front-door.ts';

const neverAborted = () => new AbortController().signal;

async function openTasks(t: ExecutionContext) {
  const door = await openDoor();
  t.teardown(door.close);
  const tasks = createTasks({ endpoint: door.endpoint, region: REGION, credentials: door.credentials });
  return { door, tasks, invoke: () => tasks.invokeFunction('f', { a: 1 }, role('machine'), neverAborted()) };
}

test('an invocation is made as the machine’s role, and a function’s error becomes Error and Cause', async (t) => {
  const { door, invoke } = await openTasks(t);
  let caller: string | undefined;
  door.services.lambda = async (signed, response) => {
    caller = signed.caller.roleArn;
    response.end(JSON.stringify({ got: JSON.parse(String(await signed.body())) }));
  };
  t.deepEqual(await invoke(), { got: { a: 1 } });
  t.is(caller, role('machine'));

  const answers = [
    ['{"errorType":"IMAGE_TOO_LARGE","errorMessage":"x"}', 'IMAGE_TOO_LARGE'],
    ['{"errorMessage":"another invocation ended the process"}', 'Lambda.Unknown'],
  ];
  for (const [payload = '', name = ''] of answers) {
    door.services.lambda = async (_, response) => {
      response.setHeader('x-amz-function-error', 'Unhandled').end(payload);
    };
    const error = await t.throwsAsync(invoke(), { name });
    t.true(error.message.includes(payload));
  }
});

test('a refusal of Lambda or MediaConvert has the service’s name, and no answer is SdkClientException', async (t) => {
  const { door, tasks, invoke } = await openTasks(t);
  door.services.lambda = async (_, response) => {
    response
      .writeHead(429, { 'x-amzn-errortype': 'TooManyRequestsException' })
      .end('{"message":"Rate Exceeded."}');
  };
  await t.throwsAsync(invoke(), { name: 'Lambda.TooManyRequestsException' });
  door.services.mediaconvert = async (_, response) => {
    response
      .writeHead(400, { 'x-amzn-errortype': 'BadRequestException' })
      .end('{"message":"no such template"}');
  };
  const transcode = () =>
    tasks.runMediaConvertJob({ Role: 'r', Settings: {} }, role('machine'), neverAborted());
  await t.throwsAsync(transcode(), { name: 'MediaConvert.BadRequestException', message: 'no such template' });
  door.services.lambda = async (_, response) => void response.destroy();
  await t.throwsAsync(invoke(), { name: 'Lambda.SdkClientException' });
});

test('a MediaConvert job is waited for; an ERROR is States.TaskFailed; an abandoned one is cancelled', async (t) => {
  const { door, tasks } = await openTasks(t);
  const asked: string[] = [];
  const statuses = ['SUBMITTED', 'PROGRESSING', 'COMPLETE', 'ERROR'];
  door.services.mediaconvert = async ({ request, url }, response) => {
    asked.push(`${request.method} ${url.pathname}`);
    const status = request.method === 'GET' ? (statuses.shift() ?? 'PROGRESSING') : 'SUBMITTED';
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ job: { id: '17', status, errorMessage: 'why' } }));
  };
  const transcode = (signal: AbortSignal) =>
    tasks.runMediaConvertJob({ Role: 'r', Settings: {} }, role('machine'), signal);
  t.like(await transcode(neverAborted()), { Job: { Id: '17', Status: 'COMPLETE' } });
  const error = await t.throwsAsync(transcode(neverAborted()), { name: 'States.TaskFailed' });
  t.like(JSON.parse(error.message), { Job: { ErrorMessage: 'why' } });
  const abandoned = new AbortController();
  const last = transcode(abandoned.signal);
  while (asked.length < 7) await sleep(5);
  abandoned.abort();
  await t.throwsAsync(last);
  t.true(asked.at(-1)?.startsWith('DELETE '));
});
