/** Messages owed to Pub/Sub: committed together with what caused them, removed only once published. */
import { z } from "zod";
import type { CloudContext, OutgoingMessage } from "../cloud.js";
import { RpcError } from "../protocol/service.js";

const batchMessagesMax = 100;
const batchBytesMax = 5_000_000;
const retryDelayMsMin = 200;
const retryDelayMsMax = 10_000;
const ageMsMax = 7 * 24 * 60 * 60 * 1000;

const row = z.object({
  id: z.number(),
  // libsql hands blobs out as bare memory.
  data: z.instanceof(ArrayBuffer).transform((bytes) => Buffer.from(bytes)),
  attributes: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.record(z.string(), z.string())),
  created_ms: z.number(),
});
type Row = z.infer<typeof row>;

/** A durable queue towards Pub/Sub topics, in order per topic. */
export interface Outbox {
  /** Adds a message; call it inside the transaction that makes the message true. */
  add(topic: string, message: OutgoingMessage): void;
  /** Publishes what waits, soon; calls in a row count once. */
  wake(): void;
  start(): void;
  stop(): Promise<void>;
}

interface Waiting {
  readonly attempts: number;
  readonly dueMs: number;
}

const takeWithinBytes = (rows: readonly Row[]): readonly Row[] => {
  let bytes = 0;
  const taken: Row[] = [];
  for (const item of rows) {
    bytes += item.data.length;
    if (taken.length > 0 && bytes > batchBytesMax) break;
    taken.push(item);
  }
  return taken;
};

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Opens the queue kept in `<product>_outbox`. */
export const outbox = (context: CloudContext, product: string): Outbox => {
  const { db } = context;
  const table = `${product}_outbox`;
  db.exec(
    `CREATE TABLE IF NOT EXISTS ${table} (
       id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, data BLOB NOT NULL,
       attributes TEXT NOT NULL, created_ms INTEGER NOT NULL);
     CREATE INDEX IF NOT EXISTS ${table}_by_topic ON ${table} (topic, id);`,
  );
  const insert = db.prepare(
    `INSERT INTO ${table} (topic, data, attributes, created_ms) VALUES (?, ?, ?, ?)`,
  );
  const topicsOwed = db.prepare(`SELECT DISTINCT topic FROM ${table}`);
  const oldest = db.prepare(
    `SELECT id, data, attributes, created_ms FROM ${table} WHERE topic = ? ORDER BY id LIMIT ?`,
  );
  const removeOne = db.prepare(`DELETE FROM ${table} WHERE id = ?`);
  const waiting = new Map<string, Waiting>();
  let isStarted = false;
  let isWoken = false;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const forget = (rows: readonly Row[]): void => {
    db.transaction(() => {
      for (const item of rows) removeOne.run(item.id);
    })();
  };

  const publish = async (topic: string, rows: readonly Row[]): Promise<void> => {
    const messages = rows.map(({ data, attributes }) => ({ data, attributes }));
    try {
      await context.services.pubsub.publish(topic, messages);
      forget(rows);
    } catch (error) {
      const isRefused = error instanceof RpcError && error.status === "INVALID_ARGUMENT";
      const [first] = rows;
      if (isRefused && rows.length > 1 && first !== undefined) {
        // One message of the batch is at fault; alone, it shows itself and the others pass.
        await publish(topic, [first]);
      } else if (isRefused) {
        context.log(`${product}: ${topic} refused a message for good: ${textOf(error)}`);
        forget(rows);
      } else {
        throw error;
      }
    }
  };

  const postpone = (topic: string, error: unknown): void => {
    const attempts = (waiting.get(topic)?.attempts ?? 0) + 1;
    const delayMs = Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** Math.min(attempts, 20));
    waiting.set(topic, { attempts, dueMs: performance.now() + delayMs });
    context.log(
      `${product}: ${topic} did not take a message (${textOf(error)}); trying again in ${delayMs} ms`,
    );
  };

  const drainTopic = async (topic: string): Promise<void> => {
    for (;;) {
      const rows = z.array(row).parse(oldest.all(topic, batchMessagesMax));
      const expired = rows.filter((item) => item.created_ms < context.now() - ageMsMax);
      if (expired.length > 0) {
        context.log(
          `${product}: ${expired.length} messages to ${topic} were given up after 7 days`,
        );
        forget(expired);
        continue;
      }
      const batch = takeWithinBytes(rows);
      if (batch.length === 0) return;
      try {
        await publish(topic, batch);
        waiting.delete(topic);
      } catch (error) {
        postpone(topic, error);
        return;
      }
    }
  };

  const drain = async (): Promise<void> => {
    isWoken = false;
    const owed = z.array(z.object({ topic: z.string() })).parse(topicsOwed.all());
    const topics = new Set(owed.map(({ topic }) => topic));
    for (const topic of waiting.keys()) if (!topics.has(topic)) waiting.delete(topic);
    for (const topic of topics) {
      if (!isStarted) return;
      if ((waiting.get(topic)?.dueMs ?? 0) <= performance.now()) await drainTopic(topic);
    }
  };

  const settle = (): void => {
    running = undefined;
    if (!isStarted) return;
    if (isWoken) {
      begin();
      return;
    }
    clearTimeout(timer);
    const next = Math.min(...[...waiting.values()].map((wait) => wait.dueMs));
    if (Number.isFinite(next)) {
      timer = setTimeout(begin, Math.max(10, next - performance.now()));
      timer.unref();
    }
  };

  const begin = (): void => {
    if (running !== undefined || !isStarted) return;
    running = drain()
      .catch((error: unknown) => {
        context.log(`${product}: the queue to Pub/Sub stumbled: ${textOf(error)}`);
      })
      .then(settle);
  };

  const wake = (): void => {
    isWoken = true;
    if (isStarted && running === undefined) setImmediate(begin);
  };

  return {
    add: (topic, message) => {
      insert.run(topic, message.data, JSON.stringify(message.attributes), context.now());
    },
    wake,
    start: () => {
      isStarted = true;
      wake();
    },
    stop: async () => {
      isStarted = false;
      clearTimeout(timer);
      await running;
    },
  };
};
