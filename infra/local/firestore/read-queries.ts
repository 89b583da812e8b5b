/** Handlers of queries and aggregations. */
import { RpcError, type ServiceImplementation } from "../protocol/service.js";
import { aggregate, readAggregations } from "./aggregate.js";
import type { DocumentReply } from "./documents.js";
import type { Engine } from "./engine.js";
import { holdForRead, openView, pastOf, readMicrosOf, type ReadView } from "./read-view.js";
import { readQuery, type Query } from "./query-model.js";
import { resultDocument, runQuery, type QueryResult } from "./query-run.js";
import { timestampOf, type Timestamp, type Value } from "./values.js";
import type { WireAggregation, WireConsistency, WireQuery } from "./wire.js";

interface RunQueryRequest extends WireConsistency {
  readonly parent?: string;
  readonly structuredQuery?: WireQuery;
  readonly explainOptions?: object;
}

/** google.firestore.v1.RunQueryResponse. */
interface RunQueryReply {
  readonly transaction?: Buffer;
  readonly document?: DocumentReply;
  readonly readTime?: Timestamp;
  readonly skippedResults?: number;
}

const repeatsMax = 20;

const isSameResult = (a: QueryResult, b: QueryResult): boolean =>
  a.rows.length === b.rows.length &&
  a.rows.every(({ document }, index) => {
    const other = b.rows[index]?.document;
    return document.name === other?.name && document.updatedMicros === other.updatedMicros;
  });

/** Transactions that run the same query queue for it, so that those that then write do not abort each other. */
const queryLock = (query: Query): string =>
  `query ${JSON.stringify({ ...query, projection: undefined })}`;

/**
 * Runs a query for a read-write transaction: holds every result, and runs it again when waiting for them let others
 * change the answer. At commit the query must still answer the same, which keeps phantoms out.
 */
const runHeld = async (engine: Engine, view: ReadView, query: Query): Promise<QueryResult> => {
  const { transaction } = view;
  if (transaction === undefined) return runQuery(engine.store, query, pastOf(engine, view));
  await holdForRead(engine, view, [queryLock(query)]);
  const seenDoomed = (): boolean => transaction.doomedAtMicros !== undefined;
  for (let repeat = 0; repeat < repeatsMax && !seenDoomed(); repeat += 1) {
    const result = runQuery(engine.store, query);
    const names = result.rows.map(({ document }) => document.name);
    const seenMicros = engine.clock.now();
    await holdForRead(engine, view, names);
    if (seenDoomed()) break;
    if (
      !engine.history.hasChangedSince(seenMicros) ||
      isSameResult(result, runQuery(engine.store, query))
    ) {
      transaction.queries.push({
        stillHolds: () =>
          !engine.history.hasChangedSince(seenMicros) ||
          isSameResult(result, runQuery(engine.store, query)),
      });
      return result;
    }
  }
  engine.locks.doom(transaction);
  return runQuery(engine.store, query, pastOf(engine, view));
};

const refuseExplain = (options: object | undefined): void => {
  if (options !== undefined)
    throw new RpcError("UNIMPLEMENTED", "Query explain is not built into the local cloud.");
};

const runQueryStream = (engine: Engine) =>
  async function* (request: RunQueryRequest): AsyncGenerator<RunQueryReply> {
    refuseExplain(request.explainOptions);
    const query = readQuery(request.parent, request.structuredQuery ?? {});
    const view = openView(engine, request, query.parent.database);
    const { rows, skipped } = await runHeld(engine, view, query);
    const readTime = timestampOf(readMicrosOf(engine, view));
    if (view.begun !== undefined) yield { transaction: view.begun };
    const [first, ...rest] = rows;
    const skippedResults = skipped === 0 ? {} : { skippedResults: skipped };
    if (first === undefined) yield { readTime, ...skippedResults };
    else yield { document: resultDocument(query, first), readTime, ...skippedResults };
    for (const row of rest) yield { document: resultDocument(query, row), readTime };
  };

interface RunAggregationRequest extends WireConsistency {
  readonly parent?: string;
  readonly structuredAggregationQuery?: {
    readonly structuredQuery?: WireQuery;
    readonly aggregations?: readonly WireAggregation[];
  };
  readonly explainOptions?: object;
}

/** google.firestore.v1.RunAggregationQueryResponse. */
interface RunAggregationReply {
  readonly result?: { readonly aggregateFields: Readonly<Record<string, Value>> };
  readonly transaction?: Buffer;
  readonly readTime?: Timestamp;
}

const runAggregationStream = (engine: Engine) =>
  async function* (request: RunAggregationRequest): AsyncGenerator<RunAggregationReply> {
    refuseExplain(request.explainOptions);
    const wire = request.structuredAggregationQuery;
    const query = readQuery(request.parent, wire?.structuredQuery ?? {});
    const aggregations = readAggregations(wire?.aggregations);
    const view = openView(engine, request, query.parent.database);
    const { rows } = await runHeld(engine, view, query);
    const reply = {
      result: { aggregateFields: aggregate(aggregations, rows) },
      readTime: timestampOf(readMicrosOf(engine, view)),
    };
    yield view.begun === undefined ? reply : { ...reply, transaction: view.begun };
  };

/** The handlers of this file. */
export const queryReads = (engine: Engine): Omit<ServiceImplementation, "service"> => ({
  serverStream: {
    RunQuery: runQueryStream(engine),
    RunAggregationQuery: runAggregationStream(engine),
  },
});
