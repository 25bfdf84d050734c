import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from './config.ts';
import { connect } from './dependencies.ts';
import { createLog } from './log.ts';

/** Time for a load balancer to read 503 from `/readyz`; requests are still answered. */
const DRAIN_MS = 500;

const config = readConfig();
const log = createLog({ level: config.LOG_LEVEL, env: config.ENV, version: config.VERSION });

const service = connect(config, log);
const server = createServer(
  {
    // a proxy's idle connection (60 s at an ALB) has to end at the proxy first
    keepAliveTimeout: 65_000,
    headersTimeout: 10_000,
    requestTimeout: 30_000,
  },
  service.app.callback(),
);
server.listen(config.PORT, config.HOST);
await once(server, 'listening');
service.workers.start();
log.info(
  { host: config.HOST, port: config.PORT, database_tls: config.DATABASE_TLS },
  'service.media.started',
);

const [signal] = await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
log.info({ signal }, 'service.media.stopping');
for (const again of ['SIGTERM', 'SIGINT']) process.once(again, () => process.exit(1));
setTimeout(() => {
  log.error('service.media.stop_overdue');
  process.exit(1);
}, config.SHUTDOWN_GRACE_SECONDS * 1000).unref();

service.lifecycle.draining = true;
await sleep(DRAIN_MS);
const closed = once(server, 'close');
server.close();
server.closeIdleConnections();
await closed;
await service[Symbol.asyncDispose]();
log.info('service.media.stopped');
