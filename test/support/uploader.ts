import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import {
  type Batch,
  type Client,
  describeFile,
  type LocalFile,
  putFile,
  type SignedUpload,
  settled,
} from '../../local/client.ts';
import { saveGallery } from '../../local/gallery.ts';

/** A listing, which gets a new batch, or a batch of it that is there already. */
type Destination = Omit<Batch, 'batchId'> & Partial<Batch>;

/** PUTs the one of the files that the URL is for. */
export async function put(signed: SignedUpload, files: LocalFile[]) {
  const file = files.find(({ clientId }) => clientId === signed.clientId);
  if (!file) throw new Error(`no such file: ${signed.clientId}`);
  await putFile(file.path, signed);
}

/** Somebody with files for a listing; galleries are saved below the folder. */
export function uploaderOf(client: Client, folder: string) {
  /** Asks for the files' URLs and uploads nothing. */
  async function open(to: Destination, files: LocalFile[]) {
    const reference = to.batchId ? {} : { batchReference: randomUUID() };
    return client.openUploads({ ...to, ...reference, files: await Promise.all(files.map(describeFile)) });
  }

  async function upload(to: Destination, files: LocalFile[]): Promise<Batch> {
    const { batchId, files: opened } = await open(to, files);
    await Promise.all(opened.map((signed) => put(signed, files)));
    return { listingIdentityId: to.listingIdentityId, batchId };
  }

  /** The status in which the batch comes to rest. */
  const rest = (batch: Batch) => client.until(batch, settled, { seconds: 120 });

  /** Completes the batch, and waits for its rest. */
  async function finish(batch: Batch) {
    await client.complete(batch);
    return rest(batch);
  }

  const gallery = async (batch: Batch) =>
    saveGallery(await client.downloads(batch), await mkdtemp(path.join(folder, 'gallery-')));

  return { client, open, upload, rest, finish, gallery };
}
