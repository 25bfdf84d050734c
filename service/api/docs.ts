import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import type { Context } from 'koa';

const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Listing media API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="icon" href="/docs/favicon-32x32.png">
  </head>
  <body>
    <div id="api"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;
// without `validatorUrl: null` the page would send the document to a public validator
const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#api', validatorUrl: null, deepLinking: true });\n`;

const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

/** Everything from this host, nothing inline but the styles that Swagger UI sets itself. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page that shows `/openapi.json`, served whole from here. */
export const docsPage = () => (ctx: Context) => {
  ctx.set('Content-Security-Policy', POLICY);
  ctx.type = 'html';
  ctx.body = PAGE;
};

/** The files of that page, by `:file`; any other name is nothing. */
export const docsFile = () => async (ctx: Context & { params: Record<string, string> }) => {
  const { file = '' } = ctx.params;
  if (file !== 'start.js' && !FILES.includes(file)) return;
  ctx.set('Cache-Control', 'public, max-age=3600');
  ctx.type = extname(file);
  ctx.body = file === 'start.js' ? START : await readFile(join(folder, file));
};
