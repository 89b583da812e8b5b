/** Messages that no function could read: kept with their reason until a person decides. */
import { createHash } from "node:crypto";
import type { Ports } from "../ports/ports.js";
import type { DeadLetter } from "../ports/state.js";
import { log } from "./log.js";
import type { Delivery } from "./push.js";
import { config } from "./wiring.js";

/** Longer bodies go to the bucket and the dead letter keeps their address. */
const inlineBytesMax = 48 * 1024;
const attributeLengthMax = 1000;

/** Attributes that say why a message is dead; the message's own come before them. */
const reasonAttribute = "continuo-reason";
const functionAttribute = "continuo-function";
const uriAttribute = "continuo-body";

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
  const isLarge = delivery.data.length > inlineBytesMax;
  const digest = createHash("sha256").update(delivery.data).digest("hex");
  const uri = `gs://${config().bucket}/continuo/dead-letters/${digest}`;
  if (isLarge) await ports.objects.write(uri, delivery.data, "application/octet-stream");
  await ports.bus.publish("dead-letter", {
    data: isLarge ? Buffer.from(uri) : delivery.data,
    attributes: {
      ...delivery.attributes,
      [reasonAttribute]: reason.slice(0, attributeLengthMax),
      [functionAttribute]: name,
      "continuo-message": delivery.id,
      "continuo-digest": digest,
      ...(isLarge ? { [uriAttribute]: uri } : {}),
    },
  });
};

/** Keeps one message of the dead-letter topic, whether we or Pub/Sub put it there. */
export const keepDeadLetter = async (
  delivery: Delivery,
  topicOf: (name: string) => string,
  ports: Ports,
): Promise<void> => {
  const { attributes } = delivery;
  const subscription = attributes["CloudPubSubDeadLetterSourceSubscription"];
  const name = attributes[functionAttribute] ?? subscription ?? "unknown";
  const attempts = attributes["CloudPubSubDeadLetterSourceDeliveryCount"];
  const letter: DeadLetter = {
    id: attributes["continuo-message"] ?? delivery.id,
    function: name,
    topic: topicOf(name),
    reason:
      attributes[reasonAttribute] ??
      `${name} failed ${attempts ?? "too many"} times; its log tells why`,
    receivedAtMs: ports.clock(),
    data: delivery.data.toString("base64"),
    digest:
      attributes["continuo-digest"] ?? createHash("sha256").update(delivery.data).digest("hex"),
    attributes,
    redrivenAtMs: null,
  };
  await ports.state.addDeadLetter(letter);
};

/** Publishes a dead letter to its topic again, as it first came. */
export const redrive = async (letter: DeadLetter, ports: Ports): Promise<void> => {
  const uri = letter.attributes[uriAttribute];
  const stored = uri === undefined ? null : await ports.objects.read(uri, 16 * 1024 * 1024);
  const attributes = Object.fromEntries(
    Object.entries(letter.attributes).filter(
      ([key]) => !key.startsWith("continuo-") && !key.startsWith("CloudPubSubDeadLetter"),
    ),
  );
  await ports.bus.publish(letter.topic, {
    data: stored ?? Buffer.from(letter.data, "base64"),
    attributes,
  });
  await ports.state.markRedriven(letter.id, ports.clock());
};
