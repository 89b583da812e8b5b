/** Snapshots: what a subscription had not acknowledged at a moment, kept for up to a week. */
import type Database from "libsql";
import { z } from "zod";
import { RpcError } from "../protocol/service.js";
import { alreadyExists, deletedTopic, notFound } from "./names.js";
import { timestampMs, timestampOf, type Snapshot } from "./shapes.js";
import { dueNever, type Store } from "./store.js";

const lifeMsMax = 7 * 86_400_000;
const lifeMsMin = 3_600_000;

/** A snapshot as stored. */
export interface SnapshotRow {
  readonly config: Snapshot;
  /** The number under which the backlog holds its messages; below zero, where no subscription is. */
  readonly id: number;
  /** The first message that was published after it. */
  readonly since: number;
}

const schema = `
CREATE TABLE IF NOT EXISTS pubsub_snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, config TEXT NOT NULL, since INTEGER NOT NULL);
`;
const snapshotRow = z
  .object({ id: z.number(), config: z.string(), since: z.number() })
  .transform((row): SnapshotRow => ({
    id: -row.id,
    config: JSON.parse(row.config) as Snapshot,
    since: row.since,
  }));
const oldestRow = z.object({ message: z.number().nullable() });

/** The snapshots of one Pub/Sub. */
export type Snapshots = ReturnType<typeof makeSnapshots>;

/** Opens the snapshots' table. */
export function makeSnapshots(db: Database.Database, store: Store, now: () => number) {
  db.exec(schema);
  const sql = {
    all: db.prepare("SELECT id, config, since FROM pubsub_snapshots"),
    add: db.prepare("INSERT INTO pubsub_snapshots (name, config, since) VALUES (?, ?, ?)"),
    put: db.prepare("UPDATE pubsub_snapshots SET config = ? WHERE name = ?"),
    drop: db.prepare("DELETE FROM pubsub_snapshots WHERE name = ?"),
    dropPolicy: db.prepare("DELETE FROM pubsub_policies WHERE resource = ?"),
    oldest: db.prepare(
      `SELECT min(message) AS message FROM pubsub_backlog WHERE subscription = ? AND due_ms != ${dueNever.acked}`,
    ),
    // Nothing delivers from a snapshot: its messages wait where acknowledged ones do.
    copy: db.prepare(
      `INSERT INTO pubsub_backlog SELECT message, ?, ${dueNever.acked}, 0, NULL FROM pubsub_backlog
       WHERE subscription = ? AND due_ms != ${dueNever.acked}`,
    ),
  };
  const rows = new Map<string, SnapshotRow>();
  for (const row of sql.all.all().map((found) => snapshotRow.parse(found))) {
    rows.set(row.config.name, row);
  }

  const isOver = ({ config }: SnapshotRow): boolean => timestampMs(config.expireTime) <= now();

  const remove = (row: SnapshotRow): void => {
    store.commit(() => {
      sql.drop.run(row.config.name);
      sql.dropPolicy.run(row.config.name);
      store.dropBacklog(row.id);
    });
    rows.delete(row.config.name);
  };

  const find = (name: string): SnapshotRow => {
    const row = rows.get(name);
    if (row === undefined || isOver(row)) throw notFound(name);
    return row;
  };

  const put = (config: Snapshot): void => {
    const row = find(config.name);
    sql.put.run(JSON.stringify(config), config.name);
    rows.set(config.name, { ...row, config });
  };

  return {
    find,
    all: (): readonly Snapshot[] =>
      [...rows.values()]
        .filter((row) => !isOver(row))
        .map(({ config }) => config)
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    /** The first message that the topic must keep for its snapshots. */
    keptSince: (topic: string): number | undefined => {
      if (rows.size === 0) return undefined;
      const since = [...rows.values()]
        .filter((row) => row.config.topic === topic)
        .map((row) => row.since);
      return since.length === 0 ? undefined : Math.min(...since);
    },
    /** Keeps what a subscription has not acknowledged, and what is published from now on. */
    create: (
      wanted: Pick<Snapshot, "name" | "topic" | "labels">,
      subscription: number,
    ): Snapshot => {
      const former = rows.get(wanted.name);
      if (former !== undefined && !isOver(former)) throw alreadyExists(wanted.name);
      if (former !== undefined) remove(former);
      const { message: oldest } = oldestRow.parse(sql.oldest.get(subscription));
      const ageMs = oldest === null ? 0 : now() - oldest / 1000;
      const lifeMs = lifeMsMax - Math.max(0, ageMs);
      if (lifeMs < lifeMsMin) {
        throw new RpcError(
          "FAILED_PRECONDITION",
          "The subscription's backlog is too old: the snapshot would expire in less than an hour. Acknowledge the oldest messages, or seek past them, first.",
        );
      }
      const config = { ...wanted, expireTime: timestampOf(Math.floor(now() + lifeMs)) };
      const since = store.nextMessage();
      store.commit(() => {
        const added = sql.add.run(config.name, JSON.stringify(config), since);
        const id = -Number(added.lastInsertRowid);
        sql.copy.run(id, subscription);
        rows.set(config.name, { id, config, since });
      });
      return config;
    },
    put: (config: Snapshot): void => {
      const lifeMs = timestampMs(config.expireTime) - now();
      if (!(lifeMs > 0 && lifeMs <= lifeMsMax)) {
        throw new RpcError(
          "INVALID_ARGUMENT",
          "Invalid snapshot.expire_time: it must lie in the next 7 days.",
        );
      }
      put(config);
    },
    remove: (name: string): void => {
      remove(find(name));
    },
    /** A topic's snapshots outlive it, under the name that a deleted topic has everywhere. */
    orphan: (topic: string): void => {
      for (const row of rows.values()) {
        if (row.config.topic === topic && !isOver(row)) put({ ...row.config, topic: deletedTopic });
      }
    },
    sweep: (): void => {
      for (const row of rows.values()) if (isOver(row)) remove(row);
    },
  };
}
