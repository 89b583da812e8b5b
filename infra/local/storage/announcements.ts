/** Object changes told to Pub/Sub, https://cloud.google.com/storage/docs/pubsub-notifications */
import type { CloudContext } from "../cloud.js";
import type { Outbox } from "./outbox.js";
import { showObject, type NotificationResource, type ObjectResource } from "./resources.js";
import type { StorageTables } from "./tables.js";

/** The event types a configuration may choose from. */
export const eventTypes = [
  "OBJECT_FINALIZE",
  "OBJECT_METADATA_UPDATE",
  "OBJECT_DELETE",
  "OBJECT_ARCHIVE",
] as const;

/** What happened to an object, and which generation took or lost its place. */
export interface ObjectChange {
  readonly eventType: (typeof eventTypes)[number];
  readonly resource: ObjectResource;
  readonly overwroteGeneration?: string;
  readonly overwrittenByGeneration?: string;
}

const isWanted = (config: NotificationResource, change: ObjectChange): boolean =>
  (config.event_types === undefined ||
    config.event_types.length === 0 ||
    config.event_types.includes(change.eventType)) &&
  change.resource.name.startsWith(config.object_name_prefix ?? "");

/** `projects/P/topics/T` of a configuration's `//pubsub.googleapis.com/projects/P/topics/T`. */
export const topicOf = (config: Pick<NotificationResource, "topic">): string =>
  config.topic.replace(/^\/\/pubsub\.googleapis\.com\//, "");

/** Queues the messages for a change; called inside the transaction that makes the change. */
export type Announce = (change: ObjectChange) => void;

/** Makes the announcer that fills the outbox. */
export const announcer =
  (context: CloudContext, tables: StorageTables, outbox: Outbox): Announce =>
  ({ eventType, resource, overwroteGeneration, overwrittenByGeneration }) => {
    const { bucket, name, generation } = resource;
    const eventTime = new Date(context.now()).toISOString();
    for (const config of tables.notifications(bucket)) {
      if (!isWanted(config, { eventType, resource })) continue;
      const isWithBody = config.payload_format === "JSON_API_V1";
      outbox.add(topicOf(config), {
        data: isWithBody
          ? Buffer.from(JSON.stringify(showObject(resource, context.address())))
          : Buffer.alloc(0),
        attributes: {
          ...config.custom_attributes,
          notificationConfig: `projects/_/buckets/${bucket}/notificationConfigs/${config.id}`,
          eventType,
          payloadFormat: config.payload_format,
          bucketId: bucket,
          objectId: name,
          objectGeneration: generation,
          eventTime,
          ...(overwroteGeneration === undefined ? {} : { overwroteGeneration }),
          ...(overwrittenByGeneration === undefined ? {} : { overwrittenByGeneration }),
        },
      });
    }
  };
