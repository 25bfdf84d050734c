const NETWORK = [
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
];

/** https://mariadb.com/kb/en/mariadb-error-code-reference/ and the MySQL client's own. */
const DATABASE = [
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  // also the driver's name for a connection that broke during the handshake
  'HANDSHAKE_SSL_ERROR',
  'POOL_CLOSED',
  // its password was changed: another task, which has the new one, takes over
  'ER_ACCESS_DENIED_ERROR',
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_SERVER_SHUTDOWN',
  'ER_CONNECTION_KILLED',
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_OPTION_PREVENTS_STATEMENT',
];

const NAMES = ['KnexTimeoutError', 'TimeoutError', 'CredentialsProviderError'];

const text = (error: object, key: string) => {
  const value: unknown = Reflect.get(error, key);
  return typeof value === 'string' ? value : '';
};

/** Weather: the database or an AWS service did not answer, or asks for patience. Worth trying again as it is. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = text(error, 'code');
  if (NETWORK.includes(code) || DATABASE.includes(code) || NAMES.includes(error.name)) return true;
  if (isAwsWeather(error)) return true;
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  // objection keeps the driver's error in `nativeError`
  return [error.cause, Reflect.get(error, 'nativeError')].some(isUnavailable);
}

/** The SDK marks throttling (`$retryable`) and says the HTTP status (`$metadata`). */
function isAwsWeather(error: Error) {
  if (!('$metadata' in error)) return false;
  if ('$retryable' in error && error.$retryable) return true;
  if (/throttl|TooManyRequests|SlowDown|LimitExceeded/i.test(error.name)) return true;
  const status: unknown = error.$metadata && Reflect.get(error.$metadata, 'httpStatusCode');
  return typeof status === 'number' && (status >= 500 || status === 429);
}
