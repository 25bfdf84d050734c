import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openDatabase } from '../../../service/models/database.ts';
import { type ServerProof, tlsOptions } from '../../../service/models/database-tls.ts';
import { isUnavailable } from '../../../service/unavailable.ts';
import { type Authority, makeAuthority } from '../../support/certificates.ts';
import { startTestDatabase, type TestDatabase } from '../../support/database.ts';

let folder: string;
let ours: Authority;
let theirs: Authority;
/** its certificate is for localhost, and it lets nobody in without TLS */
let strict: TestDatabase;
/** its certificate is for another host */
let misnamed: TestDatabase;
/** it knows no TLS */
let plain: TestDatabase;

async function startServer(authority: Authority, host: string, ...words: string[]) {
  const { certificate, key } = await authority.issue(host);
  return startTestDatabase({
    migrated: false,
    words: [`--ssl-cert=${certificate}`, `--ssl-key=${key}`, ...words],
  });
}

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'toq-media-certificates-'));
  [ours, theirs] = await Promise.all([makeAuthority(folder, 'ours'), makeAuthority(folder, 'theirs')]);
  [strict, misnamed, plain] = await Promise.all([
    startServer(ours, 'localhost', '--require-secure-transport=ON'),
    startServer(ours, 'db.toq.test'),
    startTestDatabase({ migrated: false, words: ['--skip-ssl'] }),
  ]);
});
test.after.always(async () => {
  for (const database of [strict, misnamed, plain]) await database?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** What a session sees of its own encryption, of a server that is called localhost. */
async function connect(t: ExecutionContext, { address }: TestDatabase, proof: ServerProof) {
  const knex = openDatabase({ ...address, host: 'localhost', ...proof });
  t.teardown(() => knex.destroy());
  const [rows] = await knex.raw("SHOW STATUS WHERE Variable_name IN ('Ssl_cipher', 'Ssl_version')");
  return Object.fromEntries(
    (rows as Record<'Variable_name' | 'Value', string>[]).map((row) => [row.Variable_name, row.Value]),
  );
}

/** The sentence with which a connection is refused. */
async function refusal(t: ExecutionContext, database: TestDatabase, proof: ServerProof) {
  const error = await t.throwsAsync(connect(t, database, proof));
  t.false(String(error?.stack).includes(database.address.password));
  const { port } = database.address;
  return String(error?.message).replace(`localhost:${port}`, 'HOST');
}

/** The port of a server that greets everybody as MySQL does with require_secure_transport; MariaDB has another answer. */
async function strictMySql(t: ExecutionContext) {
  const text =
    '#08004Connections using insecure transport are prohibited while --require_secure_transport=ON.';
  const error = Buffer.from([0xff, 3159 & 0xff, 3159 >> 8, ...Buffer.from(text)]);
  const packet = Buffer.from([error.length, 0, 0, 0, ...error]);
  const server = createServer((client) => client.on('error', () => {}).end(packet)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return portOf(server);
}

const portOf = (server: Server) => (server.address() as AddressInfo).port; // it listens

const signedBy = ({ certificate }: Authority): ServerProof => ({ tls: 'private-ca', tlsCa: certificate });

test('a server whose certificate is right is talked to in TLS 1.2 or newer', async (t) => {
  const session = await connect(t, strict, signedBy(ours));
  t.regex(session.Ssl_version ?? '', /^TLSv1\.[23]$/);
  t.regex(session.Ssl_cipher ?? '', /./);
});

test('every connection of a pool is encrypted', async (t) => {
  const knex = openDatabase({ ...strict.address, host: 'localhost', ...signedBy(ours), poolSize: 4 });
  t.teardown(() => knex.destroy());
  const sessions = await Promise.all(
    Array.from({ length: 8 }, () =>
      knex.raw("SHOW STATUS WHERE Variable_name = 'Ssl_cipher' AND SLEEP(0.05) = 0"),
    ),
  );
  for (const [[{ Value }]] of sessions) t.regex(Value, /./);
});

test('one authority among several that are trusted is enough', async (t) => {
  const both = { tls: 'private-ca', tlsCa: `${theirs.certificate}\n${ours.certificate}` } as const;
  t.regex((await connect(t, strict, both)).Ssl_cipher ?? '', /./);
});

test("another authority's certificate is refused in a sentence that names the setting", async (t) => {
  t.is(
    await refusal(t, strict, signedBy(theirs)),
    'No TLS with HOST: unable to verify the first certificate. DATABASE_TLS=private-ca (setting database.tls) accepts a certificate for this host name, signed by the authority in DATABASE_TLS_CA. Remedy: docs/deploy.md, "TLS to the database"',
  );
  t.regex(
    await refusal(t, strict, { tls: 'rds' }),
    /^No TLS with HOST: .*DATABASE_TLS=rds .*by Amazon for RDS/,
  );
  t.regex(await refusal(t, strict, { tls: 'public-ca' }), /DATABASE_TLS=public-ca .*by a public authority/);
});

test('a certificate for another host is refused, though its authority is right', async (t) => {
  t.regex(
    await refusal(t, misnamed, signedBy(ours)),
    /^No TLS with HOST: .*Host: localhost\. is not in the cert's altnames: DNS:db\.toq\.test\. DATABASE_TLS=private-ca/,
  );
});

test('a server without TLS is refused: nothing falls back to an open connection', async (t) => {
  t.regex(
    await refusal(t, plain, signedBy(ours)),
    /^No TLS with HOST: Server does not support secure connection\. DATABASE_TLS=private-ca/,
  );
});

test('a server that demands TLS and a service that may not use it: the sentence says which setting', async (t) => {
  const unused = 'DATABASE_TLS=disabled (setting database.tls) uses none';
  t.is(
    await refusal(t, strict, { tls: 'disabled' }),
    `Access denied for user 'toq_test'@'127.0.0.1' (using password: YES): a wrong password, or HOST asks for TLS, and ${unused}`,
  );
  t.is(
    await refusal(
      t,
      { ...strict, address: { ...strict.address, port: await strictMySql(t) } },
      { tls: 'disabled' },
    ),
    `HOST lets nobody in without TLS, and ${unused}. Remedy: rds, public-ca or private-ca`,
  );
});

test('without TLS only where that is the setting', async (t) => {
  t.is((await connect(t, plain, { tls: 'disabled' })).Ssl_cipher ?? '', '');
});

test('what is wrong besides TLS is told as it is', async (t) => {
  const wrong = { ...strict, address: { ...strict.address, password: 'another' } };
  t.regex(await refusal(t, wrong, signedBy(ours)), /^Access denied for user/);
});

test('a server that goes away in the middle of the handshake is weather', async (t) => {
  // the server's own greeting, and the end as soon as the client answers
  const proxy = createServer((client) => {
    const upstream = createConnection(strict.address.port, '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => {});
    upstream.pipe(client);
    client.once('data', () => client.destroy());
    client.once('close', () => upstream.destroy());
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.teardown(() => proxy.close());
  const leaving = { ...strict, address: { ...strict.address, port: portOf(proxy) } };
  const error = await t.throwsAsync(connect(t, leaving, signedBy(ours)));
  t.regex(String(error?.message), /^No TLS with localhost:\d+: /);
  t.true(isUnavailable(error));
});

test("the authorities of RDS are Amazon's, of each kind of key, for good", (t) => {
  const certificates = (tlsOptions({ tls: 'rds' })?.ca ?? '')
    .split(/(?<=-----END CERTIFICATE-----)/)
    .filter((pem) => pem.trim())
    .map((pem) => new X509Certificate(pem));
  for (const region of ['us-east-1', 'sa-east-1']) {
    for (const kind of ['RSA2048', 'RSA4096', 'ECC384']) {
      const name = `CN=Amazon RDS ${region} Root CA ${kind} G1`;
      const found = certificates.find(({ subject }) => subject.split('\n').includes(name));
      t.true(Date.parse(found?.validTo ?? '') > Date.parse('2060-01-01'), name);
    }
  }
});

test('a private authority without its certificate verifies nobody, and is refused', (t) => {
  t.throws(() => tlsOptions({ tls: 'private-ca' }), { message: /DATABASE_TLS_CA/ });
});
