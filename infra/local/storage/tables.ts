/** The rows behind Cloud Storage: buckets, object generations, notification configurations, uploads. */
import type Database from "libsql";
import { z } from "zod";
import {
  bucketResource,
  notificationResource,
  objectResource,
  type BucketResource,
  type NotificationResource,
} from "./resources.js";

const json = z.string().transform((text): unknown => JSON.parse(text));

const objectRow = z
  .object({
    generation: z.number(),
    live: z.number(),
    file: z.string(),
    resource: json.pipe(objectResource),
  })
  .transform(({ live, ...rest }) => ({ ...rest, isLive: live === 1 }));

/** One generation of an object: its resource and the file that holds its body. */
export type StoredObject = z.infer<typeof objectRow>;

const uploadRow = z.object({
  id: z.string(),
  bucket: z.string(),
  name: z.string(),
  /** The API's insert parameters and metadata, kept until the last byte. */
  plan: json,
  finished_generation: z.number().nullable(),
});
/** A resumable upload session. */
export type StoredUpload = z.infer<typeof uploadRow>;

/** A place in a listing: everything after this name and generation. */
export interface ListingPosition {
  readonly name: string;
  readonly generation: number;
}

/** What a page of object rows is drawn from. */
export interface ListingScope {
  readonly bucket: string;
  readonly after: ListingPosition;
  /** First name that no longer belongs; undefined means to the end. */
  readonly before: string | undefined;
  readonly isWithVersions: boolean;
  readonly limit: number;
}

/** Typed access to the storage_* tables; every call is synchronous, so a transaction is a plain function. */
export interface StorageTables {
  transaction<Result>(work: () => Result): Result;
  bucket(name: string): BucketResource | undefined;
  buckets(project: string, prefix: string, after: string, limit: number): readonly BucketResource[];
  saveBucket(resource: BucketResource): void;
  deleteBucket(name: string): void;
  hasObjects(bucket: string): boolean;
  liveObject(bucket: string, name: string): StoredObject | undefined;
  object(bucket: string, name: string, generation: number): StoredObject | undefined;
  list(scope: ListingScope): readonly StoredObject[];
  saveObject(object: StoredObject): void;
  deleteObject(bucket: string, name: string, generation: number): void;
  hasFile(file: string): boolean;
  newestGeneration(): number;
  notifications(bucket: string): readonly NotificationResource[];
  notification(bucket: string, id: string): NotificationResource | undefined;
  /** Stores the configuration under the bucket's next number. */
  addNotification(draft: Omit<NotificationResource, "id">): NotificationResource;
  deleteNotification(bucket: string, id: string): boolean;
  upload(id: string): StoredUpload | undefined;
  saveUpload(upload: Omit<StoredUpload, "plan"> & { readonly plan: object }, nowMs: number): void;
  finishUpload(id: string, generation: number): void;
  deleteUpload(id: string): void;
  uploadsBefore(createdMs: number): readonly string[];
}

const schema = `
  CREATE TABLE IF NOT EXISTS storage_buckets (
    name TEXT PRIMARY KEY, project TEXT NOT NULL, notifications INTEGER NOT NULL DEFAULT 0,
    resource TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS storage_objects (
    bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, live INTEGER NOT NULL,
    file TEXT NOT NULL, resource TEXT NOT NULL, PRIMARY KEY (bucket, name, generation)) WITHOUT ROWID;
  CREATE UNIQUE INDEX IF NOT EXISTS storage_objects_live
    ON storage_objects (bucket, name) WHERE live = 1;
  CREATE UNIQUE INDEX IF NOT EXISTS storage_objects_file ON storage_objects (file);
  CREATE INDEX IF NOT EXISTS storage_objects_generation ON storage_objects (generation);
  CREATE TABLE IF NOT EXISTS storage_notifications (
    bucket TEXT NOT NULL, id INTEGER NOT NULL, resource TEXT NOT NULL,
    PRIMARY KEY (bucket, id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS storage_uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, plan TEXT NOT NULL,
    finished_generation INTEGER, created_ms INTEGER NOT NULL) WITHOUT ROWID;
`;

const objectColumns = "generation, live, file, resource";
const resourceRow = z.object({ resource: json });

const one = <Schema extends z.ZodType>(shape: Schema, found: unknown) =>
  found === undefined ? undefined : shape.parse(found);
const bucketOf = (found: unknown) => bucketResource.parse(resourceRow.parse(found).resource);
const notificationOf = (found: unknown) =>
  notificationResource.parse(resourceRow.parse(found).resource);

