/** The Metrics port on Cloud Monitoring: what Vertex AI's endpoints report per deployed model, many endpoints to a call. */
import type { MetricCounts } from "../domain/segment.js";
import type { Point } from "../domain/signals.js";
import { RejectedError } from "../domain/errors.js";
import type { MetricAnswer, MetricQuery, Metrics } from "../ports/metrics.js";
import type { GcpConfig } from "./config.js";
import { asCloudError, attempting, translated } from "./errors.js";
import { batchesOf, halvesOf, type MetricBatch } from "./metric-batches.js";
import { countsFrom } from "./metric-counts.js";
import { samples, type Sample } from "./metric-series.js";
import type { Rest } from "./rest.js";

const online = "aiplatform.googleapis.com/prediction/online";

type Business = NonNullable<MetricCounts["business"]>;

/** Those whose whole window lies in the span. */
const within = (
  found: readonly Sample[],
  { sinceMs, untilMs }: Pick<MetricQuery, "sinceMs" | "untilMs">,
): readonly Sample[] =>
  found.filter(({ startMs, endMs }) => startMs >= sinceMs && endMs <= untilMs);

/** A metric of the user's own; a count grows with the traffic, so it would call the larger arm the better one. */
const businessOf = (metric: string, label: string, found: readonly Sample[]): Business => {
  const points: Record<string, Point[]> = {};
  for (const { labels, endMs, count, isTotal, distribution } of found) {
    if (isTotal && distribution === undefined) {
      return {
        points: {},
        problem: `${metric} counts what happened, and a count grows with the traffic: write a mean or a rate (a gauge, or a distribution)`,
      };
    }
    const id = labels[label];
    if (id === undefined) continue;
    const value = distribution === undefined ? count : (distribution.mean ?? Number.NaN);
    (points[id] ??= []).push({ atMs: endMs, value });
  }
  const isNamed = found.length === 0 || Object.keys(points).length > 0;
  return { points, problem: isNamed ? null : `no series of ${metric} has the label ${label}` };
};

/** What was found of a user's own metric: points, a refusal to tell, or an error to try again after. */
type Read =
  | { readonly found: readonly Sample[] }
  | { readonly refused: Business }
  | { readonly error: Error };

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

/** What is refused for good is told with the verdict, so that errors and latency are judged all the same. */
const readMetric = async (
  config: GcpConfig,
  rest: Rest,
  metricType: string,
  { sinceMs, untilMs }: MetricBatch,
): Promise<Read> => {
  try {
    return { found: await samples(config, rest, { metricType, sinceMs, untilMs }) };
  } catch (error) {
    const { status, message } = asCloudError(error);
    // A metric that nobody has written yet is not known to Monitoring.
    if (status === "NOT_FOUND") return { found: [] };
    const isRefused = status === "INVALID_ARGUMENT" || status === "PERMISSION_DENIED";
    return isRefused
      ? { refused: { points: {}, problem: `${metricType} cannot be read: ${message}` } }
      : { error: asError(translated(`read ${metricType}`, error)) };
  }
};

/** Adds the user's own metric to the counts of whoever asked for it; each is read once, and harms nobody else. */
const businessReader = async (config: GcpConfig, rest: Rest, batch: MetricBatch) => {
  const metrics = [...new Set(batch.queries.flatMap(({ business }) => business?.metric ?? []))];
  const read = new Map<string, Read>();
  for (const metric of metrics) read.set(metric, await readMetric(config, rest, metric, batch));
  return (query: MetricQuery, counts: MetricCounts | null): MetricAnswer => {
    if (counts === null || query.business === undefined) return { counts };
    const { metric, label } = query.business;
    const own = read.get(metric) ?? { found: [] };
    if ("error" in own) return own;
    const business =
      "refused" in own ? own.refused : businessOf(metric, label, within(own.found, query));
    return { counts: { ...counts, business } };
  };
};

const byEndpoint = (found: readonly Sample[]): ReadonlyMap<string, readonly Sample[]> => {
  const groups = new Map<string, Sample[]>();
  for (const sample of found) {
    const group = groups.get(sample.endpoint);
    if (group === undefined) groups.set(sample.endpoint, [sample]);
    else group.push(sample);
  }
  return groups;
};

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
    const groups = byEndpoint(found);
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
