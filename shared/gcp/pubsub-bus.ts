/**
 * The Bus port on Pub/Sub's REST API: what is published to a topic while requests are under way shares the next one. The
 * official client costs 200 ms to load.
 */
import type { protos } from "@google-cloud/pubsub";
import { RejectedError } from "../domain/errors.js";
import type { Bus } from "../ports/bus.js";
import { baseUrl, type GcpConfig } from "./config.js";
import { attempting } from "./errors.js";
import type { Rest } from "./rest.js";
import { together } from "./together.js";

type PublishRequest = protos.google.pubsub.v1.IPublishRequest;
type Message = Parameters<Bus["publish"]>[1];

/** Pub/Sub refuses larger messages (10 MB with its own overhead). */
const bytesMax = 9_900_000;
/** Far below Pub/Sub's 1,000 messages and 10 MB a request. */
const limits = { itemsMax: 100, weightMax: 2_000_000, requestsMax: 2 } as const;

/** The Bus port. */
export const pubsubBus = (config: GcpConfig, rest: Rest): Bus => {
  const senders = new Map<string, (message: Message) => Promise<void>>();

  const senderTo = (topic: string): ((message: Message) => Promise<void>) => {
    const known = senders.get(topic);
    if (known !== undefined) return known;
    const sender = together<Message, void>(
      async (messages) => {
        const body: PublishRequest = {
          messages: messages.map(({ data, attributes }) => ({
            data: data.toString("base64"),
            attributes: { ...attributes },
          })),
        };
        await rest.call({
          method: "POST",
          url: `${baseUrl(config, "pubsub")}/v1/projects/${config.projectId}/topics/${topic}:publish`,
          body,
          // A message that arrived twice is known by its event's id.
          isRepeatable: true,
        });
        return () => undefined;
      },
      { ...limits, weigh: ({ data }) => data.length },
    );
    senders.set(topic, sender);
    return sender;
  };

  return {
    publish: (topic, message) =>
      attempting(`publish to topic ${topic}`, async () => {
        const { length } = message.data;
        if (length > bytesMax) {
          throw new RejectedError(
            `A message of ${String(length)} bytes is too large for topic ${topic}: at most ${String(bytesMax)}. Write the content to the bucket and publish its address.`,
          );
        }
        await senderTo(topic)(message);
      }),
  };
};