/** Creates the tables where they are missing and opens them. */
export const storageTables = (db: Database.Database): StorageTables => {
  db.exec(schema);
  const sql = {
    bucket: db.prepare("SELECT resource FROM storage_buckets WHERE name = ?"),
    buckets: db.prepare(
      `SELECT resource FROM storage_buckets
       WHERE project = ? AND name > ? AND substr(name, 1, length(?)) = ? ORDER BY name LIMIT ?`,
    ),
    saveBucket: db.prepare(
      `INSERT INTO storage_buckets (name, project, resource) VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET resource = excluded.resource`,
    ),
    deleteBucket: db.prepare("DELETE FROM storage_buckets WHERE name = ?"),
    deleteNotifications: db.prepare("DELETE FROM storage_notifications WHERE bucket = ?"),
    anyObject: db.prepare("SELECT 1 AS found FROM storage_objects WHERE bucket = ? LIMIT 1"),
    live: db.prepare(
      `SELECT ${objectColumns} FROM storage_objects WHERE bucket = ? AND name = ? AND live = 1`,
    ),
    object: db.prepare(
      `SELECT ${objectColumns} FROM storage_objects WHERE bucket = ? AND name = ? AND generation = ?`,
    ),
    list: db.prepare(
      `SELECT ${objectColumns} FROM storage_objects
       WHERE bucket = ? AND (name, generation) > (?, ?) AND (? IS NULL OR name < ?)
         AND (live = 1 OR ? = 1) ORDER BY name, generation LIMIT ?`,
    ),
    saveObject: db.prepare(
      `INSERT INTO storage_objects (bucket, name, generation, live, file, resource)
       VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (bucket, name, generation)
       DO UPDATE SET live = excluded.live, resource = excluded.resource`,
    ),
    deleteObject: db.prepare(
      "DELETE FROM storage_objects WHERE bucket = ? AND name = ? AND generation = ?",
    ),
    file: db.prepare("SELECT 1 AS found FROM storage_objects WHERE file = ?"),
    newest: db.prepare("SELECT coalesce(max(generation), 0) AS newest FROM storage_objects"),
    notifications: db.prepare(
      "SELECT resource FROM storage_notifications WHERE bucket = ? ORDER BY id",
    ),
    notification: db.prepare(
      "SELECT resource FROM storage_notifications WHERE bucket = ? AND id = ?",
    ),
    count: db.prepare(
      "UPDATE storage_buckets SET notifications = notifications + 1 WHERE name = ?",
    ),
    counted: db.prepare("SELECT notifications FROM storage_buckets WHERE name = ?"),
    addNotification: db.prepare("INSERT INTO storage_notifications VALUES (?, ?, ?)"),
    deleteNotification: db.prepare("DELETE FROM storage_notifications WHERE bucket = ? AND id = ?"),
    upload: db.prepare("SELECT * FROM storage_uploads WHERE id = ?"),
    saveUpload: db.prepare("INSERT INTO storage_uploads VALUES (?, ?, ?, ?, ?, ?)"),
    finishUpload: db.prepare("UPDATE storage_uploads SET finished_generation = ? WHERE id = ?"),
    deleteUpload: db.prepare("DELETE FROM storage_uploads WHERE id = ?"),
    oldUploads: db.prepare("SELECT id FROM storage_uploads WHERE created_ms < ?"),
  };

  return {
    transaction: (work) => db.transaction(work).immediate(),
    bucket: (name) => {
      const found = sql.bucket.get(name);
      return found === undefined ? undefined : bucketOf(found);
    },
    buckets: (project, prefix, after, limit) =>
      sql.buckets.all(project, after, prefix, prefix, limit).map(bucketOf),
    saveBucket: (resource) => {
      sql.saveBucket.run(resource.name, resource.project, JSON.stringify(resource));
    },
    deleteBucket: (name) => {
      sql.deleteNotifications.run(name);
      sql.deleteBucket.run(name);
    },
    hasObjects: (bucket) => sql.anyObject.get(bucket) !== undefined,
    liveObject: (bucket, name) => one(objectRow, sql.live.get(bucket, name)),
    object: (bucket, name, generation) => one(objectRow, sql.object.get(bucket, name, generation)),
    list: ({ bucket, after, before, isWithVersions, limit }) => {
      const end = before ?? null;
      const versions = isWithVersions ? 1 : 0;
      return z
        .array(objectRow)
        .parse(sql.list.all(bucket, after.name, after.generation, end, end, versions, limit));
    },
    saveObject: ({ resource, generation, isLive, file }) => {
      const { bucket, name } = resource;
      sql.saveObject.run(bucket, name, generation, isLive ? 1 : 0, file, JSON.stringify(resource));
    },
    deleteObject: (bucket, name, generation) => {
      sql.deleteObject.run(bucket, name, generation);
    },
    hasFile: (file) => sql.file.get(file) !== undefined,
    newestGeneration: () => z.object({ newest: z.number() }).parse(sql.newest.get()).newest,
    notifications: (bucket) => sql.notifications.all(bucket).map(notificationOf),
    notification: (bucket, id) => {
      const found = sql.notification.get(bucket, Number(id));
      return found === undefined ? undefined : notificationOf(found);
    },
    addNotification: (draft) => {
      sql.count.run(draft.bucket);
      const { notifications } = z
        .object({ notifications: z.number() })
        .parse(sql.counted.get(draft.bucket));
      const resource: NotificationResource = { id: String(notifications), ...draft };
      sql.addNotification.run(draft.bucket, notifications, JSON.stringify(resource));
      return resource;
    },
    deleteNotification: (bucket, id) => sql.deleteNotification.run(bucket, Number(id)).changes > 0,
    upload: (id) => one(uploadRow, sql.upload.get(id)),
    saveUpload: ({ id, bucket, name, plan, finished_generation }, nowMs) => {
      sql.saveUpload.run(id, bucket, name, JSON.stringify(plan), finished_generation, nowMs);
    },
    finishUpload: (id, generation) => {
      sql.finishUpload.run(generation, id);
    },
    deleteUpload: (id) => {
      sql.deleteUpload.run(id);
    },
    uploadsBefore: (createdMs) =>
      z
        .array(z.object({ id: z.string() }))
        .parse(sql.oldUploads.all(createdMs))
        .map(({ id }) => id),
  };
};

/** The narrowest string that sorts after every name with this prefix. */
export const afterPrefix = (prefix: string): string => `${prefix}\u{10FFFF}`;
