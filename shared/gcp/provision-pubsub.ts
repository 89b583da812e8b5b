/** Topics and push subscriptions. */
import type { protos, v1 } from "@google-cloud/pubsub";
import { grpcCallOptions, grpcClientOptions, type GcpConfig } from "./config.js";
import { asCloudError, attempting } from "./errors.js";
import {
  deadLetterTopic,
  ownerLabel,
  type Changes,
  type FunctionTopology,
  type ProvisionOptions,
  type Topology,
} from "./topology.js";

type Subscription = protos.google.pubsub.v1.ISubscription;

/** Pub/Sub's own limits for what we set. */
const ackDeadlineSeconds = { min: 10, max: 600 };
const backoffSecondsMax = 600;
const deliveryAttempts = { min: 5, max: 100 };

const updatedFields = [
  "push_config",
  "ack_deadline_seconds",
  "retry_policy",
  "dead_letter_policy",
  "labels",
  "expiration_policy",
];

const clamp = (value: number, { min, max }: { readonly min: number; readonly max: number }) =>
  Math.min(max, Math.max(min, value));

const isOurs = ({ labels }: { readonly labels?: Record<string, string> | null }): boolean =>
  labels?.["managed-by"] === ownerLabel["managed-by"];

const topicPath = (config: GcpConfig, topic: string): string =>
  `projects/${config.projectId}/topics/${topic}`;

/** The subscription that calls a function; null for a function that no topic calls. */
const subscriptionOf = (
  config: GcpConfig,
  { name, trigger, timeoutSeconds, retry }: FunctionTopology,
  { pushBaseUrl, pushIdentity }: ProvisionOptions,
): Subscription | null => {
  if (!("topic" in trigger)) return null;
  const pushEndpoint = `${pushBaseUrl.replace(/\/+$/, "")}/${name}`;
  return {
    name: `projects/${config.projectId}/subscriptions/${name}`,
    topic: topicPath(config, trigger.topic),
    pushConfig: {
      pushEndpoint,
      oidcToken: { serviceAccountEmail: pushIdentity, audience: pushEndpoint },
    },
    ackDeadlineSeconds: clamp(timeoutSeconds, ackDeadlineSeconds),
    retryPolicy: {
      minimumBackoff: { seconds: Math.min(retry.minBackoffSeconds, backoffSecondsMax) },
      maximumBackoff: { seconds: Math.min(retry.maxBackoffSeconds, backoffSecondsMax) },
    },
    // A dead letter that cannot be read would otherwise be dead-lettered to where it came from, for ever.
    ...(trigger.topic === deadLetterTopic
      ? {}
      : {
          deadLetterPolicy: {
            deadLetterTopic: topicPath(config, deadLetterTopic),
            maxDeliveryAttempts: clamp(retry.deliveryAttemptsMax, deliveryAttempts),
          },
        }),
    // Set, but without a time to live: the subscription never expires, however quiet its topic is.
    expirationPolicy: {},
    labels: { ...ownerLabel },
  };
};

/** The parts that can change, in a form that compares. */
const comparable = (subscription: Subscription): string =>
  JSON.stringify([
    subscription.pushConfig?.pushEndpoint,
    subscription.pushConfig?.oidcToken?.serviceAccountEmail,
    subscription.pushConfig?.oidcToken?.audience,
    subscription.ackDeadlineSeconds ?? 0,
    Number(subscription.retryPolicy?.minimumBackoff?.seconds ?? 0),
    Number(subscription.retryPolicy?.maximumBackoff?.seconds ?? 0),
    subscription.deadLetterPolicy?.deadLetterTopic ?? "",
    subscription.deadLetterPolicy?.maxDeliveryAttempts ?? 0,
    subscription.expirationPolicy?.ttl ?? null,
    isOurs(subscription),
  ]);

const ensureTopics = async (
  config: GcpConfig,
  publisher: v1.PublisherClient,
  names: readonly string[],
): Promise<Changes> => {
  const options = grpcCallOptions(config);
  const [existing] = await publisher.listTopics(
    { project: `projects/${config.projectId}` },
    options,
  );
  const known = new Set(existing.map(({ name }) => name));
  const missing = names.filter((name) => !known.has(topicPath(config, name)));
  await Promise.all(
    missing.map((name) =>
      attempting(`create topic ${name}`, async () => {
        try {
          await publisher.createTopic(
            { name: topicPath(config, name), labels: { ...ownerLabel } },
            options,
          );
        } catch (error) {
          if (asCloudError(error).status !== "ALREADY_EXISTS") throw error;
        }
      }),
    ),
  );
  return missing.map((name) => `created topic ${name}`);
};

const ensureSubscription = async (
  config: GcpConfig,
  subscriber: v1.SubscriberClient,
  wanted: Subscription,
  found: Subscription | undefined,
): Promise<Changes> => {
  const options = grpcCallOptions(config);
  const name = wanted.name ?? "";
  const short = name.slice(name.lastIndexOf("/") + 1);
  return attempting(`provision subscription ${short}`, async () => {
    if (found === undefined) {
      await subscriber.createSubscription(wanted, options);
      return [`created subscription ${short}`];
    }
    if (found.topic !== wanted.topic) {
      // A subscription's topic cannot be changed.
      await subscriber.deleteSubscription({ subscription: name }, options);
      await subscriber.createSubscription(wanted, options);
      return [`moved subscription ${short} to another topic`];
    }
    if (comparable(found) === comparable(wanted)) return [];
    await subscriber.updateSubscription(
      { subscription: wanted, updateMask: { paths: updatedFields } },
      options,
    );
    return [`updated subscription ${short}`];
  });
};

/** Makes topics and subscriptions as the topology says, and deletes subscriptions of ours that it no longer has. */
export const provisionPubsub = async (
  topology: Topology,
  config: GcpConfig,
  options: ProvisionOptions,
): Promise<Changes> => {
  const [{ v1: clients }, clientOptions] = await Promise.all([
    import("@google-cloud/pubsub"),
    grpcClientOptions(config),
  ]);
  const publisher = new clients.PublisherClient(clientOptions);
  const subscriber = new clients.SubscriberClient(clientOptions);
  const callOptions = grpcCallOptions(config);
  try {
    return await attempting("provision Pub/Sub", async () => {
      const topics = await ensureTopics(config, publisher, [
        ...new Set([
          ...topology.topicNames,
          ...topology.sinks.map(({ topic }) => topic),
          ...topology.systemSchedules.map(({ topic }) => topic),
          ...(options.notification === undefined ? [] : [options.notification.topic]),
          deadLetterTopic,
        ]),
      ]);
      const [existing] = await subscriber.listSubscriptions(
        { project: `projects/${config.projectId}` },
        callOptions,
      );
      const byName = new Map(existing.map((subscription) => [subscription.name, subscription]));
      const wanted = topology.functions.flatMap(
        (one) => subscriptionOf(config, one, options) ?? [],
      );
      const ensured = await Promise.all(
        wanted.map((one) => ensureSubscription(config, subscriber, one, byName.get(one.name))),
      );
      const kept = new Set(wanted.map(({ name }) => name));
      const surplus = existing.filter((one) => isOurs(one) && !kept.has(one.name));
      const removed = await Promise.all(
        surplus.map(async ({ name }) => {
          await subscriber.deleteSubscription({ subscription: name ?? "" }, callOptions);
          return `deleted subscription ${name?.slice(name.lastIndexOf("/") + 1) ?? ""}`;
        }),
      );
      return [...topics, ...ensured.flat(), ...removed];
    });
  } finally {
    await Promise.all([publisher.close(), subscriber.close()]);
  }
};
