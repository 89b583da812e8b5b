/** What a read sees: the documents now, at a time, or through a transaction. */
import { RpcError } from "../protocol/service.js";
import { hold, type Engine } from "./engine.js";
import type { PastVersion } from "./history.js";
import type { Transaction } from "./transactions.js";
import { microsOf } from "./values.js";
import type { WireConsistency } from "./wire.js";

/** The consistency of one read request. */
export interface ReadView {
  /** The live read-write transaction that the read belongs to. */
  readonly transaction: Transaction | undefined;
  /** The id to answer when this request began the transaction. */
  readonly begun: Buffer | undefined;
  /** The moment in the past to read at; undefined: now. */
  readonly atMicros: number | undefined;
}

/** Opens the view that a request asks for; at most one selector may be set. */
export const openView = (engine: Engine, wire: WireConsistency, database: string): ReadView => {
  const transactionId = wire.transaction?.length === 0 ? undefined : wire.transaction;
  const chosen = [transactionId, wire.newTransaction, wire.readTime].filter(
    (selector) => selector !== undefined,
  );
  if (chosen.length > 1) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      "Set at most one of transaction, new_transaction and read_time.",
    );
  }
  if (wire.readTime !== undefined) {
    const atMicros = microsOf(wire.readTime);
    engine.history.check(atMicros);
    return { transaction: undefined, begun: undefined, atMicros };
  }
  if (wire.newTransaction !== undefined) {
    if (wire.newTransaction.readOnly?.readTime !== undefined) {
      engine.history.check(microsOf(wire.newTransaction.readOnly.readTime));
    }
    const transaction = engine.transactions.begin(database, wire.newTransaction, "read-only");
    return viewOf(transaction, transaction.id);
  }
  if (transactionId === undefined)
    return { transaction: undefined, begun: undefined, atMicros: undefined };
  return viewOf(engine.transactions.use(transactionId, database), undefined);
};

const viewOf = (transaction: Transaction, begun: Buffer | undefined): ReadView => ({
  transaction: transaction.isReadOnly ? undefined : transaction,
  begun,
  atMicros: transaction.readMicros,
});

/** Holds the documents that a view's transaction is about to read. */
export const holdForRead = async (
  engine: Engine,
  view: ReadView,
  names: readonly string[],
): Promise<void> => {
  if (view.transaction !== undefined) await hold(engine, view.transaction, names);
};

/** The moment in the past that a view reads at; a doomed transaction reads as of its last true moment. */
const atMicrosOf = (view: ReadView): number | undefined =>
  view.atMicros ?? view.transaction?.doomedAtMicros;

/** The past that a view looks at; undefined when it looks at now. */
export const pastOf = (
  engine: Engine,
  view: ReadView,
): ReadonlyMap<string, PastVersion> | undefined => {
  const atMicros = atMicrosOf(view);
  return atMicros === undefined ? undefined : engine.history.since(atMicros);
};

/** The read time to answer. */
export const readMicrosOf = (engine: Engine, view: ReadView): number =>
  atMicrosOf(view) ?? engine.clock.now();
