import type { DatabaseAddress } from '../service/models/database.ts';

/** How a database on another machine may prove that it is the one that the URL names. */
const PROOFS = ['rds', 'public-ca', 'disabled'] as const;

/** The parts of `mysql://user:password@host:port/database?tls=rds`; a server on this machine needs no TLS. */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  const url = new URL(text);
  const here = ['localhost', '127.0.0.1'].includes(url.hostname);
  const asked = url.searchParams.get('tls') ?? (here ? 'disabled' : 'rds');
  const tls = PROOFS.find((proof) => proof === asked);
  if (!tls) throw new Error(`DATABASE_URL: tls must be one of ${PROOFS.join(', ')}.`);
  return {
    host: url.hostname,
    port: Number(url.port || 3306),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
    tls,
  };
}

/** The same as text; clients on this machine take it as it is. */
export const databaseUrlOf = ({ user, password, host, port, database }: DatabaseAddress) =>
  `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
