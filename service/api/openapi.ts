import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { Callback } from '../../statemachines/contracts.ts';
import { CallbackAccepted, ProblemDetails } from './answers.ts';
import { CALLBACK_PATHS } from './callback.ts';
import type { Route } from './route.ts';

const json = (schema: z.ZodType, description: string) => ({
  description,
  content: { 'application/json': { schema } },
});
const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: ProblemDetails } },
});

const COMMON = {
  400: 'the request is not valid: `errors` names each field',
  401: 'there is no token, or it is not valid',
  403: 'the caller may not',
  413: 'the body is too large',
  415: 'the body is not application/json',
  503: 'something that the service needs does not answer; see Retry-After',
};

/** Statuses whose answers have no body (RFC 9110). */
const EMPTY = ['204', '304'];

/** The operations of a route, one a path: aliases are marked and get an id of their own. */
function operations(base: string, { paths, ...route }: Route): RouteConfig[] {
  return paths.map((path, index) => ({
    method: route.method,
    path: base + path,
    operationId: index === 0 ? route.id : `${route.id}Alias${index}`,
    summary: index === 0 ? route.summary : `Alias of ${base}${paths[0]}`,
    tags: ['listing media'],
    security: [{ bearer: [] }],
    request: {
      headers: z.object({ traceparent: z.string().optional().meta({ description: 'W3C trace context' }) }),
      body: { required: true, content: { 'application/json': { schema: route.request } } },
    },
    responses: {
      ...Object.fromEntries(
        Object.entries(route.success).map(([status, description]) => [
          status,
          EMPTY.includes(status) ? { description } : json(route.answer, description),
        ]),
      ),
      ...Object.fromEntries(
        Object.entries({ ...COMMON, ...route.problems }).map(([status, description]) => [
          status,
          problem(description),
        ]),
      ),
    },
  }));
}

const Readiness = z.object({ status: z.string(), checks: z.record(z.string(), z.enum(['ok', 'failed'])) });
const Version = z.object({ name: z.string(), version: z.string(), env: z.string(), node: z.string() });

/** What is not behind a token. */
const OTHERS: RouteConfig[] = [
  ...CALLBACK_PATHS.map(
    (path, index): RouteConfig => ({
      method: 'post',
      path,
      operationId: index === 0 ? 'callback' : `callbackAlias${index}`,
      summary: 'How a state machine tells how it went',
      tags: ['internal'],
      security: [{ signature: [] }],
      request: { body: { required: true, content: { 'application/json': { schema: Callback } } } },
      responses: {
        200: json(CallbackAccepted, 'applied, or known already'),
        400: problem('the body is not a callback'),
        401: problem('the signature is missing, malformed, expired or wrong'),
        404: problem('there is no such job'),
        413: problem('the body is larger than 1 MiB'),
      },
    }),
  ),
  operational('/livez', 'The process is up', { 200: json(z.object({ status: z.string() }), 'it is') }),
  operational('/readyz', 'The service can do its work', {
    200: json(Readiness, 'it can'),
    503: json(Readiness, 'it cannot, or it is about to stop'),
  }),
  operational('/version', 'Which build answers', { 200: json(Version, 'this one') }),
  operational('/metrics', 'Prometheus metrics', {
    200: { description: 'text exposition', content: { 'text/plain': { schema: z.string() } } },
  }),
];

function operational(path: string, summary: string, responses: RouteConfig['responses']): RouteConfig {
  return { method: 'get', path, operationId: path.slice(1), summary, tags: ['operations'], responses };
}

/** OpenAPI 3.1 of what the routes declare; the schemas are those that validate. */
export function openApiDocument(base: string, routes: Route[], version: string) {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
  });
  registry.registerComponent('securitySchemes', 'signature', {
    type: 'apiKey',
    in: 'header',
    name: 'X-Toq-Signature',
    description: '`t={unix seconds},v1={hex HMAC-SHA256(secret, "{t}." + raw body)}`',
  });
  for (const config of [...routes.flatMap((route) => operations(base, route)), ...OTHERS]) {
    registry.registerPath(config);
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Listing media',
      version,
      description: 'Moves the photographs and videos of a listing to an approved gallery.',
    },
  });
}
