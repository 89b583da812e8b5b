/** Delivery of one subscription: what is ready, what is out, and what becomes of it. */
import { RpcError } from "../protocol/service.js";
import type { Activity } from "./activity.js";
import type { Alarm, Alarms } from "./alarms.js";
import { durationMs, timestampOf, type ReceivedMessage, type Subscription } from "./shapes.js";
import {
  dueNever,
  type Outcome,
  type Store,
  type StoredMessage,
  type SubscriptionRow,
} from "./store.js";

/** Messages ready in memory per subscription; the rest waits in the database. */
const readyMax = 1000;
const bodyBytesMax = 32 * 1024 * 1024;
const leasedBytesMax = 16 * 1024;
const troubleRetryMs = 1000;

/** A message on its way to a subscriber. */
export interface Delivery {
  readonly message: StoredMessage;
  readonly ackId: string;
  /** The number of this delivery, from 1; approximate, as the real one. */
  readonly attempt: number;
  /** Ends the lease as delivered, as failed, or as never sent. */
  readonly settle: (outcome: "acked" | "failed" | "unsent") => void;
}

/** Somebody who takes messages. */
export interface Consumer {
  /** How many it would take now. */
  readonly wants: () => number;
  readonly give: (delivery: Delivery) => void;
  /** Whether it takes a key's messages one behind the other, before the earlier ones are acknowledged. */
  readonly takesRuns?: boolean;
  /** Told when a message given to it is settled. */
  readonly onSettled?: (ackId: string) => void;
  /** How long a message may be out, where it is not the subscription's time; undefined: watched by the consumer. */
  readonly deadlineSeconds: ((subscription: Subscription) => number) | undefined;
  /** Told when the subscription goes away or changes hands. */
  readonly onClosed: (reason: RpcError) => void;
}

/** What a queue needs of the rest of Pub/Sub. */
export interface QueueDependencies {
  readonly store: Store;
  readonly alarms: Alarms;
  readonly now: () => number;
  /** Writes an outcome with the next commit; `done` runs after it. */
  readonly record: (outcome: Outcome, done: () => void) => void;
  /** Commits what is recorded. */
  readonly flush: () => void;
  /** Moves a message to the dead-letter topic; false where that is impossible. */
  readonly deadLetter: (row: SubscriptionRow, message: StoredMessage, attempts: number) => boolean;
  /** Bytes of message bodies held in memory by all queues. */
  readonly held: { bytes: number };
  readonly activity: Activity;
  readonly log: (line: string) => void;
}

interface Ready {
  readonly id: number;
  readonly attempts: number;
  readonly body?: StoredMessage;
}

interface Lease {
  readonly ready: Ready;
  readonly generation: number;
  readonly ackId: string;
  readonly consumer: Consumer;
  /** The ordering key, empty where the subscription keeps no order. */
  readonly key: string;
  alarm: Alarm | undefined;
}

/** The messages of a key that are out with one consumer, in order. */
interface Run {
  readonly consumer: Consumer;
  readonly out: Set<number>;
  last: number;
  /** One of them came back: nothing follows until the others are settled. */
  isBroken: boolean;
}

let generations = Date.now();

/** A subscription's queue. */
export type Queue = ReturnType<typeof makeQueue>;

const ackIdPattern = /^([0-9a-z]+)-([0-9a-z]+)-([0-9a-z]+)$/;

