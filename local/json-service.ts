import { AwsError } from './aws-error.ts';
import type { AwsService, SignedRequest } from './door.ts';

/** One operation: the parsed request in, the answer's JSON out. */
export type Operation = (input: Record<string, unknown>, signed: SignedRequest) => unknown;

/** A service of AWS's JSON 1.1 protocol: `x-amz-target: {prefix}.{Operation}`, JSON in and out. */
export function jsonService(operations: Record<string, Operation>): AwsService {
  return async (signed, response) => {
    const target = String(signed.request.headers['x-amz-target'] ?? '');
    const name = target.slice(target.lastIndexOf('.') + 1);
    const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
    if (!operation) {
      throw new AwsError('UnknownOperationException', 404, `The local cloud does not know ${target}.`);
    }
    const answer = await operation(parse(await signed.body()), signed);
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(answer));
  };
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString() || '{}');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // told below
  }
  throw new AwsError('SerializationException', 400, 'The request body is not a JSON object.');
}
