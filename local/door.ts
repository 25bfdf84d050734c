import type { IncomingMessage, ServerResponse } from 'node:http';

/** Who signed a request. */
export interface Caller {
  accessKeyId: string;
  /** the declared role */
  roleArn: string;
  /** `arn:aws:sts::{account}:assumed-role/{role}/{session}` */
  principalArn: string;
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
  /** the whole body, its SHA-256 verified; reads at most `maximumBytes` (10 MiB). Not for S3, which streams. */
  body(maximumBytes?: number): Promise<Buffer>;
}

/** One AWS service behind the door. What it throws becomes a 500 in that service's shape. */
export type AwsService = (signed: SignedRequest, response: ServerResponse) => Promise<void>;
