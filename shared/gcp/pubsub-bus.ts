/** The Bus port on Pub/Sub's REST API: every message is its own request, sent at once. The official client costs 200 ms to load. */
import type { protos } from "@google-cloud/pubsub";
import { RejectedError } from "../domain/errors.js";
import type { Bus } from "../ports/bus.js";
import { baseUrl, type GcpConfig } from "./config.js";
import { attempting } from "./errors.js";
import type { Rest } from "./rest.js";

type PublishRequest = protos.google.pubsub.v1.IPublishRequest;

/** Pub/Sub refuses larger messages (10 MB with its own overhead). */
const bytesMax = 9_900_000;

/** The Bus port. */
export const pubsubBus = (config: GcpConfig, rest: Rest): Bus => ({
  publish: (topic, { data, attributes }) =>
    attempting(`publish to topic ${topic}`, async () => {
      if (data.length > bytesMax) {
        throw new RejectedError(
          `A message of ${String(data.length)} bytes is too large for topic ${topic}: at most ${String(bytesMax)}. Write the content to the bucket and publish its address.`,
        );
      }
      const body: PublishRequest = {
        messages: [{ data: data.toString("base64"), attributes: { ...attributes } }],
      };
      await rest.call({
        method: "POST",
        url: `${baseUrl(config, "pubsub")}/v1/projects/${config.projectId}/topics/${topic}:publish`,
        body,
        // A message that arrived twice is known by its event's id.
        isRepeatable: true,
      });
    }),
});
