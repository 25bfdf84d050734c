import type { Middleware } from 'koa';
import { Problem } from '../errors.ts';
import { isUnavailable } from '../unavailable.ts';
import type { RequestState } from './request.ts';

const RETRY_AFTER_SECONDS = 5;

const sentence = (code: string) => {
  const words = code.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/** The body of RFC 9457 problem details; `code` and `type` are contract, the texts are for a person. */
export function problemDetails(problem: Problem, request: { path: string; traceId: string }) {
  return {
    type: `urn:problem-type:toq-media:${problem.code}`,
    title: sentence(problem.code),
    status: problem.status,
    detail: problem.message,
    instance: request.path,
    code: problem.code,
    traceId: request.traceId,
    ...(problem.errors && { errors: problem.errors }),
  };
}

/** What a caller is told of an error: itself where it is a `Problem`, and otherwise no detail. */
function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isUnavailable(error)) {
    return new Problem(503, 'unavailable', 'A service that this one needs is not available. Try again soon.');
  }
  return new Problem(500, 'internal_error', 'Something went wrong here. It has been logged.');
}

/** Turns every error, and every answer that the router leaves empty, into `application/problem+json`. */
export function problems(): Middleware<RequestState> {
  return async (ctx, next) => {
    try {
      await next();
      if (ctx.body !== undefined && ctx.body !== null) return;
      if (ctx.status === 404) throw new Problem(404, 'unknown_path', `There is nothing at ${ctx.path}.`);
      // the router answers 501 for a method that it knows nowhere, 405 for one that this path lacks
      if (ctx.status === 405 || ctx.status === 501) {
        const allowed = ctx.response.get('Allow') || 'no method';
        throw new Problem(405, 'method_not_allowed', `${ctx.path} allows ${allowed}.`);
      }
    } catch (error) {
      const problem = asProblem(error);
      if (problem !== error) ctx.state.error = error;
      ctx.state.code = problem.code;
      ctx.status = problem.status;
      if (problem.status === 503) ctx.set('Retry-After', String(RETRY_AFTER_SECONDS));
      // what is left of a body that is too large is not worth reading
      if (problem.status === 413) ctx.set('Connection', 'close');
      ctx.body = JSON.stringify(problemDetails(problem, { path: ctx.path, traceId: ctx.state.traceId }));
      ctx.type = 'application/problem+json';
    }
  };
}
