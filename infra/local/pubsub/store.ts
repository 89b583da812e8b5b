/** Pub/Sub's rows: topics, subscriptions, messages, and each subscription's backlog of them. */
import type Database from "libsql";
import { z } from "zod";
import type { OutgoingMessage } from "../cloud.js";
import type { Subscription, Topic } from "./shapes.js";

/** Due times that stand for states: a message behind another one of its key, and one acknowledged but retained. */
export const dueNever = { held: 9_000_000_000_000_000, acked: 9_001_000_000_000_000 } as const;

/** A message as stored. Its id is its publish time in microseconds, made unique. */
export interface StoredMessage {
  readonly id: number;
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey: string;
}

/** A subscription and the number that its backlog is kept under. */
export interface SubscriptionRow {
  readonly id: number;
  readonly config: Subscription;
}

/** A message of a backlog that may be delivered. */
export interface BacklogRow {
  readonly message: number;
  /** Deliveries that failed so far. */
  readonly attempts: number;
}

/** What became of a delivered message. */
export type Outcome =
  | { readonly kind: "acked"; readonly subscription: SubscriptionRow; readonly message: number }
  | {
      readonly kind: "failed";
      readonly subscription: SubscriptionRow;
      readonly message: number;
      readonly attempts: number;
      readonly dueMs: number;
    };

/** Where a published message goes. */
export interface Target {
  readonly id: number;
  readonly isOrdered: boolean;
  readonly accepts: (attributes: Readonly<Record<string, string>>) => boolean;
}

/** A published message, the subscriptions where it may be delivered at once, and those where its key has earlier ones. */
export interface Published {
  readonly message: StoredMessage;
  readonly readyIn: readonly number[];
  readonly behindIn: readonly number[];
}

const json = z.string().transform((text): unknown => JSON.parse(text));
const topicRow = z.object({ config: json }).transform((row) => row.config as Topic);
const subscriptionRow = z
  .object({ id: z.number(), config: json })
  .transform((row): SubscriptionRow => ({ id: row.id, config: row.config as Subscription }));
const messageRow = z
  .object({
    id: z.number(),
    data: z.instanceof(Uint8Array),
    attributes: json,
    ordering_key: z.string(),
  })
  .transform((row): StoredMessage => ({
    id: row.id,
    data: Buffer.from(row.data),
    attributes: row.attributes as Record<string, string>,
    orderingKey: row.ordering_key,
  }));
const backlogRow = z.object({ message: z.number(), attempts: z.number() });
const keyedRow = backlogRow.extend({ ordering_key: z.string().nullable() });
const dueRow = z.object({ due_ms: z.number().nullable() });
const idRow = z.object({ id: z.number().nullable() });
const activityRow = z.object({ active_ms: z.number() });
const countRow = z.object({ count: z.number() });

const schema = `
CREATE TABLE IF NOT EXISTS pubsub_topics (name TEXT PRIMARY KEY, config TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pubsub_subscriptions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, config TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pubsub_messages (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, data BLOB NOT NULL, attributes TEXT NOT NULL,
  ordering_key TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS pubsub_messages_by_topic ON pubsub_messages (topic, id);
CREATE TABLE IF NOT EXISTS pubsub_backlog (
  message INTEGER NOT NULL, subscription INTEGER NOT NULL, due_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL, ordering_key TEXT, PRIMARY KEY (message, subscription)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pubsub_backlog_by_due ON pubsub_backlog (subscription, due_ms, message);
CREATE INDEX IF NOT EXISTS pubsub_backlog_by_key ON pubsub_backlog (subscription, ordering_key, message)
  WHERE ordering_key IS NOT NULL;
CREATE TABLE IF NOT EXISTS pubsub_activity (subscription INTEGER PRIMARY KEY, active_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pubsub_policies (resource TEXT PRIMARY KEY, policy TEXT NOT NULL) WITHOUT ROWID;
`;

/** What a snapshot keeps stands in the backlog under its own number; under 0 stands nothing. */
const inSnapshot = "SELECT message FROM pubsub_backlog WHERE subscription = ?";

/** Where a subscription is sought to. */
export interface SeekPoint {
  /** The first message that counts as unacknowledged, with all that follow it. */
  readonly message: number;
  /** The number of the snapshot whose messages are unacknowledged too. */
  readonly snapshot?: number;
  /** Whether messages that left the backlog may be found under the topic. */
  readonly isTopicRetaining: boolean;
}

/** All reading and writing of rows. */
export type Store = ReturnType<typeof makeStore>;