/** Makes the queue of a subscription. */
export function makeQueue(first: SubscriptionRow, needs: QueueDependencies) {
  const { store, alarms, now, held, activity, log } = needs;
  let row = first;
  let ready: Ready[] = [];
  /** Ready, out, or being written: what a load must leave alone. */
  const known = new Set<number>();
  const leases = new Map<number, Lease>();
  const consumers: Consumer[] = [];
  const runs = new Map<string, Run>();
  /** Keys whose runs may have a next message. */
  const growing = new Set<string>();
  let turn = 0;
  /** Whether the database may hold due messages that are not in memory. */
  let hasMore = true;
  let wakeAtMs = Number.POSITIVE_INFINITY;
  let wake: Alarm | undefined;
  let isPumpQueued = false;
  let isClosed = false;

  const bytesOf = (entry: Ready): number => entry.body?.data.length ?? 0;

  /** Delivers; a database that fails now is asked again later. */
  const tryPump = (): void => {
    try {
      pump();
    } catch (error) {
      log(
        `${row.config.name} cannot deliver: ${error instanceof Error ? error.message : String(error)}`,
      );
      hasMore = true;
      alarms.at(now() + troubleRetryMs, tryPump);
    }
  };

  const pumpSoon = (): void => {
    if (isPumpQueued || isClosed) return;
    isPumpQueued = true;
    queueMicrotask(() => {
      isPumpQueued = false;
      tryPump();
    });
  };

  const wakeAt = (timeMs: number): void => {
    if (timeMs >= wakeAtMs) return;
    wake?.cancel();
    wakeAtMs = timeMs;
    wake = alarms.at(timeMs, () => {
      wakeAtMs = Number.POSITIVE_INFINITY;
      hasMore = true;
      tryPump();
    });
  };

  const load = (): void => {
    needs.flush();
    const limit = readyMax + known.size;
    const rows = store.due(row.id, limit);
    for (const { message, attempts } of rows) {
      if (ready.length >= readyMax) break;
      if (known.has(message)) continue;
      known.add(message);
      ready.push({ id: message, attempts });
    }
    hasMore = rows.length === limit;
    const next = hasMore ? undefined : store.nextDueMs(row.id);
    if (next !== undefined) wakeAt(next);
  };

  const takeReady = (): (Ready & { readonly body: StoredMessage }) | undefined => {
    for (;;) {
      if (ready.length === 0 && hasMore) load();
      const entry = ready.shift();
      if (entry === undefined) return undefined;
      held.bytes -= bytesOf(entry);
      const body = entry.body ?? store.message(entry.id);
      if (body !== undefined) return { ...entry, body };
      known.delete(entry.id);
    }
  };

  const putBack = (entry: Ready): void => {
    const body = held.bytes < bodyBytesMax ? entry.body : undefined;
    const kept: Ready = {
      id: entry.id,
      attempts: entry.attempts,
      ...(body === undefined ? {} : { body }),
    };
    held.bytes += bytesOf(kept);
    ready.unshift(kept);
  };

  /** When a message that failed may be delivered again. */
  const retryDueMs = (attempts: number): number => {
    const policy = row.config.retryPolicy;
    if (policy === undefined) return now();
    const minimumMs = durationMs(policy.minimumBackoff ?? { seconds: 10 });
    const maximumMs = durationMs(policy.maximumBackoff ?? { seconds: 600 });
    return now() + Math.min(maximumMs, minimumMs * 2 ** Math.min(attempts - 1, 40));
  };

  /** Moves a message that failed too often; where that fails too, it stays and is retried. */
  const isDeadLettered = (entry: Ready, attempts: number): boolean => {
    const policy = row.config.deadLetterPolicy;
    if (policy === undefined || attempts < (policy.maxDeliveryAttempts ?? 5)) return false;
    try {
      const body = entry.body ?? store.message(entry.id);
      return body !== undefined && needs.deadLetter(row, body, attempts);
    } catch (error) {
      log(
        `${row.config.name} cannot dead-letter: ${error instanceof Error ? error.message : String(error)}`,
      );
      return false;
    }
  };

  const fail = (entry: Ready): void => {
    const attempts = entry.attempts + 1;
    if (isDeadLettered(entry, attempts)) {
      known.delete(entry.id);
      return;
    }
    const dueMs = retryDueMs(attempts);
    const isNow = dueMs <= now();
    if (isNow && ready.length < readyMax) {
      needs.record(
        { kind: "failed", subscription: row, message: entry.id, attempts, dueMs },
        () => undefined,
      );
      // Behind what waits already: one poisonous message must not keep the others from their turn.
      const kept = held.bytes < bodyBytesMax ? entry.body : undefined;
      const again: Ready = {
        id: entry.id,
        attempts,
        ...(kept === undefined ? {} : { body: kept }),
      };
      held.bytes += bytesOf(again);
      ready.push(again);
    } else {
      needs.record(
        { kind: "failed", subscription: row, message: entry.id, attempts, dueMs },
        () => {
          known.delete(entry.id);
          if (isNow) hasMore = true;
          else wakeAt(dueMs);
          pumpSoon();
        },
      );
    }
  };

  /** Gives back a message that must wait for an earlier one of its key, which is still out. */
  const holdBack = (entry: Ready): void => {
    const attempts = entry.attempts + 1;
    if (isDeadLettered(entry, attempts)) {
      known.delete(entry.id);
      return;
    }
    needs.record(
      { kind: "failed", subscription: row, message: entry.id, attempts, dueMs: dueNever.held },
      () => known.delete(entry.id),
    );
  };

  /** Takes back what was given out behind a message that failed: it comes again after it. */
  const breakRun = (key: string, run: Run, failed: number): void => {
    run.isBroken = true;
    growing.delete(key);
    for (const id of [...run.out].filter((one) => one > failed)) {
      const lease = leases.get(id);
      lease?.alarm?.cancel();
      leases.delete(id);
      known.delete(id);
      run.out.delete(id);
      lease?.consumer.onSettled?.(lease.ackId);
    }
  };

  /** Ends a message's part in its key's run; returns whether an earlier one is still out. */
  const leaveRun = (lease: Lease, outcome: "acked" | "failed" | "unsent"): boolean => {
    const run = runs.get(lease.key);
    const { id } = lease.ready;
    if (run === undefined || !run.out.delete(id)) return false;
    if (outcome !== "acked") breakRun(lease.key, run, id);
    if (run.out.size === 0) {
      runs.delete(lease.key);
      growing.delete(lease.key);
    }
    return outcome !== "acked" && [...run.out].some((one) => one < id);
  };

  const acked = (message: number): void => {
    activity.touch();
    known.add(message);
    needs.record({ kind: "acked", subscription: row, message }, () => {
      known.delete(message);
    });
  };

  const endLease = (lease: Lease, outcome: "acked" | "failed" | "unsent"): void => {
    if (leases.get(lease.ready.id) !== lease) return;
    leases.delete(lease.ready.id);
    lease.alarm?.cancel();
    if (!isClosed) {
      const isBehind = leaveRun(lease, outcome);
      if (outcome === "acked") acked(lease.ready.id);
      else if (outcome === "failed") (isBehind ? holdBack : fail)(lease.ready);
      else if (isBehind) known.delete(lease.ready.id);
      else putBack(lease.ready);
    }
    lease.consumer.onSettled?.(lease.ackId);
    pumpSoon();
  };

  const lend = (entry: Ready & { readonly body: StoredMessage }, consumer: Consumer): void => {
    generations += 1;
    const generation = generations;
    const delivery: Delivery = {
      message: entry.body,
      ackId: `${row.id.toString(36)}-${entry.id.toString(36)}-${generation.toString(36)}`,
      attempt: entry.attempts + 1,
      settle: (outcome) => {
        endLease(lease, outcome);
      },
    };
    const { body, ...light } = entry;
    const lease: Lease = {
      // What is out may be out for long: only small bodies stay in memory for a possible retry.
      ready: body.data.length > leasedBytesMax ? light : entry,
      generation,
      ackId: delivery.ackId,
      consumer,
      key: row.config.enableMessageOrdering === true ? body.orderingKey : "",
      alarm: undefined,
    };
    leases.set(entry.id, lease);
    if (lease.key !== "" && consumer.takesRuns === true) joinRun(lease);
    if (consumer.deadlineSeconds !== undefined) {
      watch(lease, consumer.deadlineSeconds(row.config) * 1000);
    }
    consumer.give(delivery);
  };

  const joinRun = ({ key, ready: { id }, consumer }: Lease): void => {
    const former = runs.get(key);
    const run: Run =
      former !== undefined && former.consumer === consumer && !former.isBroken
        ? former
        : { consumer, out: new Set(), last: id, isBroken: false };
    run.out.add(id);
    run.last = id;
    runs.set(key, run);
    growing.add(key);
  };

  /** Lets each run go on with its key's next messages, as far as its consumer wants more. */
  const grow = (): void => {
    if (growing.size > 0) needs.flush();
    for (const key of growing) {
      const run = runs.get(key);
      for (;;) {
        if (run === undefined || !consumers.includes(run.consumer)) {
          growing.delete(key);
          break;
        }
        if (run.consumer.wants() <= 0) break;
        const next = store.nextOfKey(row.id, key, run.last);
        const body =
          next === undefined || known.has(next.message) ? undefined : store.message(next.message);
        if (next === undefined || body === undefined) {
          growing.delete(key);
          break;
        }
        known.add(next.message);
        lend({ id: next.message, attempts: next.attempts, body }, run.consumer);
      }
    }
  };

  const watch = (lease: Lease, ms: number): void => {
    lease.alarm?.cancel();
    lease.alarm = alarms.at(now() + ms, () => {
      endLease(lease, "failed");
    });
  };

  function pump(): void {
    if (isClosed || row.config.detached === true) return;
    for (;;) {
      let consumer: Consumer | undefined;
      for (let offset = 0; offset < consumers.length && consumer === undefined; offset += 1) {
        const candidate = consumers[(turn + offset) % consumers.length];
        if (candidate !== undefined && candidate.wants() > 0) {
          consumer = candidate;
          turn = (turn + offset + 1) % consumers.length;
        }
      }
      const entry = consumer === undefined ? undefined : takeReady();
      if (consumer === undefined || entry === undefined) break;
      lend(entry, consumer);
    }
    grow();
  }

  const parseAckId = (ackId: string): { readonly message: number; readonly generation: number } => {
    const found = ackIdPattern.exec(ackId);
    if (found === null || Number.parseInt(found[1] ?? "", 36) !== row.id) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `You have passed an invalid ack ID to the service (ack_id=${ackId.slice(0, 200)}).`,
      );
    }
    return {
      message: Number.parseInt(found[2] ?? "", 36),
      generation: Number.parseInt(found[3] ?? "", 36),
    };
  };
  const currentLease = (ackId: string): Lease | undefined => {
    const { message, generation } = parseAckId(ackId);
    const lease = leases.get(message);
    return lease?.generation === generation ? lease : undefined;
  };

  return {
    get row(): SubscriptionRow {
      return row;
    },
    /** A message that was just published here and may go out at once. */
    offer: (message: StoredMessage): void => {
      if (ready.length >= readyMax || hasMore) {
        hasMore = true;
      } else {
        known.add(message.id);
        const entry: Ready =
          held.bytes < bodyBytesMax
            ? { id: message.id, attempts: 0, body: message }
            : { id: message.id, attempts: 0 };
        held.bytes += bytesOf(entry);
        ready.push(entry);
      }
      pumpSoon();
    },
    /** A message of a key that was just published here behind earlier ones. */
    follow: (key: string): void => {
      if (runs.get(key)?.isBroken !== false) return;
      growing.add(key);
      pumpSoon();
    },
    /** Looks into the database again. */
    refresh: (): void => {
      hasMore = true;
      pumpSoon();
    },
    pumpSoon,
    attach: (consumer: Consumer): (() => void) => {
      consumers.push(consumer);
      // The pusher is always there: it counts when it delivers.
      const release = consumer.deadlineSeconds === undefined ? undefined : activity.hold();
      pumpSoon();
      return () => {
        release?.();
        const at = consumers.indexOf(consumer);
        if (at !== -1) consumers.splice(at, 1);
      };
    },
    /** Acknowledges; false when exactly-once delivery is on and the lease is over. */
    ack: (ackId: string): boolean => {
      const { message } = parseAckId(ackId);
      const current = currentLease(ackId);
      if (row.config.enableExactlyOnceDelivery === true && current === undefined) return false;
      const lease = current ?? leases.get(message);
      if (lease !== undefined) {
        endLease(lease, "acked");
        return true;
      }
      // Late, and good all the same: the work was done.
      const waiting = ready.find((entry) => entry.id === message);
      if (waiting !== undefined) {
        held.bytes -= bytesOf(waiting);
        ready = ready.filter((entry) => entry !== waiting);
      }
      acked(message);
      return true;
    },
    /** Sets how much longer a message may be out; 0 gives it back. False when its lease is over. */
    extend: (ackId: string, seconds: number): boolean => {
      const lease = currentLease(ackId);
      if (lease === undefined) return false;
      activity.touch();
      if (seconds === 0) endLease(lease, "failed");
      else if (lease.consumer.deadlineSeconds !== undefined) watch(lease, seconds * 1000);
      return true;
    },
    /** Takes a changed configuration; everybody who was served by the old one is told. */
    update: (changed: SubscriptionRow): void => {
      row = changed;
      pumpSoon();
    },
    /** Forgets what is in memory, for a backlog that was rewritten. */
    reset: (): void => {
      for (const lease of leases.values()) {
        lease.alarm?.cancel();
        lease.consumer.onSettled?.(lease.ackId);
      }
      leases.clear();
      runs.clear();
      growing.clear();
      for (const entry of ready) held.bytes -= bytesOf(entry);
      ready = [];
      known.clear();
      hasMore = true;
      pumpSoon();
    },
    close: (reason: RpcError): void => {
      isClosed = true;
      wake?.cancel();
      for (const entry of ready) held.bytes -= bytesOf(entry);
      ready = [];
      for (const lease of leases.values()) lease.alarm?.cancel();
      for (const consumer of consumers.splice(0)) consumer.onClosed(reason);
    },
  };
}

/** A delivery as pull subscribers see it. */
export const received = (delivery: Delivery, hasDeadLetterPolicy: boolean): ReceivedMessage => {
  const { message } = delivery;
  return {
    ackId: delivery.ackId,
    message: {
      data: message.data,
      attributes: message.attributes,
      messageId: String(message.id),
      publishTime: timestampOf(Math.floor(message.id / 1000)),
      orderingKey: message.orderingKey,
    },
    ...(hasDeadLetterPolicy ? { deliveryAttempt: delivery.attempt } : {}),
  };
};
