/** Pub/Sub itself: topics, subscriptions and their queues over the store. */
import type { CloudContext, OutgoingMessage } from "../cloud.js";
import type { TokenSigner } from "../identity.js";
import { RpcError } from "../protocol/service.js";
import { dateText } from "../protocol/time-text.js";
import { isExpired, makeActivity, type Activity } from "./activity.js";
import { makeAlarms } from "./alarms.js";
import { parseFilter, type Filter } from "./filter.js";
import { alreadyExists, deletedTopic, notFound, projectOf, shortName } from "./names.js";
import { makePusher } from "./push.js";
import { makeQueue, type Queue } from "./queue.js";
import { durationMs, timestampOf, type Snapshot, type Subscription, type Topic } from "./shapes.js";
import { deletedSchema, makeSchemas } from "./schemas.js";
import { makeSnapshots } from "./snapshots.js";
import {
  makeStore,
  type Outcome,
  type StoredMessage,
  type SubscriptionRow,
  type Target,
} from "./store.js";

const sweepMs = 60_000;
const writeRetryMs = 1000;

interface Subscribed {
  readonly queue: Queue;
  readonly accepts: Filter;
  readonly activity: Activity;
}

/** What the services call. */
export type Engine = ReturnType<typeof makeEngine>;

/** Opens Pub/Sub over the context's database. */
export function makeEngine(context: CloudContext, tokens: TokenSigner) {
  const { now, log } = context;
  const store = makeStore(context.db, now);
  const snapshots = makeSnapshots(context.db, store, now);
  const schemas = makeSchemas(context.db, now);
  const alarms = makeAlarms(now, log);
  const pusher = makePusher({ tokens, alarms, now, log });
  const topics = new Map<string, Topic>(store.topics().map((topic) => [topic.name, topic]));
  const subscriptions = new Map<string, Subscribed>();
  const byTopic = new Map<string, Set<Subscribed>>();
  let recorded: { readonly outcome: Outcome; readonly done: () => void }[] = [];
  let isFlushQueued = false;
  let isStopped = false;

  const isRetaining = (topic: string): boolean =>
    topics.get(topic)?.messageRetentionDuration !== undefined ||
    snapshots.keptSince(topic) !== undefined;

  const targetOf = ({ queue, accepts }: Subscribed): Target => ({
    id: queue.row.id,
    isOrdered: queue.row.config.enableMessageOrdering === true,
    accepts,
  });

  /** Commits what subscribers did since the last time; what cannot be written is tried again. */
  const flush = (): void => {
    if (recorded.length === 0) return;
    const batch = recorded;
    recorded = [];
    const released: string[] = [];
    try {
      store.commit(() => {
        for (const { outcome } of batch) {
          const { id, config } = outcome.subscription;
          if (outcome.kind === "acked") {
            const next = store.settle(
              outcome.subscription,
              outcome.message,
              isRetaining(config.topic),
            );
            if (next !== undefined) released.push(config.name);
          } else store.fail(id, outcome.message, outcome.attempts, outcome.dueMs);
        }
      });
    } catch (error) {
      recorded = [...batch, ...recorded];
      log(`pubsub cannot write: ${error instanceof Error ? error.message : String(error)}`);
      if (!isStopped) alarms.at(now() + writeRetryMs, flush);
      return;
    }
    for (const { done } of batch) done();
    for (const name of released) subscriptions.get(name)?.queue.refresh();
  };

  const record = (outcome: Outcome, done: () => void): void => {
    recorded.push({ outcome, done });
    if (isFlushQueued) return;
    isFlushQueued = true;
    setImmediate(() => {
      isFlushQueued = false;
      if (!isStopped) flush();
    });
  };

  const publish = (
    topic: string,
    messages: readonly OutgoingMessage[],
    alongside: () => void = () => undefined,
  ): readonly string[] => {
    if (!topics.has(topic)) throw notFound(topic);
    const subscribed = [...(byTopic.get(topic) ?? [])].filter(
      ({ queue }) => queue.row.config.detached !== true,
    );
    const published = store.commit(() => {
      alongside();
      return store.publish(
        topic,
        messages,
        subscribed.map((one) => targetOf(one)),
        isRetaining(topic),
      );
    });
    const queues = new Map(subscribed.map(({ queue }) => [queue.row.id, queue]));
    for (const { message, readyIn, behindIn } of published) {
      for (const id of readyIn) queues.get(id)?.offer(message);
      for (const id of behindIn) queues.get(id)?.follow(message.orderingKey);
    }
    return published.map(({ message }) => String(message.id));
  };

  const deadLetter = (row: SubscriptionRow, message: StoredMessage, attempts: number): boolean => {
    const { config } = row;
    const topic = config.deadLetterPolicy?.deadLetterTopic ?? "";
    if (!topics.has(topic)) {
      log(`${config.name} cannot dead-letter: its topic ${topic} does not exist`);
      return false;
    }
    const publishTime = dateText({ ...timestampOf(Math.floor(message.id / 1000)) });
    flush();
    publish(
      topic,
      [
        {
          data: message.data,
          attributes: {
            ...message.attributes,
            CloudPubSubDeadLetterSourceDeliveryCount: String(attempts),
            CloudPubSubDeadLetterSourceSubscription: shortName(config.name),
            CloudPubSubDeadLetterSourceSubscriptionProject: projectOf(config.name),
            CloudPubSubDeadLetterSourceTopicPublishTime: publishTime,
          },
          ...(message.orderingKey === "" ? {} : { orderingKey: message.orderingKey }),
        },
      ],
      () => {
        const next = store.settle(row, message.id, isRetaining(config.topic));
        if (next !== undefined) subscriptions.get(config.name)?.queue.refresh();
      },
    );
    return true;
  };

  const held = { bytes: 0 };
  const open = (row: SubscriptionRow): void => {
    const activity = makeActivity(store.activeMs(row.id) ?? now(), now);
    const needs = { store, alarms, now, record, flush, deadLetter, held, activity, log };
    const queue = makeQueue(row, needs);
    const accepts = parseFilter(row.config.filter ?? "");
    const subscribed: Subscribed = { queue, accepts, activity };
    subscriptions.set(row.config.name, subscribed);
    const siblings = byTopic.get(row.config.topic) ?? new Set<Subscribed>();
    byTopic.set(row.config.topic, siblings.add(subscribed));
    queue.attach(pusher.consumer(() => queue));
  };
  for (const row of store.subscriptions()) open(row);

  const remove = ({ queue }: Subscribed): void => {
    flush();
    const { id, config } = queue.row;
    store.commit(() => {
      store.dropSubscription(id, config.name);
    });
    const siblings = byTopic.get(config.topic);
    for (const one of siblings ?? []) if (one.queue === queue) siblings?.delete(one);
    subscriptions.delete(config.name);
    queue.close(notFound(config.name));
  };
  /** Removes a subscription that nobody has used for as long as its policy says. */
  const isRemoved = (subscribed: Subscribed): boolean => {
    const { config } = subscribed.queue.row;
    if (!isExpired(config, subscribed.activity, now())) return false;
    remove(subscribed);
    log(`${config.name} expired: it was not used for as long as its expiration policy says`);
    return true;
  };
  const removeExpired = (): void => {
    for (const one of subscriptions.values()) isRemoved(one);
  };
  const saveActivity = (): void => {
    try {
      store.commit(() => {
        for (const { queue, activity } of subscriptions.values()) {
          store.putActivity(queue.row.id, activity.lastMs());
        }
      });
    } catch (error) {
      log(`pubsub cannot write: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  const find = (name: string): Subscribed => {
    const found = subscriptions.get(name);
    if (found === undefined || isRemoved(found)) throw notFound(name);
    return found;
  };
  /** Finds a subscription for an operation that counts as its use. */
  const use = (name: string): Subscribed => {
    const found = find(name);
    found.activity.touch();
    return found;
  };
  const change = (name: string, config: Subscription): Subscription => {
    const { queue } = use(name);
    store.putSubscription(queue.row.id, config);
    queue.update({ id: queue.row.id, config });
    return config;
  };

  const sweep = (): void => {
    flush();
    removeExpired();
    saveActivity();
    snapshots.sweep();
    store.commit(() => {
      for (const { queue } of subscriptions.values()) {
        const keptMs = durationMs(
          queue.row.config.messageRetentionDuration ?? { seconds: 604_800 },
        );
        store.expire(queue.row.id, now() - keptMs);
      }
      store.dropOrphans((topic) => {
        const retention = topics.get(topic)?.messageRetentionDuration;
        const kept = retention === undefined ? now() : now() - durationMs(retention);
        return Math.min(kept, (snapshots.keptSince(topic) ?? Number.POSITIVE_INFINITY) / 1000);
      });
    });
    for (const { queue } of subscriptions.values()) queue.refresh();
  };
  const sweepAgain = (): void => {
    alarms.at(now() + sweepMs, () => {
      sweepAgain();
      sweep();
    });
  };

  return {
    publish,
    topic: (name: string): Topic => {
      const found = topics.get(name);
      if (found === undefined) throw notFound(name);
      return found;
    },
    topics: (project: string): readonly Topic[] =>
      [...topics.values()]
        .filter((topic) => topic.name.startsWith(`${project}/`))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    schemas,
    /** Messages as a topic takes them: checked against its schema where it has one. */
    checked: async (
      topic: string,
      messages: readonly OutgoingMessage[],
    ): Promise<readonly OutgoingMessage[]> => {
      const settings = topics.get(topic)?.schemaSettings;
      return settings === undefined ? messages : schemas.checkPublished(settings, messages);
    },
    hasSchema: (topic: string): boolean => topics.get(topic)?.schemaSettings !== undefined,
    deleteSchema: (name: string): void => {
      store.commit(() => {
        schemas.remove(name);
        for (const topic of topics.values()) {
          if (topic.schemaSettings?.schema !== name) continue;
          const orphan = {
            ...topic,
            schemaSettings: { ...topic.schemaSettings, schema: deletedSchema },
          };
          store.putTopic(orphan);
          topics.set(topic.name, orphan);
        }
      });
    },
    createTopic: (topic: Topic): Topic => {
      if (topics.has(topic.name)) throw alreadyExists(topic.name);
      store.putTopic(topic);
      topics.set(topic.name, topic);
      return topic;
    },
    updateTopic: (topic: Topic): Topic => {
      store.putTopic(topic);
      topics.set(topic.name, topic);
      return topic;
    },
    deleteTopic: (name: string): void => {
      if (!topics.has(name)) throw notFound(name);
      const orphans = [...(byTopic.get(name) ?? [])];
      flush();
      store.commit(() => {
        store.dropTopic(name);
        snapshots.orphan(name);
        for (const { queue } of orphans) {
          store.putSubscription(queue.row.id, { ...queue.row.config, topic: deletedTopic });
        }
      });
      topics.delete(name);
      byTopic.delete(name);
      for (const { queue } of orphans) {
        queue.update({ id: queue.row.id, config: { ...queue.row.config, topic: deletedTopic } });
      }
    },
    subscriptionsOf: (topic: string): readonly Subscription[] => {
      removeExpired();
      return [...(byTopic.get(topic) ?? [])].map(({ queue }) => queue.row.config);
    },
    subscription: (name: string): Subscription => find(name).queue.row.config,
    subscriptions: (project: string): readonly Subscription[] => {
      removeExpired();
      return [...subscriptions.values()]
        .map(({ queue }) => queue.row.config)
        .filter((config) => config.name.startsWith(`${project}/`))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
    createSubscription: (config: Subscription): Subscription => {
      const known = subscriptions.get(config.name);
      if (known !== undefined && !isRemoved(known)) throw alreadyExists(config.name);
      if (!topics.has(config.topic)) throw notFound(config.topic);
      const id = store.commit(() => {
        const added = store.addSubscription(config);
        store.putActivity(added, now());
        return added;
      });
      open({ id, config });
      return config;
    },
    changeSubscription: change,
    deleteSubscription: (name: string): void => {
      remove(find(name));
    },
    detach: (name: string): void => {
      const { queue } = find(name);
      flush();
      store.commit(() => {
        store.dropBacklog(queue.row.id);
        change(name, { ...queue.row.config, detached: true });
      });
      queue.reset();
    },
    /** Seeks to a time in milliseconds, or to a snapshot. */
    seek: (name: string, to: number | string): void => {
      const subscribed = use(name);
      const { row } = subscribed.queue;
      const { topic } = row.config;
      const snapshot = typeof to === "string" ? snapshots.find(to) : undefined;
      if (snapshot !== undefined && snapshot.config.topic !== topic) {
        throw new RpcError(
          "INVALID_ARGUMENT",
          `The snapshot ${snapshot.config.name} is of topic ${snapshot.config.topic}, the subscription of ${topic}: both must have one topic.`,
        );
      }
      flush();
      store.commit(() => {
        store.seek(row, targetOf(subscribed), {
          ...(snapshot === undefined
            ? { message: Math.min(Number(to) * 1000, Number.MAX_SAFE_INTEGER) }
            : { message: snapshot.since, snapshot: snapshot.id }),
          isTopicRetaining: snapshot !== undefined || isRetaining(topic),
        });
      });
      subscribed.queue.reset();
    },
    snapshot: (name: string): Snapshot => snapshots.find(name).config,
    snapshots: (project: string): readonly Snapshot[] =>
      snapshots.all().filter(({ name }) => name.startsWith(`${project}/`)),
    snapshotsOf: (topic: string): readonly Snapshot[] =>
      snapshots.all().filter((snapshot) => snapshot.topic === topic),
    createSnapshot: (name: string, subscription: string, labels: Snapshot["labels"]): Snapshot => {
      const { row } = use(subscription).queue;
      flush();
      const { topic } = row.config;
      return snapshots.create({ name, topic, ...(labels === undefined ? {} : { labels }) }, row.id);
    },
    updateSnapshot: (snapshot: Snapshot): Snapshot => {
      snapshots.put(snapshot);
      return snapshot;
    },
    deleteSnapshot: snapshots.remove,
    /** The queue of a subscription that is pulled. */
    pulled: (name: string): Queue => {
      const { queue } = use(name);
      const { config } = queue.row;
      if (config.detached === true) {
        throw new RpcError(
          "FAILED_PRECONDITION",
          `The subscription ${name} is detached from its topic. Delete it and create another.`,
        );
      }
      if ((config.pushConfig?.pushEndpoint ?? "") !== "") {
        throw new RpcError(
          "FAILED_PRECONDITION",
          "This method is not supported for this subscription type: it has a push endpoint. Clear it with ModifyPushConfig to pull.",
        );
      }
      return queue;
    },
    /** The queue of any subscription, for acknowledgements that come late. */
    queue: (name: string): Queue => find(name).queue,
    /** Commits acknowledgements before they are confirmed. */
    flush,
    sweep,
    policy: store.policy,
    putPolicy: store.putPolicy,
    start: (): void => {
      for (const { queue } of subscriptions.values()) queue.refresh();
      sweepAgain();
    },
    stop: (): void => {
      saveActivity();
      for (const { queue } of subscriptions.values()) {
        queue.close(new RpcError("UNAVAILABLE", "The local cloud is stopping."));
      }
      flush();
      isStopped = true;
      alarms.stop();
      pusher.stop();
    },
  };
}
