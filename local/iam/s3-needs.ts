import { parseTimestamp } from '../authorization.ts';
import { readQuery, uriDecode } from '../canonical-request.ts';
import type { SignedRequest } from '../door.ts';
import { readRequest, type S3Request } from '../s3/request.ts';
import { type Operation, operationOf } from '../s3/routes.ts';
import type { Inventory } from './inventory.ts';
import type { Context, Need } from './need.ts';

const SSE = 'x-amz-server-side-encryption';
const SSE_KEY = `${SSE}-aws-kms-key-id`;

/** Everything that the operations below ask of a request. */
interface Asked {
  inventory: Inventory;
  request: S3Request;
  bucketArn: string;
  objectArn: string;
  context: Context;
  /** `s3:GetObject`, and of a named version `s3:GetObjectVersion` */
  object(action: string): Need[];
  bucket(action: string): Need[];
  tags(): Need[];
  /** of the object's own encryption */
  key(...actions: ('Decrypt' | 'GenerateDataKey')[]): Need[];
  /** of the key that the request or the bucket's default chooses */
  newKey(): Need[];
  source(): Need[];
}

/** A header, or in a presigned URL the query parameter that stands for it. */
const given = ({ header, query }: S3Request, name: string) => header(name) ?? query.get(name);

const named = (arn: string, key: string) => `${arn}/${key}`;

/** Milliseconds since a presigned URL was signed; a request that is signed in its headers has no such age. */
const ageOf = (timestamp = '') => {
  const signedAt = parseTimestamp(timestamp);
  return signedAt && String(Date.now() - signedAt.getTime());
};

/** Condition keys of S3 (Service Authorization Reference, "Condition keys for Amazon S3"). */
function contextOf(request: S3Request): Context {
  const { signed, query } = request;
  const tags = readQuery(given(request, 'x-amz-tagging') ?? '');
  const known: Record<string, string | undefined> = {
    's3:authType': signed.presigned ? 'REST-QUERY-STRING' : 'REST-HEADER',
    's3:signatureversion': 'AWS4-HMAC-SHA256',
    's3:signatureAge': signed.presigned ? ageOf(query.get('X-Amz-Date')) : undefined,
    's3:x-amz-content-sha256': signed.payloadHash,
    [`s3:${SSE}`]: given(request, SSE),
    [`s3:${SSE_KEY}`]: given(request, SSE_KEY),
    's3:x-amz-acl': given(request, 'x-amz-acl'),
    's3:x-amz-copy-source': request.header('x-amz-copy-source'),
    's3:x-amz-storage-class': given(request, 'x-amz-storage-class'),
    's3:VersionId': query.get('versionId'),
    's3:prefix': query.get('prefix'),
    's3:delimiter': query.get('delimiter'),
    's3:max-keys': query.get('max-keys'),
  };
  const context: Context = {};
  for (const [key, value] of Object.entries(known)) if (value !== undefined) context[key] = value;
  for (const [key, value] of tags) context[`s3:RequestObjectTag/${key}`] = value;
  if (tags.length) context['s3:RequestObjectTagKeys'] = tags.map(([key]) => key);
  return context;
}

