/** Latencies of one period as Cloud Monitoring keeps them: a count, a mean and buckets. */
import type { MetricPoint } from "../../cloud.js";

/** The value of a distribution point. */
export type DistributionValue = Extract<
  MetricPoint["value"],
  { readonly distribution: unknown }
>["distribution"];

const boundMsMin = 0.25;
const boundMsMax = 120_000;
const growth = 2 ** (1 / 4);

/** Bucket bounds in milliseconds, four to a doubling: a quantile read from a bucket is at most 19 % off. */
export const latencyBounds: readonly number[] = Array.from(
  { length: Math.ceil(Math.log(boundMsMax / boundMsMin) / Math.log(growth)) + 1 },
  (_, index) => boundMsMin * growth ** index,
);

/** Collects latencies. */
export interface Distribution {
  readonly add: (ms: number) => void;
  /** What was collected since the last call; undefined when nothing was. */
  readonly take: () => DistributionValue | undefined;
}

/** The bucket of a value: bucket i holds what is below bound i and not below the one before. */
export const bucketOf = (ms: number): number => {
  if (ms < boundMsMin) return 0;
  const estimate = Math.min(
    Math.floor(Math.log(ms / boundMsMin) / Math.log(growth)) + 1,
    latencyBounds.length,
  );
  // Rounding may put a value that lies on a bound one bucket off.
  if (ms >= (latencyBounds[estimate] ?? Infinity)) return estimate + 1;
  return ms < (latencyBounds[estimate - 1] ?? 0) ? estimate - 1 : estimate;
};

/** Makes an empty collection. */
export const distribution = (): Distribution => {
  let count = 0;
  let mean = 0;
  let squares = 0;
  let buckets = new Float64Array(latencyBounds.length + 1);
  return {
    add: (ms) => {
      count += 1;
      const before = ms - mean;
      mean += before / count;
      squares += before * (ms - mean);
      const bucket = bucketOf(ms);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    },
    take: () => {
      if (count === 0) return undefined;
      const value = {
        count,
        mean,
        sumOfSquaredDeviation: squares,
        bounds: latencyBounds,
        bucketCounts: [...buckets],
      };
      count = 0;
      mean = 0;
      squares = 0;
      buckets = new Float64Array(latencyBounds.length + 1);
      return value;
    },
  };
};
