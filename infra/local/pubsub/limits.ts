/** What Pub/Sub refuses. */
import type { OutgoingMessage } from "../cloud.js";
import { RpcError } from "../protocol/service.js";
import { parseFilter } from "./filter.js";
import type { Names } from "./names.js";
import {
  durationMs,
  type Duration,
  type PubsubMessage,
  type Subscription,
  type Topic,
} from "./shapes.js";

const publishBytesMax = 10_000_000;
const messagesMax = 1000;
const attributesMax = 100;
const attributeKeyBytesMax = 256;
const attributeValueBytesMax = 1024;
const orderingKeyBytesMax = 1024;
const dayMs = 86_400_000;
const labelsMax = 64;

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

const bytesIn = (text: string): number => Buffer.byteLength(text);

function checkAttributes(attributes: Readonly<Record<string, string>>): number {
  const entries = Object.entries(attributes);
  if (entries.length > attributesMax) {
    throw invalid(
      `A message has ${entries.length} attributes; at most ${attributesMax} are allowed.`,
    );
  }
  let total = 0;
  for (const [key, value] of entries) {
    const keyBytes = bytesIn(key);
    const valueBytes = bytesIn(value);
    if (keyBytes === 0 || keyBytes > attributeKeyBytesMax) {
      throw invalid(
        `An attribute's key has ${keyBytes} bytes; 1 to ${attributeKeyBytesMax} are allowed.`,
      );
    }
    if (valueBytes > attributeValueBytesMax) {
      throw invalid(
        `The value of attribute ${key} has ${valueBytes} bytes; at most ${attributeValueBytesMax} are allowed.`,
      );
    }
    // The official clients themselves set googclient_ attributes (tracing).
    if (key.startsWith("goog") && !key.startsWith("googclient_")) {
      throw invalid(`The attribute ${key} begins with "goog", which is reserved.`);
    }
    total += keyBytes + valueBytes;
  }
  return total;
}

/** Checks the messages of one publish request, and brings them to one shape. */
export function checkPublish(
  messages: readonly (PubsubMessage | OutgoingMessage)[] | undefined,
): readonly OutgoingMessage[] {
  if (messages === undefined || messages.length === 0) {
    throw invalid("The publish request has no messages. Send at least one.");
  }
  if (messages.length > messagesMax) {
    throw invalid(
      `The publish request has ${messages.length} messages; at most ${messagesMax} are allowed.`,
    );
  }
  let total = 0;
  const checked = messages.map((message): OutgoingMessage => {
    const data = message.data ?? Buffer.alloc(0);
    const attributes = message.attributes ?? {};
    const orderingKey = message.orderingKey ?? "";
    if (data.length === 0 && Object.keys(attributes).length === 0) {
      throw invalid(
        "One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.",
      );
    }
    if (bytesIn(orderingKey) > orderingKeyBytesMax) {
      throw invalid(`An ordering key may have at most ${orderingKeyBytesMax} bytes.`);
    }
    total += data.length + checkAttributes(attributes) + bytesIn(orderingKey) + 20;
    return { data, attributes, ...(orderingKey === "" ? {} : { orderingKey }) };
  });
  if (total > publishBytesMax) {
    throw invalid(
      `Request payload size exceeds the limit: ${publishBytesMax} bytes (it has ${total}). Publish fewer or smaller messages; put large bodies into a bucket and publish their address.`,
    );
  }
  return checked;
}

function checkRange(name: string, duration: Duration, minMs: number, maxMs: number): number {
  const ms = durationMs(duration);
  if (ms < minMs || ms > maxMs) {
    throw invalid(
      `Invalid ${name}: ${ms / 1000} s. It must be between ${minMs / 1000} s and ${maxMs / 1000} s.`,
    );
  }
  return ms;
}

/** Checks labels. */
export function checkLabels(labels: Readonly<Record<string, string>> | undefined): void {
  const entries = Object.entries(labels ?? {});
  if (entries.length > labelsMax) throw invalid(`At most ${labelsMax} labels are allowed.`);
  for (const [key, value] of entries) {
    if (
      !/^\p{Ll}[\p{Ll}\p{N}_-]{0,62}$/u.test(key) ||
      !/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value)
    ) {
      throw invalid(
        `Invalid label ${key}=${value}: keys begin with a lower-case letter; keys and values have at most 63 lower-case letters, digits, - and _.`,
      );
    }
  }
}

/** Refuses settings that nothing here would honour: better now than silently. */
function refuseUnbuilt(resource: object, fields: readonly string[]): void {
  for (const [field, value] of Object.entries(resource)) {
    if (fields.includes(field) && value !== undefined) {
      throw new RpcError("UNIMPLEMENTED", `The local Pub/Sub does not implement ${field}.`);
    }
  }
}

