/** Handlers of queries and aggregations. */
import type { ServiceImplementation } from "../protocol/service.js";
import { aggregate, readAggregations } from "./aggregate.js";
import type { DocumentReply } from "./documents.js";
import type { Engine } from "./engine.js";
import { executed, planSummary, type ExplainMetrics } from "./explain.js";
import { holdForRead, openView, pastOf, readMicrosOf, type ReadView } from "./read-view.js";
import { readQuery, type Query } from "./query-model.js";
import { resultDocument, runQuery, type QueryResult } from "./query-run.js";
import { timestampOf, type Timestamp, type Value } from "./values.js";
import type { WireAggregation, WireConsistency, WireQuery } from "./wire.js";

interface ExplainOptions {
  readonly analyze?: boolean;
}

interface RunQueryRequest extends WireConsistency {
  readonly parent?: string;
  readonly structuredQuery?: WireQuery;
  readonly explainOptions?: ExplainOptions;
}

/** google.firestore.v1.RunQueryResponse. */
interface RunQueryReply {
  readonly transaction?: Buffer;
  readonly document?: DocumentReply;
  readonly readTime?: Timestamp;
  readonly skippedResults?: number;
  readonly explainMetrics?: ExplainMetrics;
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

/** Runs a query and measures it; the metrics are answered only when they were asked for. */
const measured = async (
  engine: Engine,
  view: ReadView,
  query: Query,
  isAnalyzed: boolean,
  resultsOf: (rows: number) => number,
): Promise<QueryResult & { readonly metrics: { readonly explainMetrics?: ExplainMetrics } }> => {
  const startMs = performance.now();
  const result = await runHeld(engine, view, query);
  if (!isAnalyzed) return { ...result, metrics: {} };
  const documents = result.rows.length;
  const cost = {
    durationMs: performance.now() - startMs,
    results: resultsOf(documents),
    documents,
  };
  return { ...result, metrics: { explainMetrics: executed(engine, query, cost) } };
};

const runQueryStream = (engine: Engine) =>
  async function* (request: RunQueryRequest): AsyncGenerator<RunQueryReply> {
    const query = readQuery(request.parent, request.structuredQuery ?? {});
    if (request.explainOptions !== undefined && request.explainOptions.analyze !== true) {
      yield { explainMetrics: planSummary(engine, query) };
      return;
    }
    const view = openView(engine, request, query.parent.database);
    const isAnalyzed = request.explainOptions?.analyze === true;
    const { rows, skipped, metrics } = await measured(
      engine,
      view,
      query,
      isAnalyzed,
      (count) => count,
    );
    const readTime = timestampOf(readMicrosOf(engine, view));
    if (view.begun !== undefined) yield { transaction: view.begun };
    const skippedResults = skipped === 0 ? {} : { skippedResults: skipped };
    if (rows.length === 0) yield { readTime, ...skippedResults, ...metrics };
    for (const [index, row] of rows.entries()) {
      const document = resultDocument(query, row);
      const isLast = index === rows.length - 1;
      yield {
        document,
        readTime,
        ...(index === 0 ? skippedResults : {}),
        ...(isLast ? metrics : {}),
      };
    }
  };

interface RunAggregationRequest extends WireConsistency {
  readonly parent?: string;
  readonly structuredAggregationQuery?: {
    readonly structuredQuery?: WireQuery;
    readonly aggregations?: readonly WireAggregation[];
  };
  readonly explainOptions?: ExplainOptions;
}

/** google.firestore.v1.RunAggregationQueryResponse. */
interface RunAggregationReply {
  readonly result?: { readonly aggregateFields: Readonly<Record<string, Value>> };
  readonly transaction?: Buffer;
  readonly readTime?: Timestamp;
  readonly explainMetrics?: ExplainMetrics;
}

const runAggregationStream = (engine: Engine) =>
  async function* (request: RunAggregationRequest): AsyncGenerator<RunAggregationReply> {
    const wire = request.structuredAggregationQuery;
    const query = readQuery(request.parent, wire?.structuredQuery ?? {});
    const aggregations = readAggregations(wire?.aggregations);
    if (request.explainOptions !== undefined && request.explainOptions.analyze !== true) {
      yield { explainMetrics: planSummary(engine, query) };
      return;
    }
    const view = openView(engine, request, query.parent.database);
    const isAnalyzed = request.explainOptions?.analyze === true;
    const { rows, metrics } = await measured(engine, view, query, isAnalyzed, () => 1);
    const reply = {
      ...metrics,
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
