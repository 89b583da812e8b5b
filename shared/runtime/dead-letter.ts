/** Messages that no function could read: kept with their reason until a person decides. */
import { createHash } from "node:crypto";
import { RejectedError } from "../domain/errors.js";
import type { Ports } from "../ports/ports.js";
import type { DeadLetter } from "../ports/state.js";
import { log } from "./log.js";
import { plainText } from "./plain-text.js";
import type { Delivery } from "./push.js";
import { config } from "./wiring.js";

/** Longer bodies go to the bucket and the dead letter keeps their address. */
const inlineBytesMax = 48 * 1024;
const storedBytesMax = 16 * 1024 * 1024;
/** Pub/Sub takes 100 attributes of 1024 bytes each. */
const foreignAttributesMax = 90;
const reasonBytesMax = 1000;

/** Attributes that say why a message is dead; the message's own come before them. */
const ours = "continuo-";
const reasonAttribute = `${ours}reason`;
const functionAttribute = `${ours}function`;
const messageAttribute = `${ours}message`;
const digestAttribute = `${ours}digest`;
const uriAttribute = `${ours}body`;

/** Attributes that Pub/Sub itself adds to the messages that it gives up. */
const pubSub = "CloudPubSubDeadLetter";

const without = (
  attributes: Readonly<Record<string, string>>,
  ...prefixes: readonly string[]
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(attributes).filter(
      ([key]) => !prefixes.some((prefix) => key.startsWith(prefix)),
    ),
  );

/** A publisher's own attributes: names of ours would be believed, and Pub/Sub refuses names that begin with goog. */
const publishersOwn = (attributes: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(without(attributes, ours, pubSub, "goog")).slice(0, foreignAttributesMax),
  );

const shortened = (reason: string): string =>
  Buffer.from(plainText(reason, reasonBytesMax, "no reason was given"))
    .subarray(0, reasonBytesMax)
    .toString("utf8");

/** What stands for a body: itself while it is small, else its address in the bucket. */
const keptBody = async (
  data: Buffer,
  ports: Ports,
): Promise<{ readonly data: Buffer; readonly digest: string; readonly uri: string | null }> => {
  const digest = createHash("sha256").update(data).digest("hex");
  if (data.length <= inlineBytesMax) return { data, digest, uri: null };
  const uri = `gs://${config().bucket}/continuo/dead-letters/${digest}`;
  await ports.objects.write(uri, data, "application/octet-stream");
  return { data: Buffer.from(uri), digest, uri };
};

/** Copies a message that can't be read to the dead-letter topic, with the reason beside its own attributes. */
export const sendToDeadLetters = async (
  name: string,
  reason: string,
  delivery: Delivery,
  ports: Ports,
): Promise<void> => {
  log("WARNING", "message dead-lettered", {
    function: name,
    reason: reason.slice(0, 500),
    messageId: delivery.id,
  });
  const { data, digest, uri } = await keptBody(delivery.data, ports);
  await ports.bus.publish("dead-letter", {
    data,
    attributes: {
      ...publishersOwn(delivery.attributes),
      [reasonAttribute]: shortened(reason),
      [functionAttribute]: name,
      [messageAttribute]: delivery.id,
      [digestAttribute]: digest,
      ...(uri === null ? {} : { [uriAttribute]: uri }),
    },
  });
};

/** Keeps one message of the dead-letter topic, whether we or Pub/Sub put it there. */
export const keepDeadLetter = async (
  delivery: Delivery,
  topicOf: (name: string) => string,
  ports: Ports,
): Promise<void> => {
  const subscription = delivery.attributes[`${pubSub}SourceSubscription`];
  // Pub/Sub passes a publisher's attributes on as they are: only what we published ourselves speaks for us.
  const attributes =
    subscription === undefined ? delivery.attributes : without(delivery.attributes, ours);
  const name = subscription ?? attributes[functionAttribute] ?? "unknown";
  const attempts = attributes[`${pubSub}SourceDeliveryCount`];
  const { data, digest, uri } = await keptBody(delivery.data, ports);
  const letter: DeadLetter = {
    id: attributes[messageAttribute] ?? delivery.id,
    function: name,
    topic: topicOf(name),
    reason:
      attributes[reasonAttribute] ??
      `${name} failed ${attempts ?? "too many"} times; its log tells why`,
    receivedAtMs: ports.clock(),
    data: data.toString("base64"),
    digest: attributes[digestAttribute] ?? digest,
    attributes: { ...attributes, ...(uri === null ? {} : { [uriAttribute]: uri }) },
    redrivenAtMs: null,
  };
  await ports.state.addDeadLetter(letter);
};

/** A letter's body as it first came; throws RejectedError when the bucket does not hold it any more. */
const bodyOf = async ({ id, attributes, data }: DeadLetter, ports: Ports): Promise<Buffer> => {
  const uri = attributes[uriAttribute];
  if (uri === undefined) return Buffer.from(data, "base64");
  const stored = await ports.objects.read(uri, storedBytesMax);
  if (stored === null) {
    throw new RejectedError(
      `the body of dead letter ${id} is gone from ${uri}: publish the original again from where it came`,
    );
  }
  return stored;
};

/** Publishes a dead letter to its topic again, as it first came. */
export const redrive = async (letter: DeadLetter, ports: Ports): Promise<void> => {
  await ports.bus.publish(letter.topic, {
    data: await bodyOf(letter, ports),
    attributes: publishersOwn(letter.attributes),
  });
  await ports.state.markRedriven(letter.id, ports.clock());
};
