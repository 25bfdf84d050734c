import type { IncomingMessage, ServerResponse } from 'node:http';

/** Who signed a request. */
export interface Caller {
  accessKeyId: string;
  /** the declared role */
  roleArn: string;
  /** `arn:aws:sts::{account}:assumed-role/{role}/{session}` */
  principalArn: string;
}

/** What it takes to verify the signatures of the chunks of an aws-chunked body (STREAMING-AWS4-HMAC-SHA256-PAYLOAD). */
export interface ChunkSigning {
  key: Buffer;
  /** the signature of the request, with which the chain of chunk signatures begins */
  seed: string;
  /** basic ISO 8601 */
  timestamp: string;
  scope: string;
}

/** A request whose signature the door has verified. */
export interface SignedRequest {
  /** service of the credential scope: `s3`, `sqs`, `states`, `lambda`, `execute-api`, … */
  service: string;
  caller: Caller;
  url: URL;
  /** signed by query string (a presigned URL) rather than by header */
  presigned: boolean;
  request: IncomingMessage;
  /** `x-amz-content-sha256` as it was signed: a hash, or one of S3's literals. Outside S3 the hash of the body. */
  payloadHash: string;
  chunks: ChunkSigning;
  /** the whole body, its SHA-256 verified; more than `maximumBytes` (10 MiB) is refused. Not for S3, which streams. */
  body(maximumBytes?: number): Promise<Buffer>;
}

/** One AWS service behind the door. What it throws becomes a 500 in that service's shape. */
export type AwsService = (signed: SignedRequest, response: ServerResponse) => Promise<void>;
