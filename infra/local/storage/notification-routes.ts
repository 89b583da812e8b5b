/** Notification configurations of a bucket: create, get, list, delete. */
import { z } from "zod";
import { eventTypes } from "./announcements.js";
import { invalid, notFound } from "./errors.js";
import { param, readJson, reply, replyEmpty, type Call, type StorageRoute } from "./http.js";
import { notificationResource, showNotification } from "./resources.js";
import type { StorageTables } from "./tables.js";

const draftSchema = notificationResource
  .omit({ id: true, bucket: true })
  .extend({ event_types: z.array(z.enum(eventTypes)).optional() });

const topicPattern = /^\/\/pubsub\.googleapis\.com\/projects\/[^/]+\/topics\/[^/]+$/;

const missing = (call: Call) =>
  notFound(`Notification ${param(call, "id")} of bucket ${param(call, "bucket")} does not exist.`);

/** The routes for notification configurations. */
export const notificationRoutes = (tables: StorageTables): readonly StorageRoute[] => {
  const requireBucket = (call: Call): string => {
    const name = param(call, "bucket");
    if (tables.bucket(name) === undefined) {
      throw notFound("The specified bucket does not exist.");
    }
    return name;
  };

  const create = async (call: Call): Promise<void> => {
    const bucket = requireBucket(call);
    const draft = await readJson(call.request, draftSchema);
    if (!topicPattern.test(draft.topic)) {
      throw invalid(
        `Invalid topic '${draft.topic}': write //pubsub.googleapis.com/projects/PROJECT/topics/TOPIC.`,
      );
    }
    const resource = tables.transaction(() => tables.addNotification({ bucket, ...draft }));
    reply(call, showNotification(resource, call.address));
  };

  const list = (call: Call): void => {
    const items = tables
      .notifications(requireBucket(call))
      .map((config) => showNotification(config, call.address));
    reply(call, { kind: "storage#notifications", ...(items.length === 0 ? {} : { items }) });
  };

  const get = (call: Call): void => {
    const found = tables.notification(requireBucket(call), param(call, "id"));
    if (found === undefined) throw missing(call);
    reply(call, showNotification(found, call.address));
  };

  const remove = (call: Call): void => {
    if (!tables.deleteNotification(requireBucket(call), param(call, "id"))) throw missing(call);
    replyEmpty(call);
  };

  return [
    { method: "POST", path: "b/:bucket/notificationConfigs", handle: create },
    { method: "GET", path: "b/:bucket/notificationConfigs", handle: list },
    { method: "GET", path: "b/:bucket/notificationConfigs/:id", handle: get },
    { method: "DELETE", path: "b/:bucket/notificationConfigs/:id", handle: remove },
  ];
};
