import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { readDatabaseConfig } from '../../service/config.ts';
import { makeAuthority } from '../support/certificates.ts';

const DATABASE = {
  DATABASE_HOST: 'db.toq.test',
  DATABASE_NAME: 'toq_server',
  DATABASE_USER: 'toq',
  DATABASE_PASSWORD: 'a password',
};
const read = (changes: Record<string, string>) => readDatabaseConfig({ ...DATABASE, ...changes });

/** The complaint about a variable; the password is never in it. */
function complaint(changes: Record<string, string>) {
  try {
    read(changes);
  } catch (error) {
    const text = error instanceof Error ? error.message : '';
    return text.includes(DATABASE.DATABASE_PASSWORD) ? 'it tells the password' : text;
  }
  return 'none';
}

let pem: string;
let key: string;
test.before(async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'toq-media-certificates-'));
  const authority = await makeAuthority(folder, 'authority');
  pem = authority.certificate;
  key = await readFile((await authority.issue('db.toq.test')).key, 'utf8');
  await rm(folder, { recursive: true });
});

test("who says nothing about TLS gets it, from Amazon's databases", (t) => {
  t.like(read({}), { DATABASE_TLS: 'rds', DATABASE_TLS_CA: undefined });
});

test('a private authority has one certificate or several', (t) => {
  for (const certificates of [pem, `${pem}\n${pem}`]) {
    const config = read({ DATABASE_TLS: 'private-ca', DATABASE_TLS_CA: certificates });
    t.is(config.DATABASE_TLS_CA, certificates);
  }
});

test('what cannot be verified is refused in a sentence that names the variable', (t) => {
  t.regex(
    complaint({ DATABASE_TLS: 'on' }),
    /"rds"\|"public-ca"\|"private-ca"\|"disabled"[\s\S]*DATABASE_TLS$/,
  );
  t.regex(
    complaint({ DATABASE_TLS: 'private-ca' }),
    /is missing: DATABASE_TLS=private-ca needs it[\s\S]*_CA$/,
  );
  t.regex(complaint({ DATABASE_TLS_CA: pem }), /is not used with DATABASE_TLS=rds[\s\S]*DATABASE_TLS_CA$/);
  t.regex(
    complaint({ DATABASE_HOST: '10.20.0.7' }),
    /must be a host name: DATABASE_TLS=rds[\s\S]*DATABASE_HOST$/,
  );
  t.is(complaint({ DATABASE_HOST: '10.20.0.7', DATABASE_TLS: 'disabled' }), 'none');
  for (const text of ['', '/etc/ca.pem', pem.slice(0, -40), pem.replace(/\n.{20}/, '\n'), `${pem}${key}`]) {
    const wrong = { DATABASE_TLS: 'private-ca', DATABASE_TLS_CA: text };
    t.regex(complaint(wrong), /must be certificates in PEM and nothing else[\s\S]*DATABASE_TLS_CA$/, text);
  }
});
