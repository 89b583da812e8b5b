/** The parts of a running Firestore, and the one way in which its documents change. */
import { RpcError } from "../protocol/service.js";
import type { CloudContext } from "../cloud.js";
import { createCommitClock, type CommitClock } from "./commit-clock.js";
import { createHistory, type History } from "./history.js";
import { createLocks, type LockOwner, type Locks } from "./locks.js";
import { openStore, type DocumentStore } from "./store.js";
import { createTransactions, type Transaction, type Transactions } from "./transactions.js";
import { applyWrites, type Change, type Write, type WriteResult } from "./writes.js";

/** Told of every commit, after it is durable. */
export type CommitListener = (changes: readonly Change[], commitMicros: number) => void;

/** What the handlers work with. */
export interface Engine {
  readonly store: DocumentStore;
  readonly locks: Locks;
  readonly transactions: Transactions;
  readonly history: History;
  readonly clock: CommitClock;
  readonly listeners: Set<CommitListener>;
}

/** Waiting for locks: a wait ends with ABORTED, upon which the client begins again. */
export const lockLimits = { waitMsMax: 20_000, silentMsMax: 10_000 } as const;
const plainHoldMs = 50;

/** Opens Firestore on the cloud's database. */
export const openEngine = (context: Pick<CloudContext, "db" | "now">): Engine => {
  const store = openStore(context.db);
  const clock = createCommitClock(context.now, store.newestMicros());
  const locks = createLocks({ ...lockLimits, nowMicros: clock.now });
  const transactions = createTransactions({ now: context.now, locks, readNowMicros: clock.now });
  return {
    store,
    locks,
    transactions,
    clock,
    history: createHistory(clock.now),
    listeners: new Set(),
  };
};

/** What the service says when transactions get in each other's way. */
export const contention = (): RpcError =>
  new RpcError("ABORTED", "Too much contention on these documents. Please try again.");

/**
 * Holds documents for a transaction, one after the other. What cannot be had dooms it, which is not said before its
 * commit: official clients answer a refused read by repeating it for seconds, and a refused commit by beginning again.
 */
export const hold = async (
  engine: Engine,
  transaction: Transaction,
  names: readonly string[],
): Promise<void> => {
  for (const name of names.toSorted()) {
    if (transaction.doomedAtMicros !== undefined) return;
    const granted = engine.locks.acquire(transaction, name);
    if (granted !== true && !(await granted)) engine.locks.doom(transaction);
  }
};

const plainOwner = (): LockOwner => ({
  holdMs: plainHoldMs,
  isTransaction: false,
  held: new Set(),
  lastSeenMs: performance.now(),
  doomedAtMicros: undefined,
});

/** Waits until no transaction holds any of the documents that a plain commit writes. */
const holdAlone = async (
  engine: Engine,
  owner: LockOwner,
  names: readonly string[],
): Promise<void> => {
  const sorted = names.toSorted();
  const deadline = performance.now() + lockLimits.waitMsMax;
  for (;;) {
    for (const name of sorted) if (!(await engine.locks.acquire(owner, name))) throw contention();
    const shared = sorted.filter((name) => !engine.locks.isAlone(owner, name));
    if (shared.length === 0) return;
    if (performance.now() > deadline) throw contention();
    for (const name of shared) engine.locks.release(owner, name);
  }
};

/** What a commit answers. */
export interface CommitReply {
  readonly results: readonly WriteResult[];
  readonly commitMicros: number;
}

/**
 * Applies the writes in one piece: nothing else runs between the reads, the doom of those who have read what changes,
 * and the place among the commits that are being stored. It is over when they are stored.
 */
const apply = async (
  engine: Engine,
  writes: readonly Write[],
  winner: LockOwner | undefined,
): Promise<CommitReply> => {
  const commitMicros = engine.clock.next();
  const { changes, results } = applyWrites(writes, { commitMicros, read: engine.store.get });
  if (changes.length === 0) return { results, commitMicros };
  const stored = engine.store.commit(changes, commitMicros);
  engine.history.record(changes, commitMicros);
  for (const { target } of changes) engine.locks.doomOthers(target.name, winner, commitMicros);
  await stored;
  for (const listener of engine.listeners) listener(changes, commitMicros);
  return { results, commitMicros };
};

const targetsOf = (writes: readonly Write[]): readonly string[] => [
  ...new Set(writes.map(({ target }) => target.name)),
];

const commitPlainly = async (engine: Engine, writes: readonly Write[]): Promise<CommitReply> => {
  const names = targetsOf(writes);
  if (names.every(engine.locks.isFree)) return apply(engine, writes, undefined);
  const owner = plainOwner();
  try {
    await holdAlone(engine, owner, names);
    return await apply(engine, writes, owner);
  } finally {
    engine.locks.releaseAll(owner);
  }
};

const commitTransaction = async (
  engine: Engine,
  writes: readonly Write[],
  transaction: Transaction,
): Promise<CommitReply> => {
  try {
    if (transaction.isReadOnly && writes.length > 0) {
      throw new RpcError("INVALID_ARGUMENT", "Cannot modify entities in a read-only transaction.");
    }
    if (!transaction.isReadOnly) await hold(engine, transaction, targetsOf(writes));
    if (transaction.doomedAtMicros !== undefined) throw contention();
    if (!transaction.queries.every(({ stillHolds }) => stillHolds())) throw contention();
    return await apply(engine, writes, transaction);
  } finally {
    engine.transactions.end(transaction);
  }
};

/** Commits writes, in a transaction or on their own. */
export const commit = async (
  engine: Engine,
  writes: readonly Write[],
  transaction: Transaction | undefined,
): Promise<CommitReply> =>
  transaction === undefined
    ? commitPlainly(engine, writes)
    : commitTransaction(engine, writes, transaction);
