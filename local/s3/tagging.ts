import { z } from 'zod';
import { checkTags } from './description.ts';
import { readXml } from './documents.ts';
import type { Tag } from './object.ts';
import { findReadable } from './objects.ts';
import { sendEmpty, sendVersionId, sendXml } from './reply.ts';
import type { Exchange } from './request.ts';
import { findBucket, type Store } from './store.ts';

const TaggingDocument = z.object({
  Tagging: z.object({
    // An empty TagSet is empty text to the parser.
    TagSet: z.union([
      z.object({ Tag: z.array(z.object({ Key: z.string(), Value: z.string() })) }),
      z.literal(''),
    ]),
  }),
});

function replaceTags(store: Store, exchange: Exchange, tags: Tag[]) {
  const version = findReadable(store, exchange);
  store.catalogue.rewrite(exchange.request.bucket, version, { ...version.object, tags });
  sendVersionId(exchange.response, findBucket(store, exchange.request.bucket), version);
}

export async function getObjectTagging(store: Store, exchange: Exchange) {
  const version = findReadable(store, exchange);
  sendVersionId(exchange.response, findBucket(store, exchange.request.bucket), version);
  const tags = version.object.tags.map(({ key, value }) => ({ Key: key, Value: value }));
  sendXml(exchange.response, 'Tagging', { TagSet: { Tag: tags } });
}

export async function putObjectTagging(store: Store, exchange: Exchange) {
  const { Tagging } = await readXml(exchange.request, TaggingDocument);
  const tags = Tagging.TagSet === '' ? [] : Tagging.TagSet.Tag;
  replaceTags(store, exchange, checkTags(tags.map(({ Key, Value }) => ({ key: Key, value: Value }))));
  sendEmpty(exchange.response, 200);
}

export async function deleteObjectTagging(store: Store, exchange: Exchange) {
  replaceTags(store, exchange, []);
  sendEmpty(exchange.response, 204);
}
