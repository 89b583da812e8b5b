/** Publishing on behalf of a person. */
import { z } from "zod";
import { anyEvent, catalogue } from "../../../events/index.js";
import type { EventType } from "../../../events/index.js";
import type { Handler } from "./context.js";
import { created } from "./context.js";
import { badRequest } from "./errors.js";
import { readAs, readBody } from "./read.js";

const publishBody = z.strictObject({
  /** Topic by its short name; an event of ours knows its own. */
  topic: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,62}$/, "a topic such as dataset")
    .optional(),
  data: z.union([z.string().max(1_000_000), z.record(z.string(), z.unknown())]),
  attributes: z.record(z.string().min(1).max(256), z.string().max(1024)).default({}),
});

const isEventType = (value: unknown): value is EventType =>
  typeof value === "string" && Object.hasOwn(catalogue, value);

/** POST /publish: an event of ours is validated first; any other message goes out as it is. */
export const publish: Handler = async ({ ports }, request) => {
  const { topic, data, attributes } = readBody(publishBody, request);
  if (typeof data !== "string" && isEventType(data["type"])) {
    const event = readAs(anyEvent, data, `the ${data["type"]} event`);
    const own = catalogue[event.type].topic;
    if (own === null) {
      throw badRequest(`${event.type} never travels over Pub/Sub; use the command for it`);
    }
    if (topic !== undefined && topic !== own) {
      throw badRequest(`${event.type} belongs to topic "${own}", not "${topic}"`);
    }
    await ports.bus.publish(own, { data: Buffer.from(JSON.stringify(event)), attributes });
    return created({ topic: own, id: event.id, type: event.type });
  }
  if (topic === undefined) throw badRequest('name the topic: {"topic": "dataset", "data": ...}');
  const text = typeof data === "string" ? data : JSON.stringify(data);
  await ports.bus.publish(topic, { data: Buffer.from(text), attributes });
  return created({ topic, id: null, type: null });
};