/** Opens the tables. */
export function makeStore(db: Database.Database, now: () => number) {
  db.exec(schema);
  const sql = {
    topics: db.prepare("SELECT config FROM pubsub_topics ORDER BY name"),
    putTopic: db.prepare("INSERT OR REPLACE INTO pubsub_topics VALUES (?, ?)"),
    dropTopic: db.prepare("DELETE FROM pubsub_topics WHERE name = ?"),
    subscriptions: db.prepare("SELECT id, config FROM pubsub_subscriptions ORDER BY name"),
    addSubscription: db.prepare("INSERT INTO pubsub_subscriptions (name, config) VALUES (?, ?)"),
    putSubscription: db.prepare("UPDATE pubsub_subscriptions SET config = ? WHERE id = ?"),
    dropSubscription: db.prepare("DELETE FROM pubsub_subscriptions WHERE id = ?"),
    activity: db.prepare("SELECT active_ms FROM pubsub_activity WHERE subscription = ?"),
    putActivity: db.prepare(
      `INSERT INTO pubsub_activity VALUES (?, ?) ON CONFLICT (subscription) DO UPDATE SET active_ms = excluded.active_ms
       WHERE active_ms != excluded.active_ms`,
    ),
    dropActivity: db.prepare("DELETE FROM pubsub_activity WHERE subscription = ?"),
    addMessage: db.prepare("INSERT INTO pubsub_messages VALUES (?, ?, ?, ?, ?)"),
    message: db.prepare(
      "SELECT id, data, attributes, ordering_key FROM pubsub_messages WHERE id = ?",
    ),
    lastMessage: db.prepare("SELECT max(id) AS id FROM pubsub_messages"),
    dropMessage: db.prepare(
      "DELETE FROM pubsub_messages WHERE id = ? AND NOT EXISTS (SELECT 1 FROM pubsub_backlog WHERE message = ?)",
    ),
    addBacklog: db.prepare("INSERT OR REPLACE INTO pubsub_backlog VALUES (?, ?, ?, 0, ?)"),
    dropBacklog: db.prepare("DELETE FROM pubsub_backlog WHERE message = ? AND subscription = ?"),
    dropBacklogs: db.prepare("DELETE FROM pubsub_backlog WHERE subscription = ?"),
    setDue: db.prepare(
      "UPDATE pubsub_backlog SET due_ms = ?, attempts = ? WHERE message = ? AND subscription = ?",
    ),
    retain: db.prepare(
      `UPDATE pubsub_backlog SET due_ms = ${dueNever.acked} WHERE message = ? AND subscription = ?`,
    ),
    due: db.prepare(
      "SELECT message, attempts FROM pubsub_backlog WHERE subscription = ? AND due_ms <= ? ORDER BY due_ms, message LIMIT ?",
    ),
    nextDue: db.prepare(
      `SELECT min(due_ms) AS due_ms FROM pubsub_backlog WHERE subscription = ? AND due_ms > ? AND due_ms < ${dueNever.held}`,
    ),
    keyOf: db.prepare(
      "SELECT message, attempts, ordering_key FROM pubsub_backlog WHERE message = ? AND subscription = ?",
    ),
    firstOfKey: db.prepare(
      `SELECT message, attempts FROM pubsub_backlog WHERE subscription = ? AND ordering_key = ? AND due_ms != ${dueNever.acked} ORDER BY message LIMIT 1`,
    ),
    nextOfKey: db.prepare(
      `SELECT message, attempts FROM pubsub_backlog WHERE subscription = ? AND ordering_key = ? AND message > ? AND due_ms != ${dueNever.acked} ORDER BY message LIMIT 1`,
    ),
    countUnacked: db.prepare(
      `SELECT count(*) AS count FROM pubsub_backlog WHERE subscription = ? AND due_ms <= ${dueNever.held}`,
    ),
    expire: db.prepare("DELETE FROM pubsub_backlog WHERE subscription = ? AND message < ?"),
    dropOrphans: db.prepare(
      "DELETE FROM pubsub_messages WHERE topic = ? AND id < ? AND NOT EXISTS (SELECT 1 FROM pubsub_backlog WHERE message = pubsub_messages.id)",
    ),
    topicsOfMessages: db.prepare("SELECT DISTINCT topic AS name FROM pubsub_messages"),
    ackBefore: db.prepare(
      `DELETE FROM pubsub_backlog WHERE subscription = ? AND message < ? AND message NOT IN (${inSnapshot})`,
    ),
    retainBefore: db.prepare(
      `UPDATE pubsub_backlog SET due_ms = ${dueNever.acked} WHERE subscription = ? AND message < ? AND message NOT IN (${inSnapshot})
       AND due_ms != ${dueNever.acked}`,
    ),
    revive: db.prepare(
      `UPDATE pubsub_backlog SET due_ms = ?, attempts = 0 WHERE subscription = ? AND (message >= ? OR message IN (${inSnapshot}))`,
    ),
    since: db.prepare(
      `SELECT id, attributes, ordering_key FROM pubsub_messages WHERE (topic = ? AND id >= ?) OR id IN (${inSnapshot}) ORDER BY id`,
    ),
    holdSuccessors: db.prepare(
      `UPDATE pubsub_backlog SET due_ms = ${dueNever.held} WHERE subscription = ? AND ordering_key IS NOT NULL AND due_ms != ${dueNever.acked}
       AND EXISTS (SELECT 1 FROM pubsub_backlog AS earlier WHERE earlier.subscription = pubsub_backlog.subscription
         AND earlier.ordering_key = pubsub_backlog.ordering_key AND earlier.message < pubsub_backlog.message
         AND earlier.due_ms != ${dueNever.acked})`,
    ),
    releaseHeads: db.prepare(
      `UPDATE pubsub_backlog SET due_ms = ? WHERE subscription = ? AND due_ms = ${dueNever.held}
       AND NOT EXISTS (SELECT 1 FROM pubsub_backlog AS earlier WHERE earlier.subscription = pubsub_backlog.subscription
         AND earlier.ordering_key = pubsub_backlog.ordering_key AND earlier.message < pubsub_backlog.message
         AND earlier.due_ms != ${dueNever.acked})`,
    ),
    policy: db.prepare("SELECT policy FROM pubsub_policies WHERE resource = ?"),
    putPolicy: db.prepare("INSERT OR REPLACE INTO pubsub_policies VALUES (?, ?)"),
    dropPolicy: db.prepare("DELETE FROM pubsub_policies WHERE resource = ?"),
    begin: db.prepare("BEGIN IMMEDIATE"),
    end: db.prepare("COMMIT"),
  };
  let lastId = idRow.parse(sql.lastMessage.get()).id ?? 0;

  /** One commit; joins the caller's transaction where there is one. */
  const commit = <Result>(work: () => Result): Result => {
    if (db.inTransaction) return work();
    sql.begin.run([]);
    try {
      const result = work();
      sql.end.run([]);
      return result;
    } catch (error) {
      if (db.inTransaction) db.exec("ROLLBACK");
      throw error;
    }
  };

  const addTo = (target: Target, message: StoredMessage, dueMs: number): boolean => {
    if (!target.accepts(message.attributes)) return false;
    const key = target.isOrdered && message.orderingKey !== "" ? message.orderingKey : null;
    const isBehind = key !== null && sql.firstOfKey.get(target.id, key) !== undefined;
    sql.addBacklog.run(message.id, target.id, isBehind ? dueNever.held : dueMs, key);
    return !isBehind;
  };

  /** Takes a message out of a backlog; returns the next one of its key, now due. */
  const settle = (
    subscription: SubscriptionRow,
    message: number,
    isTopicRetaining: boolean,
  ): BacklogRow | undefined => {
    const { enableMessageOrdering, retainAckedMessages } = subscription.config;
    if (enableMessageOrdering !== true && retainAckedMessages !== true) {
      // No message of such a subscription has a key, which saves looking for it.
      const { changes } = sql.dropBacklog.run(message, subscription.id);
      if (changes > 0 && !isTopicRetaining) sql.dropMessage.run(message, message);
      return undefined;
    }
    const row = sql.keyOf.get(message, subscription.id);
    if (row === undefined) return undefined;
    const key = keyedRow.parse(row).ordering_key;
    if (retainAckedMessages === true) sql.retain.run(message, subscription.id);
    else {
      sql.dropBacklog.run(message, subscription.id);
      if (!isTopicRetaining) sql.dropMessage.run(message, message);
    }
    if (key === null) return undefined;
    const next = sql.firstOfKey.get(subscription.id, key);
    if (next === undefined) return undefined;
    const first = backlogRow.parse(next);
    sql.setDue.run(now(), first.attempts, first.message, subscription.id);
    return first;
  };

  return {
    commit,
    topics: (): readonly Topic[] => sql.topics.all().map((row) => topicRow.parse(row)),
    putTopic: (topic: Topic): void => {
      sql.putTopic.run(topic.name, JSON.stringify(topic));
    },
    dropTopic: (name: string): void => {
      sql.dropTopic.run(name);
      sql.dropPolicy.run(name);
    },
    subscriptions: (): readonly SubscriptionRow[] =>
      sql.subscriptions.all().map((row) => subscriptionRow.parse(row)),
    addSubscription: (config: Subscription): number =>
      Number(sql.addSubscription.run(config.name, JSON.stringify(config)).lastInsertRowid),
    putSubscription: (id: number, config: Subscription): void => {
      sql.putSubscription.run(JSON.stringify(config), id);
    },
    /** When a subscription was last in use, as far as it was written down. */
    activeMs: (id: number): number | undefined => {
      const row = sql.activity.get(id);
      return row === undefined ? undefined : activityRow.parse(row).active_ms;
    },
    putActivity: (id: number, activeMs: number): void => {
      sql.putActivity.run(id, activeMs);
    },
    /** Empties a subscription's backlog. */
    dropBacklog: (id: number): void => {
      sql.dropBacklogs.run(id);
    },
    dropSubscription: (id: number, name: string): void => {
      sql.dropBacklogs.run(id);
      sql.dropSubscription.run(id);
      sql.dropActivity.run(id);
      sql.dropPolicy.run(name);
    },
    /** Stores messages and puts them into the backlogs that accept them. */
    publish: (
      topic: string,
      messages: readonly OutgoingMessage[],
      targets: readonly Target[],
      isTopicRetaining: boolean,
    ): readonly Published[] =>
      messages.map(({ data, attributes, orderingKey = "" }): Published => {
        lastId = Math.max(lastId + 1, now() * 1000);
        const message: StoredMessage = { id: lastId, data, attributes, orderingKey };
        const taking = targets.filter((target) => target.accepts(attributes));
        if (taking.length > 0 || isTopicRetaining) {
          sql.addMessage.run(message.id, topic, data, JSON.stringify(attributes), orderingKey);
        }
        const dueMs = now();
        const readyIn: number[] = [];
        const behindIn: number[] = [];
        for (const target of taking) {
          (addTo(target, message, dueMs) ? readyIn : behindIn).push(target.id);
        }
        return { message, readyIn, behindIn };
      }),
    message: (id: number): StoredMessage | undefined => {
      const row = sql.message.get(id);
      return row === undefined ? undefined : messageRow.parse(row);
    },
    isUnacked: (id: number, message: number): boolean => sql.keyOf.get(message, id) !== undefined,
    /** Messages that may be delivered, oldest due first. */
    due: (id: number, limit: number): readonly BacklogRow[] =>
      sql.due.all(id, now(), limit).map((row) => backlogRow.parse(row)),
    /** The message of a key that comes after another one. */
    nextOfKey: (id: number, key: string, after: number): BacklogRow | undefined => {
      const row = sql.nextOfKey.get(id, key, after);
      return row === undefined ? undefined : backlogRow.parse(row);
    },
    nextDueMs: (id: number): number | undefined =>
      dueRow.parse(sql.nextDue.get(id, now())).due_ms ?? undefined,
    countUnacked: (id: number): number => countRow.parse(sql.countUnacked.get(id)).count,
    settle,
    fail: (id: number, message: number, attempts: number, dueMs: number): void => {
      sql.setDue.run(dueMs, attempts, message, id);
    },
    /** Drops what outlived its retention. */
    expire: (id: number, beforeMs: number): void => {
      sql.expire.run(id, beforeMs * 1000);
      sql.releaseHeads.run(now(), id);
    },
    dropOrphans: (retainedSinceMs: (topic: string) => number): void => {
      for (const row of sql.topicsOfMessages.all()) {
        const { name } = z.object({ name: z.string() }).parse(row);
        sql.dropOrphans.run(name, Math.min(retainedSinceMs(name) * 1000, Number.MAX_SAFE_INTEGER));
      }
    },
    /** The id that no message has reached yet. */
    nextMessage: (): number => lastId + 1,
    /** Marks everything before a point acknowledged and everything since then not. */
    seek: (subscription: SubscriptionRow, target: Target, point: SeekPoint): void => {
      const { id, config } = subscription;
      const { message, snapshot = 0, isTopicRetaining } = point;
      if (config.retainAckedMessages === true) sql.retainBefore.run(id, message, snapshot);
      else sql.ackBefore.run(id, message, snapshot);
      sql.revive.run(now(), id, message, snapshot);
      const light = z.object({ id: z.number(), attributes: json, ordering_key: z.string() });
      const retained = isTopicRetaining ? sql.since.all(config.topic, message, snapshot) : [];
      for (const row of retained) {
        const found = light.parse(row);
        if (sql.keyOf.get(found.id, id) !== undefined) continue;
        const attributes = found.attributes as Record<string, string>;
        addTo(
          target,
          { id: found.id, data: Buffer.alloc(0), attributes, orderingKey: found.ordering_key },
          now(),
        );
      }
      sql.holdSuccessors.run(id);
    },
    policy: (resource: string): unknown => {
      const row = sql.policy.get(resource);
      return row === undefined ? undefined : z.object({ policy: json }).parse(row).policy;
    },
    putPolicy: (resource: string, policy: unknown): void => {
      sql.putPolicy.run(resource, JSON.stringify(policy));
    },
  };
}
