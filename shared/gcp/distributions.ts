/** Brings distributions with different buckets to one list of bounds, without inventing where values lie. */
import type { BucketOptions, DistributionValue } from "./metric-series.js";

/** The finite bounds that bucket options stand for, rising. */
export const finiteBounds = (options: BucketOptions): readonly number[] => {
  const { explicitBuckets, exponentialBuckets, linearBuckets } = options;
  if (explicitBuckets !== undefined) return explicitBuckets.bounds;
  if (exponentialBuckets !== undefined) {
    const { numFiniteBuckets, growthFactor, scale } = exponentialBuckets;
    return Array.from(
      { length: numFiniteBuckets + 1 },
      (_, index) => scale * growthFactor ** index,
    );
  }
  if (linearBuckets !== undefined) {
    const { numFiniteBuckets, width, offset } = linearBuckets;
    return Array.from({ length: numFiniteBuckets + 1 }, (_, index) => offset + width * index);
  }
  return [];
};

/** Bounds computed by two programs may differ in their last digits. */
const relativeTolerance = 1e-9;

const isSameBound = (a: number, b: number): boolean =>
  Math.abs(a - b) <= relativeTolerance * Math.max(Math.abs(a), Math.abs(b));

/** The first index whose bound is not below `value`, counting equal ones as not below. */
const lowerIndex = (bounds: readonly number[], value: number): number => {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const bound = bounds[middle] ?? Infinity;
    if (bound < value && !isSameBound(bound, value)) low = middle + 1;
    else high = middle;
  }
  return low;
};

const holds = (bounds: readonly number[], value: number): boolean => {
  const bound = bounds[lowerIndex(bounds, value)];
  return bound !== undefined && isSameBound(bound, value);
};

/**
 * The bounds that all lists have in common. Counts can be brought to these exactly; any other bound would split a
 * bucket and guess how its values are spread.
 */
export const commonBounds = (lists: readonly (readonly number[])[]): readonly number[] => {
  const [first = [], ...others] = lists;
  return first.filter((bound) => others.every((list) => holds(list, bound)));
};

/**
 * Counts per bucket of `bounds` (one more than bounds), summed over distributions whose own bounds hold all of them. Where
 * each bucket's values go is worked out once for all distributions that share their options.
 */
export const countingWithin = (
  bounds: readonly number[],
): ((distributions: readonly DistributionValue[]) => readonly number[]) => {
  const known = new Map<BucketOptions, readonly number[]>();
  const targetsOf = (options: BucketOptions): readonly number[] => {
    const found = known.get(options);
    if (found !== undefined) return found;
    // A bucket's values lie below its upper bound; the last bucket has none.
    const targets = finiteBounds(options).map((upper) => lowerIndex(bounds, upper));
    known.set(options, targets);
    return targets;
  };
  return (distributions) => {
    const counts = Array.from({ length: bounds.length + 1 }, () => 0);
    for (const { bucketOptions, bucketCounts } of distributions) {
      const targets = targetsOf(bucketOptions);
      for (const [bucket, count] of bucketCounts.entries()) {
        const target = targets[bucket] ?? bounds.length;
        counts[target] = (counts[target] ?? 0) + count;
      }
    }
    return counts;
  };
};
