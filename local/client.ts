import { createHash } from 'node:crypto';
import { createReadStream, openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UploadType } from '../statemachines/contracts.ts';

/** A file on disk and what it is for. */
export interface LocalFile {
  path: string;
  clientId: string;
  assetType: UploadType;
  contentType: string;
  sequence: number;
  title?: string;
}

/** One entry of the manifest of `POST /uploads`. */
export interface ManifestFile extends Omit<LocalFile, 'path'> {
  filename: string;
  bytes: number;
  checksum: string;
}

export interface SignedUpload {
  clientId: string;
  method: 'PUT';
  uploadUrl: string;
  headers: Record<string, string>;
  s3Key: string;
}

/** The answer to any request: problem details where the status is 400 or more. */
export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: T;
}

/** A refused request, with the problem details that came back. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly answer: Answer;

  constructor(what: string, answer: Answer) {
    const { detail, code, errors } = answer.body as { detail?: string; code?: string; errors?: unknown };
    super(`${what}: ${answer.status} ${code ?? ''} ${detail ?? ''} ${errors ? JSON.stringify(errors) : ''}`);
    this.answer = answer;
  }
}

/** Size and SHA-256 of a file, read as a stream. */
export async function describeFile({ path: file, ...rest }: LocalFile): Promise<ManifestFile> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  const { size } = await stat(file);
  return { ...rest, filename: path.basename(file), bytes: size, checksum: `sha256:${hash.digest('hex')}` };
}

/** PUTs a file to its signed URL. Throws with S3's error code when it is refused. */
export async function putFile(file: string, upload: SignedUpload): Promise<string | null> {
  const { 'Content-Length': _, ...headers } = upload.headers; // fetch sets it from the blob
  const response = await fetch(upload.uploadUrl, {
    method: upload.method,
    headers,
    body: await openAsBlob(file),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`S3 ${response.status} ${/<Code>(.*?)<\/Code>/.exec(text)?.[1] ?? text}`);
  return response.headers.get('etag');
}

/** The listing-media REST API, as a frontend uses it. */
export function createClient({ apiUrl, token }: { apiUrl: string; token: string }) {
  const base = `${apiUrl}/api/v2/listings/media`;

  /** Any request; never throws for a status. */
  async function request<T>(method: string, route: string, body?: unknown): Promise<Answer<T>> {
    const response = await fetch(base + route, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    // the caller names the shape that the route documents
    return { status: response.status, headers: response.headers, body: (text ? JSON.parse(text) : {}) as T };
  }

  async function post<T>(route: string, body: unknown): Promise<T> {
    const answer = await request<T>('POST', route, body);
    if (answer.status >= 400) throw new RefusedError(`POST ${route}`, answer as Answer);
    return answer.body;
  }

  return {
    request,
    post,

    openUploads: (manifest: {
      listingIdentityId: number;
      batchReference?: string;
      batchId?: string;
      files: ManifestFile[];
    }) => post<{ batchId: string; files: SignedUpload[] }>('/uploads', manifest),

    process: (batch: Batch) => post<Job>('/uploads/process', batch),
    complete: (batch: Batch) => post<Job>('/uploads/complete', batch),
    retry: (batch: Batch) => post<Job>('/uploads/retry', batch),
    status: (batch: Batch) => post<Status>('/uploads/status', batch),
    downloads: (batch: Partial<Batch> & { listingIdentityId: number }) =>
      post<Downloads>('/downloads/query', batch),

    /** Polls until `done`, telling each status on the way. Throws when `seconds` have passed. */
    async until(
      batch: Batch,
      done: (status: Status) => boolean,
      { seconds = 300, intervalMs = 250, onStatus = (_: Status) => {} } = {},
    ): Promise<Status> {
      const end = performance.now() + seconds * 1000;
      for (;;) {
        const status = await post<Status>('/uploads/status', batch);
        onStatus(status);
        if (done(status)) return status;
        if (performance.now() > end) throw new Error(`still ${status.status} after ${seconds} s`);
        await sleep(intervalMs);
      }
    },
  };
}
export type Client = ReturnType<typeof createClient>;

export interface Batch {
  listingIdentityId: number;
  batchId: string;
}

export interface Job {
  batchId: string;
  jobId: number;
  status: string;
}

export interface Status {
  batchId: string;
  status: 'PENDING_UPLOAD' | 'RECEIVED' | 'PROCESSING' | 'READY' | 'FAILED';
  processing: {
    jobId: string | null;
    steps: { name: string; status: string; done?: number; total?: number }[];
  };
  availableDownloads: { type: string; ready: boolean }[];
  assets: {
    clientId: string;
    assetType: UploadType;
    sequence: number;
    title: string | null;
    status: string;
    errorCode?: string;
    errorMessage?: string;
  }[];
  error?: { code: string; detail: string };
}

export interface GalleryItem {
  label: string;
  title: string | null;
  sequence: number;
  url: string;
  resolution: string | null;
  bytes: number;
  durationSeconds?: number;
  sizes: Record<string, string>;
}

export interface Downloads {
  batchId: string;
  downloads: (
    | { type: 'ZIP_FULL'; url: string; bytes: number }
    | { type: UploadType; items: GalleryItem[] }
  )[];
}

/** The batch has come to rest. */
export const settled = (status: Status) => status.status === 'READY' || status.status === 'FAILED';
