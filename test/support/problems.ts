import type { ExecutionContext } from 'ava';
import { Problem } from '../../service/errors.ts';
import type { ApiAnswer, ProblemBody } from './api.ts';

/** The work ends in this Problem. Returns it. `about` says which work, where a test tries many. */
export async function refused(
  t: ExecutionContext,
  work: Promise<unknown>,
  status: number,
  code: string,
  about?: string,
) {
  const problem = await t.throwsAsync(work, { instanceOf: Problem }, about);
  t.is(problem?.status, status, about);
  t.is(problem?.code, code, about);
  return problem;
}

/** The answer is RFC 9457, with our own members, whatever went wrong. Returns its body. */
export function problemOf(t: ExecutionContext, answer: ApiAnswer, status: number, code: string) {
  const problem: ProblemBody = answer.body;
  t.is(answer.status, status, answer.text);
  t.is(answer.headers.get('content-type'), 'application/problem+json');
  t.is(problem.status, status);
  t.is(problem.code, code);
  t.is(problem.type, `urn:problem-type:toq-media:${code}`);
  t.truthy(problem.title);
  t.truthy(problem.detail);
  t.regex(problem.traceId, /^[0-9a-f]{32}$/);
  t.true(answer.headers.get('traceparent')?.includes(problem.traceId));
  return problem;
}
