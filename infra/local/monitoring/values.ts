/** Metric values: numbers, flags, texts and distributions, and how they are combined. */
import { z } from "zod";
import { RpcError } from "../protocol/service.js";

/** A bucketed distribution; `bucketCounts` has one more element than `bounds`. */
export const distributionSchema = z.object({
  count: z.number(),
  mean: z.number(),
  sumOfSquaredDeviation: z.number(),
  bounds: z.array(z.number()).readonly(),
  bucketCounts: z.array(z.number()).readonly(),
});
/** A bucketed distribution. */
export type Distribution = z.infer<typeof distributionSchema>;

/** A value of one of Monitoring's types. */
export const valueSchema = z.union([
  z.object({ int64: z.number() }),
  z.object({ double: z.number() }),
  z.object({ bool: z.boolean() }),
  z.object({ string: z.string() }),
  z.object({ distribution: distributionSchema }),
]);
/** A value of one of Monitoring's types. */
export type Value = z.infer<typeof valueSchema>;

/** Monitoring's names of the types. */
export type ValueType = "INT64" | "DOUBLE" | "BOOL" | "STRING" | "DISTRIBUTION";

/** The type of a value. */
export const typeOf = (value: Value): ValueType => {
  if ("int64" in value) return "INT64";
  if ("double" in value) return "DOUBLE";
  if ("bool" in value) return "BOOL";
  return "string" in value ? "STRING" : "DISTRIBUTION";
};

/** A value as a number; a flag counts as 0 or 1. */
export const numberOf = (value: Value): number => {
  if ("int64" in value) return value.int64;
  if ("double" in value) return value.double;
  return "bool" in value && value.bool ? 1 : 0;
};

/** A number in the type it came from. */
export const numeric = (type: ValueType, number: number): Value =>
  type === "INT64" ? { int64: Math.round(number) } : { double: number };

const sameBounds = (left: Distribution, right: Distribution): boolean =>
  left.bounds.length === right.bounds.length &&
  left.bounds.every((bound, index) => bound === right.bounds[index]);

const mergeTwo = (left: Distribution, right: Distribution): Distribution => {
  if (left.count === 0) return right;
  if (right.count === 0) return left;
  if (!sameBounds(left, right)) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      "Distributions with different buckets cannot be merged here; align or group them apart.",
    );
  }
  const count = left.count + right.count;
  const apart = right.mean - left.mean;
  return {
    count,
    mean: left.mean + (apart * right.count) / count,
    sumOfSquaredDeviation:
      left.sumOfSquaredDeviation +
      right.sumOfSquaredDeviation +
      (apart * apart * left.count * right.count) / count,
    bounds: left.bounds,
    bucketCounts: left.bucketCounts.map((held, index) => held + (right.bucketCounts[index] ?? 0)),
  };
};

const emptyDistribution: Distribution = {
  count: 0,
  mean: 0,
  sumOfSquaredDeviation: 0,
  bounds: [],
  bucketCounts: [0],
};

/** Adds distributions up. */
export const merge = (all: readonly Distribution[]): Distribution =>
  all.reduce(mergeTwo, emptyDistribution);

/** The distributions among values. */
export const distributionsOf = (values: readonly Value[]): readonly Distribution[] =>
  values.flatMap((value) => ("distribution" in value ? [value.distribution] : []));

/**
 * A percentile read off the buckets, linear within a bucket. The first bucket begins at zero, or at its bound when
 * that is negative; what lies above the last bound is taken to lie on it.
 */
export const percentileOfDistribution = (held: Distribution, percent: number): number => {
  const { bounds, bucketCounts, count } = held;
  if (bounds.length === 0) return held.mean;
  const wanted = (percent / 100) * count;
  let below = 0;
  for (const [index, inBucket] of bucketCounts.entries()) {
    if (inBucket > 0 && below + inBucket >= wanted) {
      const upper = bounds[index] ?? bounds.at(-1) ?? held.mean;
      const lower = index === 0 ? Math.min(0, upper) : (bounds[index - 1] ?? upper);
      return lower + ((upper - lower) * Math.max(0, wanted - below)) / inBucket;
    }
    below += inBucket;
  }
  return bounds.at(-1) ?? held.mean;
};

/** A percentile of plain numbers, linear between neighbours. */
export const percentileOfNumbers = (numbers: readonly number[], percent: number): number => {
  const sorted = numbers.toSorted((left, right) => left - right);
  const at = (percent / 100) * (sorted.length - 1);
  const lower = sorted[Math.floor(at)] ?? 0;
  const upper = sorted[Math.ceil(at)] ?? lower;
  return lower + (upper - lower) * (at - Math.floor(at));
};

/** The arithmetic mean; 0 of nothing. */
export const meanOf = (numbers: readonly number[]): number =>
  numbers.length === 0 ? 0 : numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

/** The population standard deviation. */
export const deviationOf = (numbers: readonly number[]): number => {
  const mean = meanOf(numbers);
  return Math.sqrt(meanOf(numbers.map((one) => (one - mean) ** 2)));
};
