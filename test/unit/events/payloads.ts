/** Reads the message samples of test/fixtures/payloads. */
import { readFileSync } from "node:fs";
import type { Message } from "../../../events/sources/message.js";
import { messageOf, unwrap, type Delivery } from "../../../shared/runtime/push.js";

/** A sample file's content. */
export const sample = (name: string): unknown =>
  JSON.parse(
    readFileSync(new URL(`../../fixtures/payloads/${name}.json`, import.meta.url), "utf8"),
  );

/** A push body of a value, as a log sink or our own bus would have it delivered. */
export const pushOf = (
  body: unknown,
  options: {
    readonly messageId?: string;
    readonly attributes?: Readonly<Record<string, string>>;
    readonly publishTime?: string;
  } = {},
): unknown => ({
  message: {
    data: Buffer.from(JSON.stringify(body)).toString("base64"),
    attributes: options.attributes ?? {},
    messageId: options.messageId ?? "1",
    publishTime: options.publishTime ?? "2026-01-02T03:04:05.678Z",
  },
  subscription: "projects/demo/subscriptions/s",
});

/** The message of a sample that is a push body, delivered under another message id when one is given. */
export const pushed = (name: string, messageId?: string): Message => {
  const delivery: Delivery = unwrap(sample(name));
  return messageOf(messageId === undefined ? delivery : { ...delivery, id: messageId });
};

/** The message by which a log sink carries a sample that is a log entry. */
export const logged = (name: string, messageId = "1"): Message =>
  messageOf(unwrap(pushOf(sample(name), { messageId })));

/** A message with a body of one's own. */
export const message = (body: unknown, options: Parameters<typeof pushOf>[1] = {}): Message =>
  messageOf(unwrap(pushOf(body, options)));