function ask(request: S3Request, inventory: Inventory): Asked {
  const context = contextOf(request);
  const bucketArn = `arn:aws:s3:::${request.bucket}`;
  const objectArn = named(bucketArn, request.key);
  const keyOf = (bucket: string) => inventory.bucket(bucket)?.kmsKeyArn;
  // with a bucket key, the bucket is the encryption context of all of its objects
  const keyNeeds = (keyArn: string | undefined, ...actions: ('Decrypt' | 'GenerateDataKey')[]) =>
    inventory.keyNeeds('s3', keyArn, { 'aws:s3:arn': bucketArn }, ...actions);
  const versioned = (version: string | undefined) => (version === undefined ? '' : 'Version');
  return {
    inventory,
    request,
    bucketArn,
    objectArn,
    context,
    object: (action) => [{ action: `s3:${action}`, resource: objectArn, context }],
    bucket: (action) => [{ action: `s3:${action}`, resource: bucketArn, context }],
    tags: () =>
      given(request, 'x-amz-tagging') === undefined
        ? []
        : [{ action: 's3:PutObjectTagging', resource: objectArn, context }],
    key: (...actions) => keyNeeds(keyOf(request.bucket), ...actions),
    newKey() {
      const algorithm = given(request, SSE);
      if (algorithm !== undefined && !algorithm.startsWith('aws:kms')) return [];
      return keyNeeds(given(request, SSE_KEY) ?? keyOf(request.bucket), 'GenerateDataKey');
    },
    source() {
      const header = request.header('x-amz-copy-source') ?? '';
      const [path = '', version] = header.replace(/^\//, '').split('?versionId=');
      const [bucket = '', ...key] = path.split('/');
      const arn = `arn:aws:s3:::${uriDecode(bucket)}`;
      const resource = named(arn, uriDecode(key.join('/')));
      const source: Context = {};
      if (version !== undefined) source['s3:VersionId'] = version;
      const keepsTags =
        request.query.has('uploadId') || request.header('x-amz-tagging-directive') === 'REPLACE'
          ? []
          : [
              { action: `s3:GetObject${versioned(version)}Tagging`, resource, context: source },
              { action: 's3:PutObjectTagging', resource: objectArn, context },
            ];
      return [
        { action: `s3:GetObject${versioned(version)}`, resource, context: source },
        ...keepsTags,
        ...inventory.keyNeeds('s3', keyOf(uriDecode(bucket)), { 'aws:s3:arn': arn }, 'Decrypt'),
      ];
    },
  };
}

const ofVersion = ({ request }: Asked, action: string, rest = '') =>
  `${action}${request.query.has('versionId') ? 'Version' : ''}${rest}`;

const acl = ({ request, object }: Asked) =>
  given(request, 'x-amz-acl') === undefined ? [] : object('PutObjectAcl');

/**
 * Amazon S3 user guide, "Required permissions for Amazon S3 API operations"; for multipart uploads with a key, "Protecting
 * data with server-side encryption": parts are encrypted with the data key of the upload, which Decrypt unwraps.
 */
const NEEDS: Record<Operation, (asked: Asked) => Need[]> = {
  ListBuckets: () => [{ action: 's3:ListAllMyBuckets', resource: '*' }],
  HeadBucket: ({ bucket }) => bucket('ListBucket'),
  GetBucketCors: ({ bucket }) => bucket('GetBucketCORS'),
  GetBucketLocation: ({ bucket }) => bucket('GetBucketLocation'),
  GetBucketVersioning: ({ bucket }) => bucket('GetBucketVersioning'),
  ListObjectsV2: ({ bucket }) => bucket('ListBucket'),
  ListObjectVersions: ({ bucket }) => bucket('ListBucketVersions'),
  ListMultipartUploads: ({ bucket }) => bucket('ListBucketMultipartUploads'),
  // asked for each object by S3 itself, which alone knows them: a refused one does not fail the request
  DeleteObjects: () => [],
  PutObject: (asked) => [...asked.object('PutObject'), ...asked.tags(), ...acl(asked), ...asked.newKey()],
  CopyObject: (asked) => [
    ...asked.source(),
    ...asked.object('PutObject'),
    ...asked.tags(),
    ...acl(asked),
    ...asked.newKey(),
  ],
  GetObject: (asked) => [...asked.object(ofVersion(asked, 'GetObject')), ...asked.key('Decrypt')],
  HeadObject: (asked) => [
    ...asked.object(ofVersion(asked, 'GetObject')),
    // the checksum is encrypted as the object is
    ...(given(asked.request, 'x-amz-checksum-mode') === undefined ? [] : asked.key('Decrypt')),
  ],
  DeleteObject: (asked) => asked.object(ofVersion(asked, 'DeleteObject')),
  GetObjectAttributes: (asked) => [
    ...asked.object(ofVersion(asked, 'GetObject')),
    ...asked.object(ofVersion(asked, 'GetObject', 'Attributes')),
    ...asked.key('Decrypt'),
  ],
  GetObjectTagging: (asked) => asked.object(ofVersion(asked, 'GetObject', 'Tagging')),
  PutObjectTagging: (asked) => asked.object(ofVersion(asked, 'PutObject', 'Tagging')),
  DeleteObjectTagging: (asked) => asked.object(ofVersion(asked, 'DeleteObject', 'Tagging')),
  CreateMultipartUpload: (asked) => [
    ...asked.object('PutObject'),
    ...asked.tags(),
    ...acl(asked),
    ...asked.newKey(),
  ],
  UploadPart: (asked) => [...asked.object('PutObject'), ...asked.key('Decrypt')],
  UploadPartCopy: (asked) => [...asked.source(), ...asked.object('PutObject'), ...asked.key('Decrypt')],
  CompleteMultipartUpload: (asked) => [...asked.object('PutObject'), ...asked.key('Decrypt')],
  AbortMultipartUpload: ({ object }) => object('AbortMultipartUpload'),
  ListParts: ({ object }) => object('ListMultipartUploadParts'),
};

/** What a request to S3 needs. Nothing where there is no such bucket or operation: S3 says so to anybody. */
export function s3Needs(signed: SignedRequest, inventory: Inventory): Need[] {
  const request = readRequest(signed);
  const operation = operationOf(request);
  if (!operation || (request.bucket !== '' && !inventory.bucket(request.bucket))) return [];
  return NEEDS[operation](ask(request, inventory));
}

/** What it takes to be told that an object does not exist; S3 takes its key for the prefix. */
export const missingNeed = (bucket: string, key: string): Need => ({
  action: 's3:ListBucket',
  resource: `arn:aws:s3:::${bucket}`,
  context: { 's3:prefix': key },
});

/** What it takes to delete one object of a DeleteObjects. */
export const deletionNeed = (bucket: string, key: string, versionId: string | undefined): Need => ({
  action: versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion',
  resource: `arn:aws:s3:::${bucket}/${key}`,
  ...(versionId !== undefined && { context: { 's3:VersionId': versionId } }),
});
