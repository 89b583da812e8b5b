/** The bucket of artifacts, and that of audit heads. */
import { z } from "zod";
import { auditBucketOf, baseUrl, type GcpConfig } from "./config.js";
import { asCloudError, attempting } from "./errors.js";
import type { Objects } from "../ports/objects.js";
import { restClient, type Rest } from "./rest.js";
import { storageObjects } from "./storage-objects.js";
import {
  ownerLabel,
  type Changes,
  type ProvisionedFile,
  type ProvisionOptions,
} from "./topology.js";

const bytesMax = 64_000_000;
/** As long as the journal keeps its records; terraform keeps and locks what it makes for longer. */
const auditRetention = { retentionPolicy: { retentionPeriod: String(30 * 86_400) } };

const notifications = z.object({
  items: z
    .array(z.object({ topic: z.string(), object_name_prefix: z.string().optional() }))
    .default([]),
});

const ensureNotification = async (
  rest: Rest,
  config: GcpConfig,
  { prefix, topic }: NonNullable<ProvisionOptions["notification"]>,
): Promise<Changes> => {
  const url = `${baseUrl(config, "storage")}/storage/v1/b/${config.bucket}/notificationConfigs`;
  const path = `projects/${config.projectId}/topics/${topic}`;
  const { items } = notifications.parse(await rest.json({ method: "GET", url }));
  const isThere = items.some(
    (item) => item.topic.endsWith(path) && item.object_name_prefix === prefix,
  );
  if (isThere) return [];
  const body = {
    topic: `//pubsub.googleapis.com/${path}`,
    payload_format: "JSON_API_V1",
    event_types: ["OBJECT_FINALIZE"],
    object_name_prefix: prefix,
  };
  await rest.call({ method: "POST", url, body });
  return [`created notification of gs://${config.bucket}/${prefix} to topic ${topic}`];
};

const ensureBucket = async (
  rest: Rest,
  config: GcpConfig,
  name: string,
  retention: { readonly retentionPolicy?: { readonly retentionPeriod: string } } = {},
): Promise<Changes> => {
  const url = `${baseUrl(config, "storage")}/storage/v1/b`;
  try {
    await rest.call({ method: "GET", url: `${url}/${name}` });
    return [];
  } catch (error) {
    if (asCloudError(error).status !== "NOT_FOUND") throw error;
  }
  await rest.call({
    method: "POST",
    url,
    query: { project: config.projectId },
    body: {
      ...retention,
      name,
      location: config.region.toUpperCase(),
      iamConfiguration: {
        uniformBucketLevelAccess: { enabled: true },
        publicAccessPrevention: "enforced",
      },
      labels: { ...ownerLabel },
    },
  });
  return [`created bucket ${name}`];
};

const ensureFile = async (
  objects: Objects,
  config: GcpConfig,
  { name, body, contentType }: ProvisionedFile,
): Promise<Changes> => {
  const uri = `gs://${config.bucket}/${name}`;
  const found = await objects.read(uri, bytesMax);
  if (found?.equals(body) === true) return [];
  await objects.write(uri, body, contentType);
  return [`wrote ${uri}`];
};

/** Makes the buckets, the files of the first, and its notification where one is wanted. */
export const provisionBucket = (
  config: GcpConfig,
  { notification, files = [] }: Partial<ProvisionOptions> = {},
): Promise<Changes> =>
  attempting(`provision bucket ${config.bucket}`, async () => {
    const rest = restClient(config);
    const bucket = await ensureBucket(rest, config, config.bucket);
    const audit = await ensureBucket(rest, config, auditBucketOf(config), auditRetention);
    const objects = storageObjects(config, rest);
    const written = await Promise.all(files.map((file) => ensureFile(objects, config, file)));
    const notified =
      notification === undefined ? [] : await ensureNotification(rest, config, notification);
    return [...bucket, ...audit, ...written.flat(), ...notified];
  });
