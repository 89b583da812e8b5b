/** Transactions: who they are, how long they live, and what they have read. */
import { randomBytes } from "node:crypto";
import { RpcError } from "../protocol/service.js";
import type { LockOwner, Locks } from "./locks.js";
import type { WireTransactionOptions } from "./wire.js";
import { microsOf } from "./values.js";

/** A query that a transaction ran: at commit it must still answer the same. */
export interface QueryRead {
  readonly stillHolds: () => boolean;
}

/** A live transaction. */
export interface Transaction extends LockOwner {
  readonly id: Buffer;
  readonly database: string;
  readonly isReadOnly: boolean;
  /** The moment a read-only transaction reads at. */
  readonly readMicros: number | undefined;
  readonly attempt: number;
  readonly startedMs: number;
  lastUsedMs: number;
  readonly queries: QueryRead[];
}

/** Limits of Cloud Firestore: 270 seconds in all, 60 seconds without a request. */
export const transactionLimits = {
  lifeMsMax: 270_000,
  idleMsMax: 60_000,
  /** How long a transaction keeps a document to itself, by attempt: each retry has more patience from others. */
  holdMs: [250, 1_000, 4_000, 15_000],
  rememberedMax: 10_000,
} as const;

/** The table of live transactions. */
export interface Transactions {
  readonly begin: (
    database: string,
    options: WireTransactionOptions | undefined,
    defaultsTo: "read-only" | "read-write",
  ) => Transaction;
  /** The live transaction of an id; refused when it ended, expired or never was. */
  readonly use: (id: Buffer, database: string) => Transaction;
  readonly find: (id: Buffer) => Transaction | undefined;
  readonly end: (transaction: Transaction) => void;
  /** Ends what has outlived its limits, so that its locks are free. */
  readonly sweep: () => void;
  readonly count: () => number;
}

const idBytes = 16;
const idsAtOnce = 256;

/** Ids of transactions; random bytes are taken in bulk, as asking the system costs more than the bytes. */
const createIds = (): (() => Buffer) => {
  let bytes = Buffer.alloc(0);
  return () => {
    if (bytes.length === 0) bytes = randomBytes(idBytes * idsAtOnce);
    const id = bytes.subarray(0, idBytes);
    bytes = bytes.subarray(idBytes);
    return id;
  };
};

/** What ended: it was committed, rolled back, aborted or it ran out of time. */
const gone = (): RpcError =>
  new RpcError("INVALID_ARGUMENT", "The referenced transaction has expired or is no longer valid.");

/** A table of transactions of its own. */
export const createTransactions = (parts: {
  readonly now: () => number;
  readonly locks: Locks;
  readonly readNowMicros: () => number;
}): Transactions => {
  const nextId = createIds();
  const live = new Map<string, Transaction>();
  /** Attempts of ended transactions, so that a retry is known as one. */
  const attempts = new Map<string, number>();

  const end = (transaction: Transaction): void => {
    const id = transaction.id.toString("latin1");
    if (!live.delete(id)) return;
    parts.locks.releaseAll(transaction);
    attempts.set(id, transaction.attempt);
    if (attempts.size > transactionLimits.rememberedMax) {
      const oldest = attempts.keys().next().value;
      if (oldest !== undefined) attempts.delete(oldest);
    }
  };
  const isExpired = (transaction: Transaction): boolean => {
    const now = parts.now();
    return (
      now - transaction.startedMs > transactionLimits.lifeMsMax ||
      now - transaction.lastUsedMs > transactionLimits.idleMsMax
    );
  };
  const attemptOf = (options: WireTransactionOptions | undefined): number => {
    const previous = options?.readWrite?.retryTransaction;
    if (previous === undefined || previous.length === 0) return 0;
    const known =
      attempts.get(previous.toString("latin1")) ?? live.get(previous.toString("latin1"))?.attempt;
    return (known ?? 0) + 1;
  };
  const readMicrosOf = (options: WireTransactionOptions | undefined): number => {
    const asked = options?.readOnly?.readTime;
    return asked === undefined ? parts.readNowMicros() : microsOf(asked);
  };

  return {
    begin: (database, options, defaultsTo) => {
      const isReadOnly =
        options?.readOnly !== undefined ||
        (options?.readWrite === undefined && defaultsTo === "read-only");
      const attempt = attemptOf(options);
      const transaction: Transaction = {
        id: nextId(),
        database,
        isReadOnly,
        readMicros: isReadOnly ? readMicrosOf(options) : undefined,
        attempt,
        startedMs: parts.now(),
        lastUsedMs: parts.now(),
        queries: [],
        holdMs:
          transactionLimits.holdMs[Math.min(attempt, transactionLimits.holdMs.length - 1)] ?? 0,
        isTransaction: true,
        held: new Set(),
        lastSeenMs: performance.now(),
        doomedAtMicros: undefined,
      };
      live.set(transaction.id.toString("latin1"), transaction);
      return transaction;
    },
    use: (id, database) => {
      const transaction = live.get(id.toString("latin1"));
      if (transaction === undefined) {
        // An id of the right length may be of a cloud that has been restarted since: its client may try again.
        if (id.length === idBytes) throw gone();
        throw new RpcError("INVALID_ARGUMENT", "Invalid transaction.");
      }
      if (transaction.database !== database) {
        throw new RpcError(
          "INVALID_ARGUMENT",
          `The transaction belongs to ${transaction.database}.`,
        );
      }
      if (isExpired(transaction)) {
        end(transaction);
        throw gone();
      }
      transaction.lastUsedMs = parts.now();
      transaction.lastSeenMs = performance.now();
      return transaction;
    },
    find: (id) => live.get(id.toString("latin1")),
    end,
    sweep: () => {
      for (const transaction of live.values()) if (isExpired(transaction)) end(transaction);
    },
    count: () => live.size,
  };
};
