import { DatabaseSync } from 'node:sqlite';
import type { StoredObject, Upload, UploadedPart, Version } from './object.ts';

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS versions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    version_id TEXT NOT NULL,
    latest INTEGER NOT NULL,
    last_modified TEXT NOT NULL,
    object TEXT,
    UNIQUE (bucket, key, version_id)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS versions_in_order ON versions (bucket, key, sequence DESC);
  CREATE UNIQUE INDEX IF NOT EXISTS latest_version ON versions (bucket, key) WHERE latest = 1;
  CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    initiated TEXT NOT NULL,
    upload TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL REFERENCES uploads ON DELETE CASCADE,
    number INTEGER NOT NULL,
    part TEXT NOT NULL,
    PRIMARY KEY (upload_id, number)
  ) STRICT;
`;

type Row = Record<string, unknown>;

/** What was written by `JSON.stringify` of a T into a column that nothing else writes. */
const parse = <T>(column: unknown): T => JSON.parse(String(column));

function toVersion(row: Row): Version {
  const version = {
    key: String(row.key),
    versionId: String(row.version_id),
    latest: row.latest === 1,
    lastModified: String(row.last_modified),
  };
  return row.object === null ? version : { ...version, object: parse<StoredObject>(row.object) };
}

export type Catalogue = ReturnType<typeof openCatalogue>;

/**
 * Which objects, versions and uploads there are, in SQLite: a change is there as a whole or not at all, whenever the
 * process dies. TEXT compares by UTF-8 bytes, which is the order of S3's listings.
 */
export function openCatalogue(file: string) {
  const database = new DatabaseSync(file);
  database.exec(SCHEMA);
  const sql = {
    latest: database.prepare('SELECT * FROM versions WHERE bucket = ? AND key = ? AND latest = 1'),
    version: database.prepare('SELECT * FROM versions WHERE bucket = ? AND key = ? AND version_id = ?'),
    newest: database.prepare(
      'SELECT sequence FROM versions WHERE bucket = ? AND key = ? ORDER BY sequence DESC LIMIT 1',
    ),
    outdate: database.prepare('UPDATE versions SET latest = 0 WHERE bucket = ? AND key = ? AND latest = 1'),
    promote: database.prepare('UPDATE versions SET latest = 1 WHERE sequence = ?'),
    insert: database.prepare(
      'INSERT INTO versions (bucket, key, version_id, latest, last_modified, object) VALUES (?, ?, ?, 1, ?, ?)',
    ),
    rewrite: database.prepare(
      'UPDATE versions SET object = ? WHERE bucket = ? AND key = ? AND version_id = ?',
    ),
    remove: database.prepare('DELETE FROM versions WHERE bucket = ? AND key = ? AND version_id = ?'),
    objects: database.prepare(
      'SELECT * FROM versions WHERE bucket = ? AND latest = 1 AND object IS NOT NULL AND key >= ? AND key > ? ORDER BY key',
    ),
    versions: database.prepare(
      'SELECT * FROM versions WHERE bucket = ? AND key >= ? AND key > ? ORDER BY key, sequence DESC',
    ),
    versionsOf: database.prepare(
      'SELECT * FROM versions WHERE bucket = ? AND key = ? ORDER BY sequence DESC',
    ),
    everything: database.prepare('SELECT object FROM versions WHERE object IS NOT NULL'),
    upload: database.prepare('SELECT upload FROM uploads WHERE id = ?'),
    uploads: database.prepare(
      'SELECT upload FROM uploads WHERE bucket = ? AND key >= ? AND key > ? ORDER BY key, initiated, id',
    ),
    saveUpload: database.prepare('INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?)'),
    updateUpload: database.prepare('UPDATE uploads SET upload = ? WHERE id = ?'),
    dropUpload: database.prepare('DELETE FROM uploads WHERE id = ?'),
    forgetCompleted: database.prepare(
      "DELETE FROM uploads WHERE initiated < ? AND json_extract(upload, '$.completed') IS NOT NULL",
    ),
    parts: database.prepare('SELECT part FROM parts WHERE upload_id = ? ORDER BY number'),
    everyPart: database.prepare('SELECT part FROM parts'),
    savePart: database.prepare('INSERT OR REPLACE INTO parts VALUES (?, ?, ?)'),
    dropParts: database.prepare('DELETE FROM parts WHERE upload_id = ?'),
  };

  function transaction<T>(work: () => T): T {
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }

  function find(bucket: string, key: string, versionId?: string) {
    const row =
      versionId === undefined ? sql.latest.get(bucket, key) : sql.version.get(bucket, key, versionId);
    return row && toVersion(row);
  }

  const parts = (uploadId: string) => sql.parts.all(uploadId).map((row) => parse<UploadedPart>(row.part));

  return {
    transaction,

    /** The latest version, or the one asked for. */
    find,

    /** Makes a version (or a delete marker) the latest, in place of one with the same id; returns the one replaced. */
    add(bucket: string, { key, versionId, lastModified, object }: Omit<Version, 'latest'>) {
      const replaced = find(bucket, key, versionId);
      sql.remove.run(bucket, key, versionId);
      sql.outdate.run(bucket, key);
      sql.insert.run(bucket, key, versionId, lastModified, object ? JSON.stringify(object) : null);
      return replaced;
    },

    /** Removes a version for good; the one before it becomes the latest. */
    remove(bucket: string, key: string, versionId: string) {
      const removed = find(bucket, key, versionId);
      sql.remove.run(bucket, key, versionId);
      if (removed?.latest) sql.promote.run(Number(sql.newest.get(bucket, key)?.sequence ?? 0));
      return removed;
    },

    /** Replaces what is known of an object without making a new version. */
    rewrite(bucket: string, { key, versionId }: Version, object: StoredObject) {
      sql.rewrite.run(JSON.stringify(object), bucket, key, versionId);
    },

    /** Latest objects in key order, from `prefix` on and after `after`. */
    *objects(bucket: string, prefix: string, after: string) {
      for (const row of sql.objects.iterate(bucket, prefix, after)) yield toVersion(row);
    },

    /** All versions and delete markers, the newest of a key first. */
    *versions(bucket: string, prefix: string, after: string) {
      for (const row of sql.versions.iterate(bucket, prefix, after)) yield toVersion(row);
    },

    /** All versions and delete markers of one key, the newest first. */
    versionsOf: (bucket: string, key: string) => sql.versionsOf.all(bucket, key).map(toVersion),

    upload(id: string) {
      const row = sql.upload.get(id);
      return row && parse<Upload>(row.upload);
    },

    *uploads(bucket: string, prefix: string, after: string) {
      for (const row of sql.uploads.iterate(bucket, prefix, after)) yield parse<Upload>(row.upload);
    },

    beginUpload(upload: Upload) {
      sql.saveUpload.run(upload.id, upload.bucket, upload.key, upload.initiated, JSON.stringify(upload));
    },

    /** Remembers the result and forgets the parts. */
    finishUpload(upload: Upload, completed: NonNullable<Upload['completed']>) {
      sql.updateUpload.run(JSON.stringify({ ...upload, completed }), upload.id);
      sql.dropParts.run(upload.id);
    },

    dropUpload(id: string) {
      sql.dropParts.run(id);
      sql.dropUpload.run(id);
    },

    parts,

    savePart(uploadId: string, part: UploadedPart) {
      sql.savePart.run(uploadId, part.number, JSON.stringify(part));
    },

    /** Forgets the results of uploads that began before `instant` (ISO 8601) and are completed. */
    forgetCompleted(instant: string) {
      sql.forgetCompleted.run(instant);
    },

    /** Every blob that an object or a part refers to. */
    blobs() {
      const objects = sql.everything.all().flatMap((row) => parse<StoredObject>(row.object).segments);
      const waiting = sql.everyPart.all().map((row) => parse<UploadedPart>(row.part));
      return new Set([...objects, ...waiting].map(({ blob }) => blob));
    },

    close: () => database.close(),
  };
}
