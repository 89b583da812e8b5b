/**
 * Histograms of numbers as buckets with counts, following TensorFlow Data Validation: mass is
 * uniform inside a bucket, a bucket with low = high is a point mass, unbounded buckets stand apart.
 * Missing values (NaN) are a cell of their own on both sides, unlike TFDV, where identical data
 * with missing values has a positive divergence.
 */
import { jensenShannonDivergence } from "./divergence.js";

/** Values in [low, high); the last finite bucket and point masses include `high`. */
export interface Bucket {
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** Buckets in ascending order and the number of missing values. */
export interface Histogram {
  readonly buckets: readonly Bucket[];
  readonly missing: number;
}

/**
 * Counts values into [-inf, e0), [e0, e1) ... [e(n-2), e(n-1)], (e(n-1), inf]: n + 1 counts for n
 * ascending edges, then the number of NaN.
 */
export function countByEdges(
  values: ArrayLike<number>,
  edges: ArrayLike<number>,
): { readonly counts: Float64Array; readonly missing: number } {
  const counts = new Float64Array(edges.length + 1);
  const last = edges.length - 1;
  const top = edges[last] ?? Infinity;
  let missing = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? NaN;
    if (Number.isNaN(value)) {
      missing += 1;
      continue;
    }
    const cell = value === top && last > 0 ? last : edgesAtOrBelow(edges, value);
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  return { counts, missing };
}

/** Number of ascending edges that are at most the value. */
function edgesAtOrBelow(edges: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edges[middle] ?? Infinity) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Unbounded buckets are kept only when something fell into them. */
const isNeeded = (bucket: Bucket): boolean =>
  bucket.count > 0 || (Number.isFinite(bucket.low) && Number.isFinite(bucket.high));

/** Histogram of values over ascending edges; buckets outside the edges are unbounded. */
export function histogram(values: ArrayLike<number>, edges: readonly number[]): Histogram {
  const { counts, missing } = countByEdges(values, edges);
  const buckets = Array.from(counts, (count, i) => ({
    low: i === 0 ? -Infinity : (edges[i - 1] ?? -Infinity),
    high: edges[i] ?? Infinity,
    count,
  }));
  return { buckets: buckets.filter(isNeeded), missing };
}

/** Quantiles by linear interpolation (type 7) of ascending values; probabilities in [0, 1]. */
export function quantilesOfSorted(
  sorted: ArrayLike<number>,
  probabilities: readonly number[],
): readonly number[] {
  return probabilities.map((p) => {
    const position = p * (sorted.length - 1);
    const below = Math.floor(position);
    const low = sorted[below] ?? NaN;
    const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? NaN;
    return low + (position - below) * (high - low);
  });
}

/** Identifies a bucket by its bounds. */
const key = ({ low, high }: Bucket): string => `${low}:${high}`;

/** Adds histograms of the same edges; throws a RangeError when the edges differ. */
export function mergeHistograms(a: Histogram, b: Histogram): Histogram {
  const merged = new Map(a.buckets.map((bucket) => [key(bucket), bucket]));
  for (const bucket of b.buckets) {
    const own = merged.get(key(bucket));
    const isUnbounded = !Number.isFinite(bucket.low) || !Number.isFinite(bucket.high);
    if (own === undefined && !isUnbounded) {
      throw new RangeError(`bucket [${bucket.low}, ${bucket.high}) exists on one side only`);
    }
    merged.set(key(bucket), { ...bucket, count: bucket.count + (own?.count ?? 0) });
  }
  const buckets = [...merged.values()].toSorted((x, y) => x.low - y.low || x.high - y.high);
  return { buckets, missing: a.missing + b.missing };
}

/** Cells of both histograms over the union of their edges, ready for a divergence. */
export interface AlignedCells {
  readonly a: Float64Array;
  readonly b: Float64Array;
}

const isPoint = (bucket: Bucket): boolean => bucket.low === bucket.high;
const isFiniteRange = (bucket: Bucket): boolean =>
  Number.isFinite(bucket.low) && Number.isFinite(bucket.high) && !isPoint(bucket);

/** Spreads a histogram over union edges: intervals, then points, then below, above and missing. */
function spread(
  { buckets, missing }: Histogram,
  edges: readonly number[],
  points: readonly number[],
): Float64Array {
  const intervals = Math.max(0, edges.length - 1);
  const cells = new Float64Array(intervals + points.length + 3);
  const add = (cell: number, mass: number): void => {
    cells[cell] = (cells[cell] ?? 0) + mass;
  };
  for (const bucket of buckets) {
    if (isPoint(bucket)) add(intervals + points.indexOf(bucket.low), bucket.count);
    else if (bucket.low === -Infinity) add(intervals + points.length, bucket.count);
    else if (bucket.high === Infinity) add(intervals + points.length + 1, bucket.count);
    else {
      const width = bucket.high - bucket.low;
      for (let i = edges.indexOf(bucket.low); (edges[i] ?? Infinity) < bucket.high; i += 1) {
        const piece = (edges[i + 1] ?? bucket.high) - (edges[i] ?? bucket.low);
        add(i, (bucket.count * piece) / width);
      }
    }
  }
  add(cells.length - 1, missing);
  return cells;
}

/** Distinct values in ascending order. */
const unique = (values: readonly number[]): readonly number[] =>
  [...new Set(values)].toSorted((x, y) => x - y);

/** Both histograms as masses over the union of their bucket edges. */
function alignHistograms(a: Histogram, b: Histogram): AlignedCells {
  const all = [...a.buckets, ...b.buckets];
  const edges = unique(all.filter(isFiniteRange).flatMap(({ low, high }) => [low, high]));
  const points = unique(all.filter(isPoint).map(({ low }) => low));
  return { a: spread(a, edges, points), b: spread(b, edges, points) };
}

/** Jensen-Shannon divergence in bits of two histograms with any edges. */
export function histogramDivergence(a: Histogram, b: Histogram): number {
  const cells = alignHistograms(a, b);
  return jensenShannonDivergence(cells.a, cells.b);
}
