import type Router from '@koa/router';
import type { RouterMiddleware } from '@koa/router';
import { HttpMethodEnum, koaBody } from 'koa-body';
import { z } from 'zod';
import { Problem } from '../errors.ts';
import type { Caller, Trace } from '../media/operations.ts';
import { parse } from './input.ts';
import { named, type RequestState } from './request.ts';

/** Room for a manifest of 60 files with metadata. */
const MAX_BODY_BYTES = 256 * 1024;

/** A request that has been understood: who asks for what. */
export interface Asked<Body> {
  caller: Caller;
  body: Body;
  trace: Trace;
  /** value of a request header, empty where there is none */
  header(name: string): string;
}

export interface Answer<Body> {
  status: number;
  /** an answer without a body has none */
  body?: Body;
  headers?: Record<string, string>;
}

/** One operation of the REST API: its schema, its answer and what it does, in one place. */
export interface Operation<Body, Result> {
  method: 'get' | 'post' | 'delete';
  /** below the base; the first is the name, the others are aliases */
  paths: readonly [string, ...string[]];
  id: string;
  summary: string;
  /** what the body is checked against; of a GET, the query */
  request: z.ZodType<Body>;
  answer: z.ZodType<Result>;
  /** success status → when */
  success: Record<number, string>;
  /** what can go wrong beside 400, 401 and 403: status → when */
  problems: Record<number, string>;
  handle(asked: Asked<Body>): Promise<Answer<Result>>;
}

/** An operation whose types have done their work. */
export interface Route extends Omit<Operation<unknown, unknown>, 'handle'> {
  answerTo(asked: Asked<unknown>): Promise<Answer<unknown>>;
}

/** Ties the types of an operation's schemas to its function. */
export function route<Body, Result>({ handle, ...rest }: Operation<Body, Result>): Route {
  return { ...rest, answerTo: async (asked) => handle({ ...asked, body: parse(rest.request, asked.body) }) };
}

const readJson = koaBody({
  json: true,
  jsonTypes: ['application/json'],
  jsonLimit: MAX_BODY_BYTES,
  text: false,
  urlencoded: false,
  multipart: false,
  parsedMethods: [HttpMethodEnum.POST, HttpMethodEnum.DELETE],
  onError: (error) => {
    throw bodyProblem(error);
  },
});

/** What the body reader says, as a problem; what it says is of the sender's making. */
function bodyProblem(error: Error & { status?: number }): Problem {
  if (error.status === 413) {
    return new Problem(413, 'body_too_large', `The body is larger than ${MAX_BODY_BYTES} bytes.`);
  }
  if (error.status === 415) {
    return new Problem(415, 'unsupported_media_type', 'Content-Encoding or charset is not one we read.');
  }
  return new Problem(400, 'malformed_json', 'The body is not a JSON object, or has a forbidden key.');
}

/** What a request is about, for its log line. */
const Subject = z.object({
  listingIdentityId: z.int().positive().optional().catch(undefined),
  batchId: z.uuid().optional().catch(undefined),
});

/** Puts a route behind authentication, the body reader and its schema. */
export function mount(
  router: Router<RequestState>,
  base: string,
  authenticate: RouterMiddleware<RequestState>,
  { method, paths, answerTo }: Route,
) {
  const handler: RouterMiddleware<RequestState> = async (ctx) => {
    const { caller, trace } = ctx.state;
    if (!caller) throw new Error('a route has to be behind authentication');
    const body: unknown = method === 'get' ? { ...ctx.query } : ctx.request.body;
    Object.assign(ctx.state, Subject.safeParse(body).data);

    const answer = await answerTo({ caller, trace, body, header: (name) => ctx.get(name) });
    ctx.body = answer.body ?? null;
    // after the body, which would make it 200 or 204
    ctx.status = answer.status;
    ctx.set(answer.headers ?? {});
  };
  const jsonOnly: RouterMiddleware<RequestState> = (ctx, next) => {
    if (method !== 'get' && ctx.is('application/json') === false) {
      throw new Problem(415, 'unsupported_media_type', 'Send Content-Type: application/json.');
    }
    return next();
  };
  for (const path of paths) {
    router.register(base + path, [method], [named(base + path), authenticate, jsonOnly, readJson, handler]);
  }
}
