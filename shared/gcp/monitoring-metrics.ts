/** The Metrics port on Cloud Monitoring: what Vertex AI's endpoints report per deployed model. */
import { deployedModelId, type DeployedModelId } from "../../events/ids.js";
import type { MetricCounts, Usage } from "../domain/segment.js";
import type { Point } from "../domain/signals.js";
import type { ArmCounts } from "../domain/state.js";
import type { Metrics } from "../ports/metrics.js";
import type { GcpConfig } from "./config.js";
import { commonBounds, countsWithin, finiteBounds } from "./distributions.js";
import { asCloudError, attempting } from "./errors.js";
import { samples, type DistributionValue, type Sample } from "./metric-series.js";
import type { Rest } from "./rest.js";

const online = "aiplatform.googleapis.com/prediction/online";

const deployedModelOf = ({ labels }: Sample): string => labels["deployed_model_id"] ?? "";

const isFailure = ({ labels }: Sample): boolean => /^[45]/.test(labels["response_code"] ?? "");

/** The samples that count requests; usage is measured whether anybody asks or not. */
const requestSamples = ({ responses, errors, latencies }: Series): readonly Sample[] => [
  ...responses,
  ...errors,
  ...latencies,
];

/** Requests in all; what is no count of anything (negative, not a number) counts nothing. */
const sum = (found: readonly Sample[]): number =>
  found.reduce((total, { count }) => total + (count > 0 && Number.isFinite(count) ? count : 0), 0);

interface Series {
  readonly responses: readonly Sample[];
  readonly errors: readonly Sample[];
  readonly latencies: readonly Sample[];
  readonly memory: readonly Sample[];
  readonly cpu: readonly Sample[];
}

const select = (series: Series, keep: (sample: Sample) => boolean): Series => ({
  responses: series.responses.filter(keep),
  errors: series.errors.filter(keep),
  latencies: series.latencies.filter(keep),
  memory: series.memory.filter(keep),
  cpu: series.cpu.filter(keep),
});

const ofModel = (series: Series, id: string): Series =>
  select(series, (sample) => deployedModelOf(sample) === id);

const distributionsOf = (found: readonly Sample[]): readonly DistributionValue[] =>
  found.flatMap(({ distribution }) => distribution ?? []);

const distinctBounds = (found: readonly DistributionValue[]): readonly (readonly number[])[] => [
  ...new Map(
    found.map(({ bucketOptions }) => [JSON.stringify(bucketOptions), finiteBounds(bucketOptions)]),
  ).values(),
];

const countsOf = (
  { responses, errors, latencies }: Series,
  bounds: readonly number[],
): ArmCounts => ({
  requests: sum(responses),
  // The error series is written beside the responses; without it the response codes say the same.
  errors: errors.length > 0 ? sum(errors) : sum(responses.filter(isFailure)),
  latencies: countsWithin(bounds, distributionsOf(latencies)),
});

/** The counts of each window apart, oldest first; models without a point in it are absent. */
const windowsOf = (
  series: Series,
  ids: readonly DeployedModelId[],
  bounds: readonly number[],
): MetricCounts["windows"] => {
  const ends = new Set(requestSamples(series).map(({ endMs }) => endMs));
  return [...ends]
    .toSorted((a, b) => a - b)
    .map((end) => {
      const window = select(series, ({ endMs }) => endMs === end);
      return Object.fromEntries(
        ids.flatMap((id) => {
          const own = ofModel(window, id);
          return requestSamples(own).length === 0 ? [] : [[id, countsOf(own, bounds)]];
        }),
      );
    });
};

/** A point that is no number is as good as none. */
const most = (found: readonly Sample[], atMs: number): number | undefined => {
  const values = found.flatMap(({ endMs, count }) =>
    endMs === atMs && Number.isFinite(count) ? [count] : [],
  );
  return values.length === 0 ? undefined : Math.max(...values);
};

/** The busiest replica of a model at each time, oldest first. */
const usageOf = ({ memory, cpu }: Series): readonly Usage[] => {
  const times = [...new Set([...memory, ...cpu].map(({ endMs }) => endMs))].toSorted(
    (a, b) => a - b,
  );
  return times.map((atMs) => {
    const memoryBytes = most(memory, atMs);
    const busiest = most(cpu, atMs);
    return {
      atMs,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(busiest === undefined ? {} : { cpu: busiest }),
    };
  });
};

const summarize = (series: Series): MetricCounts | null => {
  const all = requestSamples(series);
  if (all.length === 0) return null;
  const bounds = commonBounds(distinctBounds(distributionsOf(series.latencies)));
  const ids = [...new Set(all.map(deployedModelOf))].flatMap((id) => {
    const parsed = deployedModelId.safeParse(id);
    return parsed.success ? parsed.data : [];
  });
  const arms: Record<DeployedModelId, ArmCounts> = Object.fromEntries(
    ids.map((id) => [id, countsOf(ofModel(series, id), bounds)]),
  );
  return {
    endMs: Math.max(...all.map(({ endMs }) => endMs)),
    bounds,
    arms,
    windows: windowsOf(series, ids, bounds),
    usage: Object.fromEntries(ids.map((id) => [id, usageOf(ofModel(series, id))])),
  };
};

type Business = NonNullable<MetricCounts["business"]>;

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

/** What is refused for good is told with the verdict, so that errors and latency are judged all the same. */
const readBusiness = async (
  config: GcpConfig,
  rest: Rest,
  query: Parameters<Metrics["counts"]>[0],
): Promise<{ readonly business?: Business }> => {
  const { business, sinceMs, untilMs } = query;
  if (business === undefined) return {};
  const { metric, label } = business;
  try {
    const found = await samples(config, rest, { metricType: metric, sinceMs, untilMs });
    return { business: businessOf(metric, label, found) };
  } catch (error) {
    const { status, message } = asCloudError(error);
    // A metric that nobody has written yet is not known to Monitoring.
    if (status === "NOT_FOUND") return { business: { points: {}, problem: null } };
    const isRefused = status === "INVALID_ARGUMENT" || status === "PERMISSION_DENIED";
    if (!isRefused) throw error;
    return { business: { points: {}, problem: `${metric} cannot be read: ${message}` } };
  }
};

/** The Metrics port. */
export const monitoringMetrics = (config: GcpConfig, rest: Rest): Metrics => ({
  counts: (query) =>
    attempting(`read the metrics of endpoint ${query.endpoint}`, async () => {
      const { endpoint, sinceMs, untilMs } = query;
      // Monitoring refuses a span that ends before it begins; nothing can lie in one.
      if (untilMs <= sinceMs) return null;
      const read = (metric: string, labels: Readonly<Record<string, string>> = {}) =>
        samples(config, rest, {
          metricType: `${online}/${metric}`,
          endpoint,
          labels,
          sinceMs,
          untilMs,
        });
      const [responses, errors, latencies, memory, cpu, business] = await Promise.all([
        read("response_count"),
        read("error_count"),
        read("prediction_latencies", { latency_type: "total" }),
        read("memory/bytes_used"),
        read("cpu/utilization"),
        readBusiness(config, rest, query),
      ]);
      const summary = summarize({ responses, errors, latencies, memory, cpu });
      return summary === null ? null : { ...summary, ...business };
    }),
});
