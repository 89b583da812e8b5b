/** The Metrics port on Cloud Monitoring: what Vertex AI's endpoints report per deployed model, many endpoints to a call. */
import { RejectedError } from "../domain/errors.js";
import type { MetricAnswer, MetricQuery, Metrics } from "../ports/metrics.js";
import type { GcpConfig } from "./config.js";
import { businessReader } from "./business-metrics.js";
import { asCloudError, attempting } from "./errors.js";
import { batchesOf, halvesOf, type MetricBatch } from "./metric-batches.js";
import { countsFrom } from "./metric-counts.js";
import { grouped, samples, within } from "./metric-series.js";
import type { Rest } from "./rest.js";

const online = "aiplatform.googleapis.com/prediction/online";

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

/** Reads one batch: a call for each metric, more only where its answer takes several pages. */
const readBatch = async (
  config: GcpConfig,
  rest: Rest,
  batch: MetricBatch,
): Promise<readonly MetricAnswer[]> => {
  const { queries, sinceMs, untilMs } = batch;
  const endpoints = [...new Set(queries.map(({ endpoint }) => endpoint))];
  const read = async (metric: string, labels: Readonly<Record<string, string>> = {}) => {
    const metricType = `${online}/${metric}`;
    const found = await samples(config, rest, { metricType, endpoints, labels, sinceMs, untilMs });
    const groups = grouped(found, ({ endpoint }) => endpoint);
    return (query: MetricQuery) => within(groups.get(query.endpoint) ?? [], query);
  };
  const [responses, errors, latencies, memory, cpu, withBusiness] = await Promise.all([
    read("response_count"),
    read("error_count"),
    read("prediction_latencies", { latency_type: "total" }),
    read("memory/bytes_used"),
    read("cpu/utilization"),
    businessReader(config, rest, batch),
  ]);
  return queries.map((query) =>
    withBusiness(
      query,
      countsFrom({
        responses: responses(query),
        errors: errors(query),
        latencies: latencies(query),
        memory: memory(query),
        cpu: cpu(query),
      }),
    ),
  );
};

type Answered = readonly (readonly [MetricQuery, MetricAnswer])[];

/** Whether the call was wrong as it was written, or its answer too long: part of it may be right. */
const isTooMuch = (error: unknown): boolean =>
  error instanceof RejectedError &&
  (error.cause === undefined || asCloudError(error.cause).status === "INVALID_ARGUMENT");

const nameOf = ([first, ...others]: readonly MetricQuery[]): string =>
  `endpoint ${first?.endpoint ?? ""}${others.length === 0 ? "" : ` and ${others.length} more`}`;

/**
 * Answers a batch. One that is refused as it is written, or too long, is repeated in halves, so that what is wrong with
 * one endpoint stays its own; what may work later is not, for more calls would make it worse.
 */
const answersTo = async (config: GcpConfig, rest: Rest, batch: MetricBatch): Promise<Answered> => {
  const { queries } = batch;
  try {
    const answers = await attempting(`read the metrics of ${nameOf(queries)}`, () =>
      readBatch(config, rest, batch),
    );
    return queries.flatMap((query, index) => {
      const answer = answers[index];
      return answer === undefined ? [] : [[query, answer] as const];
    });
  } catch (error) {
    const halves = isTooMuch(error) ? halvesOf(batch) : [];
    if (halves.length === 0) return queries.map((query) => [query, { error: asError(error) }]);
    const parts: Answered[] = [];
    for (const half of halves) parts.push(await answersTo(config, rest, half));
    return parts.flat();
  }
};

/** Batches that are read at once; each is a handful of calls, and holds its answers in memory. */
const batchesAtOnce = 2;

/** The Metrics port. */
export const monitoringMetrics = (config: GcpConfig, rest: Rest): Metrics => ({
  counts: async (queries) => {
    // Monitoring refuses a span that ends before it begins; nothing can lie in one.
    const batches = batchesOf(queries.filter(({ sinceMs, untilMs }) => untilMs > sinceMs)).values();
    const answers = new Map<MetricQuery, MetricAnswer>();
    const lane = async (): Promise<void> => {
      for (const batch of batches) {
        for (const [query, answer] of await answersTo(config, rest, batch)) {
          answers.set(query, answer);
        }
      }
    };
    await Promise.all(Array.from({ length: batchesAtOnce }, lane));
    return queries.map((query) => answers.get(query) ?? { counts: null });
  },
});
