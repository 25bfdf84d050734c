import { PassThrough } from 'node:stream';
import type { z } from 'zod';
import { type MachineInput, Zip } from '../statemachines/contracts.ts';
import { bundleEntry, bundleKey } from '../statemachines/object-keys.ts';
import { bundle, uniqueNames } from './media/bundle.ts';
import { mediaObjects, type Objects, s3Client } from './objects.ts';
import { task } from './task.ts';

/**
 * Writes the originals, in the order given, into the listing's bundle: streamed from S3 to S3. Until all of it is
 * there, the former bundle stays as it is.
 */
export const zip =
  (objects: Objects) =>
  async ({ assets, listingIdentityId }: MachineInput): Promise<z.input<typeof Zip.output>> => {
    const key = bundleKey(listingIdentityId);
    const names = uniqueNames(assets.map((asset) => bundleEntry(asset.key)));
    const sources = assets.map((asset, index) => ({
      name: names[index] ?? asset.key,
      open: () => objects.open(asset.key),
    }));

    const archive = new PassThrough();
    const upload = objects.upload(key, archive, 'application/zip').catch((error: Error) => {
      archive.destroy(error);
      throw error;
    });
    const [written, uploaded] = await Promise.allSettled([bundle(sources, archive), upload]);
    if (written.status === 'rejected') throw written.reason;
    if (uploaded.status === 'rejected') throw uploaded.reason;
    return {
      zipKey: key,
      zipBundles: [key],
      assetsZipped: assets.length,
      zipSizeBytes: written.value.zipBytes,
      unzippedSizeBytes: written.value.unzippedBytes,
    };
  };

/** An original that is opened ahead may have to wait, idle, for as long as the one before it is being written. */
const patient = { requestHandler: { connectionTimeout: 3_000, socketTimeout: 120_000 } };

export const handler = task('zip', Zip, (environment) =>
  zip(mediaObjects(environment.MEDIA_BUCKET, s3Client(patient))),
);
