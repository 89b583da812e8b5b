/** The Bus port on Pub/Sub: every message is its own request, sent at once. */
import { RejectedError } from "../domain/errors.js";
import type { Bus } from "../ports/bus.js";
import { grpcCallOptions, grpcClientOptions, lazily, type GcpConfig } from "./config.js";
import { attempting } from "./errors.js";

/** Pub/Sub refuses larger messages (10 MB with its own overhead). */
const bytesMax = 9_900_000;

/** The Bus port. */
export const pubsubBus = (config: GcpConfig): Bus => {
  const client = lazily(async () => {
    const [{ v1 }, options] = await Promise.all([
      import("@google-cloud/pubsub"),
      grpcClientOptions(config),
    ]);
    return new v1.PublisherClient(options);
  });
  return {
    publish: (topic, { data, attributes }) =>
      attempting(`publish to topic ${topic}`, async () => {
        if (data.length > bytesMax) {
          throw new RejectedError(
            `A message of ${String(data.length)} bytes is too large for topic ${topic}: at most ${String(bytesMax)}. Write the content to the bucket and publish its address.`,
          );
        }
        await (
          await client()
        ).publish(
          {
            topic: `projects/${config.projectId}/topics/${topic}`,
            messages: [{ data, attributes: { ...attributes } }],
          },
          // By itself the client would hold a message back for 10 ms, hoping for company.
          { ...grpcCallOptions(config), isBundling: false },
        );
      }),
  };
};
