/** A Pub/Sub push request's wrapped body, https://cloud.google.com/pubsub/docs/push */
import { z } from "zod";
import type { Message } from "../../events/sources/message.js";
import { InvalidEventError } from "../domain/errors.js";

/** Larger messages are never ours; Pub/Sub itself allows 10 MB. */
const dataBytesMax = 256 * 1024;
const depthMax = 32;

const wrapped = z.looseObject({
  message: z.looseObject({
    messageId: z.string().min(1),
    publishTime: z.string().min(1),
    data: z.string().default(""),
    attributes: z.record(z.string(), z.string()).default({}),
    orderingKey: z.string().optional(),
  }),
  subscription: z.string().min(1),
  deliveryAttempt: z.number().optional(),
});

/** One delivery, before anything is made of its data. */
export interface Delivery {
  readonly id: string;
  readonly publishTime: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly data: Buffer;
  readonly deliveryAttempt: number;
}

/** Unwraps a push body; throws InvalidEventError when it is no push body. */
export const unwrap = (body: unknown): Delivery => {
  const parsed = wrapped.safeParse(body);
  if (!parsed.success) throw new InvalidEventError("the request body is not a Pub/Sub push body");
  const { message, deliveryAttempt } = parsed.data;
  return {
    id: message.messageId,
    publishTime: message.publishTime,
    attributes: message.attributes,
    data: Buffer.from(message.data, "base64"),
    deliveryAttempt: deliveryAttempt ?? 1,
  };
};

/** Throws InvalidEventError at nesting beyond any schema of ours, before a recursive reader meets it. */
const checkDepth = (text: string): void => {
  let depth = 0;
  let isString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (isString) {
      if (character === "\\") index += 1;
      else if (character === '"') isString = false;
    } else if (character === '"') isString = true;
    else if (character === "{" || character === "[") {
      depth += 1;
      if (depth > depthMax) throw new InvalidEventError(`nested deeper than ${depthMax} levels`);
    } else if (character === "}" || character === "]") depth -= 1;
  }
};

/** Reads a delivery's data as JSON; throws InvalidEventError when it is too large, too deep or no JSON. */
export const messageOf = (delivery: Delivery): Message => {
  const { id, publishTime, attributes, data } = delivery;
  if (data.length > dataBytesMax) {
    throw new InvalidEventError(
      `${data.length} bytes of data; at most ${dataBytesMax} are read: put the content in a bucket and send its address`,
    );
  }
  if (data.length === 0) return { id, publishTime, attributes, body: undefined };
  const text = data.toString("utf8");
  checkDepth(text);
  try {
    // A key named __proto__ is dropped, so that no later spread or assignment can meet it. Asking about every key
    // makes reading several times slower, so it is done where the text may hold that name, plainly or escaped.
    const body: unknown = /__proto__|\\u/.test(text)
      ? JSON.parse(text, (key, value: unknown) => (key === "__proto__" ? undefined : value))
      : JSON.parse(text);
    return { id, publishTime, attributes, body };
  } catch (error) {
    throw new InvalidEventError("the data is not JSON", { cause: error });
  }
};
