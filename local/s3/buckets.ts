import { s3Error } from './errors.ts';
import { sendEmpty, sendXml } from './reply.ts';
import type { Exchange } from './request.ts';
import { findBucket, type Store } from './store.ts';

/** Buckets come from the program, which does not say when. */
const CREATED = '2026-01-01T00:00:00.000Z';

export async function listBuckets(store: Store, { response }: Exchange) {
  const names = [...store.buckets.keys()].sort();
  const buckets = names.map((Name) => ({ Name, CreationDate: CREATED, BucketRegion: store.region }));
  sendXml(response, 'ListAllMyBucketsResult', { Buckets: { Bucket: buckets } });
}

export async function headBucket(store: Store, { request, response }: Exchange) {
  findBucket(store, request.bucket);
  response.setHeader('x-amz-bucket-region', store.region);
  sendEmpty(response, 200);
}

export async function getBucketLocation(store: Store, { request, response }: Exchange) {
  findBucket(store, request.bucket);
  // us-east-1 has no location constraint.
  sendXml(response, 'LocationConstraint', store.region === 'us-east-1' ? '' : store.region);
}

export async function getBucketVersioning(store: Store, { request, response }: Exchange) {
  const { versioned } = findBucket(store, request.bucket);
  sendXml(response, 'VersioningConfiguration', { Status: versioned ? 'Enabled' : undefined });
}

export async function getBucketCors(store: Store, { request, response }: Exchange) {
  const { cors } = findBucket(store, request.bucket);
  if (cors.length === 0) throw s3Error('NoSuchCORSConfiguration', { BucketName: request.bucket });
  sendXml(response, 'CORSConfiguration', {
    CORSRule: cors.map((rule) => ({
      AllowedOrigin: rule.allowedOrigins,
      AllowedMethod: rule.allowedMethods,
      AllowedHeader: rule.allowedHeaders,
      ExposeHeader: rule.exposeHeaders,
      MaxAgeSeconds: rule.maxAgeSeconds,
    })),
  });
}
