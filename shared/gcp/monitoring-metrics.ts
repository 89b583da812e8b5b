/** The Metrics port on Cloud Monitoring: what Vertex AI's endpoints report per deployed model. */
import { deployedModelId, type DeployedModelId } from "../../events/ids.js";
import type { ArmCounts } from "../domain/state.js";
import type { Metrics } from "../ports/metrics.js";
import type { GcpConfig } from "./config.js";
import { commonBounds, countsWithin, finiteBounds } from "./distributions.js";
import { attempting } from "./errors.js";
import { samples, type DistributionValue, type Sample } from "./metric-series.js";
import type { Rest } from "./rest.js";

const online = "aiplatform.googleapis.com/prediction/online";

const deployedModelOf = ({ labels }: Sample): string => labels["deployed_model_id"] ?? "";

const isFailure = ({ labels }: Sample): boolean => /^[45]/.test(labels["response_code"] ?? "");

const sum = (found: readonly Sample[]): number =>
  found.reduce((total, { count }) => total + count, 0);

interface Series {
  readonly responses: readonly Sample[];
  readonly errors: readonly Sample[];
  readonly latencies: readonly Sample[];
}

const ofModel = (series: Series, id: string): Series => ({
  responses: series.responses.filter((sample) => deployedModelOf(sample) === id),
  errors: series.errors.filter((sample) => deployedModelOf(sample) === id),
  latencies: series.latencies.filter((sample) => deployedModelOf(sample) === id),
});

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

/** The latencies of each window apart, oldest first. */
const windowsOf = (
  latencies: readonly Sample[],
  ids: readonly DeployedModelId[],
  bounds: readonly number[],
) => {
  const ends = [...new Set(latencies.map(({ endMs }) => endMs))].toSorted((a, b) => a - b);
  return ends.map((end) => {
    const inWindow = latencies.filter(({ endMs }) => endMs === end);
    return Object.fromEntries(
      ids.map((id) => {
        const own = inWindow.filter((sample) => deployedModelOf(sample) === id);
        return [id, countsWithin(bounds, distributionsOf(own))];
      }),
    );
  });
};

const summarize = (series: Series) => {
  const all = [...series.responses, ...series.errors, ...series.latencies];
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
    windows: windowsOf(series.latencies, ids, bounds),
  };
};

/** The Metrics port. */
export const monitoringMetrics = (config: GcpConfig, rest: Rest): Metrics => ({
  counts: ({ endpoint, sinceMs, untilMs }) =>
    attempting(`read the metrics of endpoint ${endpoint}`, async () => {
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
      const [responses, errors, latencies] = await Promise.all([
        read("response_count"),
        read("error_count"),
        read("prediction_latencies", { latency_type: "total" }),
      ]);
      return summarize({ responses, errors, latencies });
    }),
});
