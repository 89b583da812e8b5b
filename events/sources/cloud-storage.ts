/** Cloud Storage notifications, https://cloud.google.com/storage/docs/pubsub-notifications */
import { z } from "zod";
import { datasetArrived } from "../dataset.js";
import { problemText, type Message, type Reading } from "./message.js";

const attributes = z.looseObject({
  bucketId: z.string().min(1),
  objectId: z.string().min(1),
  objectGeneration: z.string().regex(/^\d+$/),
  eventType: z.string(),
  eventTime: z.string().optional(),
});

const object = z.looseObject({ crc32c: z.string().optional() }).catch({});

/** An object was finalised: one dataset version per object and generation. Other notifications mean nothing to us. */
export const cloudStorage = (message: Message): Reading => {
  if (!("bucketId" in message.attributes && "eventType" in message.attributes)) return null;
  const parsed = attributes.safeParse(message.attributes);
  if (!parsed.success) return { problem: problemText(parsed.error) };
  const { bucketId, objectId, objectGeneration, eventType, eventTime } = parsed.data;
  // A name that ends with a slash is the empty object by which consoles show a folder.
  if (eventType !== "OBJECT_FINALIZE" || objectId.endsWith("/")) return { events: [] };
  const uri = `gs://${bucketId}/${objectId}`;
  const { crc32c } = object.parse(message.body);
  const event = datasetArrived.safeParse({
    specversion: "1.0",
    type: "dataset.arrived",
    id: `${bucketId}/${objectId}/${objectGeneration}`,
    source: `//storage.googleapis.com/projects/_/buckets/${bucketId}`,
    time: eventTime ?? message.publishTime,
    data: {
      dataset: uri,
      uris: [uri],
      objects: [{ uri, generation: objectGeneration, ...(crc32c === undefined ? {} : { crc32c }) }],
    },
  });
  return event.success ? { events: [event.data] } : { problem: problemText(event.error) };
};