/** Checks a topic. */
export function checkTopic(topic: Topic): void {
  checkLabels(topic.labels);
  refuseUnbuilt(topic, ["ingestionDataSourceSettings", "messageTransforms"]);
  if (topic.messageRetentionDuration !== undefined) {
    checkRange("message_retention_duration", topic.messageRetentionDuration, 600_000, 31 * dayMs);
  }
}

function checkPush(subscription: Subscription): void {
  const push = subscription.pushConfig;
  const endpoint = push?.pushEndpoint ?? "";
  if (endpoint === "") {
    if (push?.oidcToken !== undefined) {
      throw invalid("push_config.oidc_token is set but push_config.push_endpoint is not.");
    }
    return;
  }
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw invalid(
      `Invalid push endpoint given (endpoint=${endpoint}). Refer to https://cloud.google.com/pubsub/docs/subscriber#create for more information. Example: http://127.0.0.1:8080/on-dataset-arrived`,
    );
  }
  if (push?.oidcToken !== undefined && !(push.oidcToken.serviceAccountEmail ?? "").includes("@")) {
    throw invalid(
      "push_config.oidc_token.service_account_email must be a service account's address, for example push@my-project.iam.gserviceaccount.com.",
    );
  }
  if (subscription.enableExactlyOnceDelivery === true) {
    throw invalid("Exactly-once delivery is not supported by push subscriptions.");
  }
}

/** Checks a subscription and fills in the defaults that the real service shows. */
export function checkSubscription(given: Subscription, names: Names): Subscription {
  checkLabels(given.labels);
  refuseUnbuilt(given, [
    "bigqueryConfig",
    "cloudStorageConfig",
    "bigtableConfig",
    "messageTransforms",
  ]);
  const ackDeadlineSeconds = given.ackDeadlineSeconds ?? 10;
  if (ackDeadlineSeconds !== 0 && (ackDeadlineSeconds < 10 || ackDeadlineSeconds > 600)) {
    throw invalid(
      `Invalid ack deadline given (ack_deadline_secs=${ackDeadlineSeconds}). It must be between 10 and 600 seconds.`,
    );
  }
  parseFilter(given.filter ?? "");
  const messageRetentionDuration = given.messageRetentionDuration ?? { seconds: "604800" };
  checkRange("message_retention_duration", messageRetentionDuration, 600_000, 31 * dayMs);
  if (given.expirationPolicy?.ttl !== undefined) {
    const ttlMs = checkRange("expiration_policy.ttl", given.expirationPolicy.ttl, dayMs, 1e15);
    if (ttlMs < durationMs(messageRetentionDuration)) {
      throw invalid("expiration_policy.ttl must not be shorter than message_retention_duration.");
    }
  }
  checkPush(given);
  const dead = given.deadLetterPolicy;
  if (dead !== undefined) {
    const attempts = dead.maxDeliveryAttempts ?? 5;
    if (attempts < 5 || attempts > 100) {
      throw invalid(
        `Invalid dead_letter_policy.max_delivery_attempts: ${attempts}. It must be between 5 and 100.`,
      );
    }
  }
  const retry = given.retryPolicy;
  const minimumMs =
    retry === undefined
      ? 0
      : checkRange(
          "retry_policy.minimum_backoff",
          retry.minimumBackoff ?? { seconds: 10 },
          0,
          600_000,
        );
  const maximumMs =
    retry === undefined
      ? 0
      : checkRange(
          "retry_policy.maximum_backoff",
          retry.maximumBackoff ?? { seconds: 600 },
          0,
          600_000,
        );
  if (minimumMs > maximumMs) {
    throw invalid("retry_policy.minimum_backoff must not be greater than maximum_backoff.");
  }
  return {
    ...given,
    pushConfig: given.pushConfig ?? {},
    ackDeadlineSeconds: ackDeadlineSeconds === 0 ? 10 : ackDeadlineSeconds,
    messageRetentionDuration,
    expirationPolicy: given.expirationPolicy ?? { ttl: { seconds: "2678400" } },
    ...(dead === undefined
      ? {}
      : {
          deadLetterPolicy: {
            deadLetterTopic: names.resource("topics", dead.deadLetterTopic),
            maxDeliveryAttempts: dead.maxDeliveryAttempts ?? 5,
          },
        }),
    ...(retry === undefined
      ? {}
      : {
          retryPolicy: {
            minimumBackoff: retry.minimumBackoff ?? { seconds: "10" },
            maximumBackoff: retry.maximumBackoff ?? { seconds: "600" },
          },
        }),
    state: "ACTIVE",
  };
}

/** Checks an ack deadline given by a subscriber. */
export function checkDeadlineSeconds(seconds: number): number {
  if (seconds < 0 || seconds > 600) {
    throw invalid(
      `Invalid ack deadline given (ack_deadline_secs=${seconds}). It must be between 0 and 600 seconds.`,
    );
  }
  return seconds;
}
