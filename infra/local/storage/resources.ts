/** The JSON resources of Cloud Storage as they are kept; links and etags are added when they are shown. */
import { z } from "zod";

const flag = z.boolean().optional();
const text = z.string().optional();

/** What a caller may set on an object. */
export const settableObjectFields = z.object({
  contentType: text,
  contentEncoding: text,
  contentDisposition: text,
  contentLanguage: text,
  cacheControl: text,
  customTime: text,
  temporaryHold: flag,
  eventBasedHold: flag,
  metadata: z.record(z.string(), z.string()).optional(),
});
/** What a caller may set on an object. */
export type SettableObjectFields = z.infer<typeof settableObjectFields>;

/** An object's resource without its links. */
export const objectResource = settableObjectFields.extend({
  name: z.string(),
  bucket: z.string(),
  generation: z.string(),
  metageneration: z.string(),
  size: z.string(),
  crc32c: z.string(),
  md5Hash: text,
  componentCount: z.number().optional(),
  storageClass: z.string(),
  timeCreated: z.string(),
  updated: z.string(),
  timeStorageClassUpdated: z.string(),
  timeFinalized: z.string(),
  timeDeleted: text,
  retentionExpirationTime: text,
});
/** An object's resource without its links. */
export type ObjectResource = z.infer<typeof objectResource>;

/** What a caller may set on a bucket; cors, website and the fields after them are kept and change nothing here. */
export const settableBucketFields = z.object({
  labels: z.record(z.string(), z.string()).optional(),
  versioning: z.object({ enabled: z.boolean().optional() }).optional(),
  retentionPolicy: z
    .object({ retentionPeriod: z.string().or(z.number()).transform(String) })
    .optional(),
  defaultEventBasedHold: flag,
  storageClass: text,
  cors: z.array(z.unknown()).optional(),
  website: z.unknown().optional(),
  iamConfiguration: z.unknown().optional(),
  softDeletePolicy: z.unknown().optional(),
  autoclass: z.unknown().optional(),
});
/** What a caller may set on a bucket. */
export type SettableBucketFields = z.infer<typeof settableBucketFields>;

/** Bucket fields whose behaviour is not built here; asking for one is refused rather than ignored. */
export const refusedBucketFields = [
  "lifecycle",
  "encryption",
  "logging",
  "billing",
  "hierarchicalNamespace",
  "objectRetention",
] as const;

/** A bucket's resource without its links. */
export const bucketResource = settableBucketFields.extend({
  name: z.string(),
  project: z.string(),
  location: z.string(),
  locationType: z.string(),
  storageClass: z.string(),
  metageneration: z.string(),
  timeCreated: z.string(),
  updated: z.string(),
});
/** A bucket's resource without its links. */
export type BucketResource = z.infer<typeof bucketResource>;

/** A subscription of a Pub/Sub topic to a bucket's changes. */
export const notificationResource = z.object({
  id: z.string(),
  bucket: z.string(),
  topic: z.string(),
  payload_format: z.enum(["JSON_API_V1", "NONE"]),
  event_types: z.array(z.string()).optional(),
  object_name_prefix: text,
  custom_attributes: z.record(z.string(), z.string()).optional(),
});
/** A subscription of a Pub/Sub topic to a bucket's changes. */
export type NotificationResource = z.infer<typeof notificationResource>;

const varint = (value: bigint): number[] => {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
};

/** The real service's etag: a little protobuf message of generation and metageneration, in base64. */
export const objectEtag = (generation: string, metageneration: string): string =>
  Buffer.from([8, ...varint(BigInt(generation)), 16, ...varint(BigInt(metageneration))]).toString(
    "base64",
  );

const bucketEtag = (metageneration: string): string =>
  Buffer.from([8, ...varint(BigInt(metageneration))]).toString("base64");

const enc = encodeURIComponent;

/** The object as the API shows it. */
export const showObject = (resource: ObjectResource, address: string): object => {
  const { bucket, name, generation } = resource;
  const path = `storage/v1/b/${enc(bucket)}/o/${enc(name)}`;
  return {
    kind: "storage#object",
    id: `${bucket}/${name}/${generation}`,
    selfLink: `${address}/${path}`,
    mediaLink: `${address}/download/${path}?generation=${generation}&alt=media`,
    ...resource,
    etag: objectEtag(generation, resource.metageneration),
  };
};

/** The bucket as the API shows it. */
export const showBucket = (
  resource: BucketResource,
  address: string,
  projectNumber: string,
): object => ({
  kind: "storage#bucket",
  id: resource.name,
  selfLink: `${address}/storage/v1/b/${enc(resource.name)}`,
  ...resource,
  // The API names the owner by number only; the id is kept to list by.
  project: undefined,
  projectNumber,
  etag: bucketEtag(resource.metageneration),
});

/** The notification configuration as the API shows it. */
export const showNotification = (
  { bucket, ...resource }: NotificationResource,
  address: string,
): object => ({
  kind: "storage#notification",
  selfLink: `${address}/storage/v1/b/${enc(bucket)}/notificationConfigs/${resource.id}`,
  ...resource,
  etag: resource.id,
});
