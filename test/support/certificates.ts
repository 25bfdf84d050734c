import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const NEW_KEY = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];

export interface Authority {
  /** its own certificate, PEM */
  certificate: string;
  /** Signs a certificate for a server of that host name; the files that mariadbd takes. */
  issue(host: string): Promise<{ certificate: string; key: string }>;
}

/** A certificate authority of two days, in an existing folder. */
export async function makeAuthority(folder: string, name: string): Promise<Authority> {
  const file = (part: string) => path.join(folder, `${name}-${part}`);
  const own = { certificate: file('ca.pem'), key: file('ca.key') };
  await run('openssl', [
    ...['req', '-x509', ...NEW_KEY, '-subj', `/CN=${name}`],
    ...['-keyout', own.key, '-out', own.certificate],
  ]);
  return {
    certificate: await readFile(own.certificate, 'utf8'),
    async issue(host) {
      const [request, extensions] = [file(`${host}.csr`), file(`${host}.ext`)];
      const issued = { certificate: file(`${host}.pem`), key: file(`${host}.key`) };
      await run('openssl', [
        ...['req', ...NEW_KEY, '-subj', `/CN=${host}`],
        ...['-keyout', issued.key, '-out', request],
      ]);
      await writeFile(extensions, `subjectAltName=DNS:${host}\n`);
      await run('openssl', [
        ...['x509', '-req', '-in', request, '-days', '2', '-extfile', extensions],
        ...['-CA', own.certificate, '-CAkey', own.key, '-CAcreateserial', '-out', issued.certificate],
      ]);
      return issued;
    },
  };
}
