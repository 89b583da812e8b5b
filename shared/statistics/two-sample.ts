/**
 * Tests and distances between two samples of numbers, in any order and of any sizes. An empty sample and one that
 * holds a NaN are a RangeError; infinite values have a rank, and no distance or mean.
 */
import { requireCounts, requireFinite, requireNumbers, requireSameLength } from "./input.js";
import { oneSampleKolmogorovUpper } from "./kolmogorov.js";
import { midranks } from "./ordering.js";
import { chiSquareUpper, normalUpper, studentTwoSided } from "./distributions.js";

/** Sorted copy of a sample. */
function sorted(values: ArrayLike<number>): Float64Array {
  requireSample(values);
  return Float64Array.from(values).toSorted();
}

function requireSample(values: ArrayLike<number>): void {
  if (values.length === 0) throw new RangeError("a sample is empty");
  requireNumbers(values);
}

/** Walks both samples in order; at each distinct value tells the counts at or below it. */
function walk(
  a: Float64Array,
  b: Float64Array,
  visit: (value: number, next: number, belowA: number, belowB: number) => void,
): void {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const value = Math.min(a[i] ?? Infinity, b[j] ?? Infinity);
    while (i < a.length && a[i] === value) i += 1;
    while (j < b.length && b[j] === value) j += 1;
    visit(value, Math.min(a[i] ?? Infinity, b[j] ?? Infinity), i, j);
  }
}

/** Two-sample Kolmogorov-Smirnov statistic and p-values (asymptotic, and exact where affordable). */
export interface KolmogorovSmirnov {
  readonly statistic: number;
  readonly pAsymptotic: number;
  /** The one-sample distribution at the rounded n m / (n + m), closer than the limit; undefined where its matrix would be large. */
  readonly pEffective: number | undefined;
  /** Counted over lattice paths; undefined when the samples have more than 10,000,000 pairs. */
  readonly pExact: number | undefined;
}

const exactPairsMax = 10_000_000;
/** Rows that the smaller part of the matrix may have: its cube is the work. */
const effectiveGapMax = 40;

/** Kolmogorov's limiting upper tail at x = sqrt(nm/(n+m)) D. */
function kolmogorovUpper(x: number): number {
  if (x <= 0) return 1;
  if (x < 1.18) {
    let sum = 0;
    for (let k = 1; k <= 20; k += 1)
      sum += Math.exp((-((2 * k - 1) ** 2) * Math.PI ** 2) / (8 * x * x));
    return 1 - (Math.sqrt(2 * Math.PI) / x) * sum;
  }
  let sum = 0;
  for (let k = 1; k <= 50; k += 1) sum += (k % 2 === 1 ? 1 : -1) * Math.exp(-2 * k * k * x * x);
  return Math.min(1, 2 * sum);
}

/**
 * Exact P(D >= observed) by the share of lattice paths from (0, 0) to (n, m) that reach a distance of
 * `gap` = D n m (Hodges 1958), as probabilities to avoid overflow.
 */
function exactKolmogorov(n: number, m: number, gap: number): number {
  // reach[j] is the probability that a uniformly drawn path through (i, j) has touched the boundary.
  const touches = (i: number, j: number): boolean => Math.abs(i * m - j * n) >= gap;
  const reach = new Float64Array(m + 1);
  for (let j = 1; j <= m; j += 1) reach[j] = touches(0, j) ? 1 : (reach[j - 1] ?? 0);
  for (let i = 1; i <= n; i += 1) {
    reach[0] = touches(i, 0) ? 1 : (reach[0] ?? 0);
    for (let j = 1; j <= m; j += 1) {
      const fromLeft = reach[j - 1] ?? 0;
      const fromAbove = reach[j] ?? 0;
      reach[j] = touches(i, j) ? 1 : (fromAbove * i + fromLeft * j) / (i + j);
    }
  }
  return reach[m] ?? NaN;
}

/** Two-sided two-sample Kolmogorov-Smirnov test. */
export function kolmogorovSmirnov(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
): KolmogorovSmirnov {
  const a = sorted(first);
  const b = sorted(second);
  let gap = 0;
  walk(a, b, (_value, _next, i, j) => {
    gap = Math.max(gap, Math.abs(i * b.length - j * a.length));
  });
  const pairs = a.length * b.length;
  const statistic = gap / pairs;
  const effective = Math.round(pairs / (a.length + b.length));
  return {
    statistic,
    pAsymptotic: kolmogorovUpper(Math.sqrt(pairs / (a.length + b.length)) * statistic),
    pEffective:
      effective * statistic <= effectiveGapMax
        ? oneSampleKolmogorovUpper(effective, statistic)
        : undefined,
    pExact: pairs <= exactPairsMax ? exactKolmogorov(a.length, b.length, gap) : undefined,
  };
}

/** Wasserstein-1 (earth mover's) distance, in the unit of the values. */
export function wassersteinDistance(first: ArrayLike<number>, second: ArrayLike<number>): number {
  const a = sorted(first);
  const b = sorted(second);
  requireFinite(a);
  requireFinite(b);
  let sum = 0;
  walk(a, b, (value, next, i, j) => {
    if (next !== Infinity) sum += Math.abs(i / a.length - j / b.length) * (next - value);
  });
  return sum;
}

/** Energy distance (Szekely and Rizzo), the square root of twice the integrated squared gap. */
export function energyDistance(first: ArrayLike<number>, second: ArrayLike<number>): number {
  const a = sorted(first);
  const b = sorted(second);
  requireFinite(a);
  requireFinite(b);
  let sum = 0;
  walk(a, b, (value, next, i, j) => {
    if (next !== Infinity) sum += (i / a.length - j / b.length) ** 2 * (next - value);
  });
  return Math.sqrt(2 * sum);
}

/** Mann-Whitney U test of an experiment against a control. */
export interface MannWhitney {
  readonly u: number;
  readonly pTwoSided: number;
  readonly pGreater: number;
  /** Chance that a random experiment value exceeds a random control value. */
  readonly effect: number;
}

/** Mann-Whitney with tie-corrected normal approximation and continuity correction. */
export function mannWhitney(
  control: ArrayLike<number>,
  experiment: ArrayLike<number>,
): MannWhitney {
  requireSample(control);
  requireSample(experiment);
  const n = experiment.length;
  const m = control.length;
  const all = Float64Array.from([...Array.from(experiment), ...Array.from(control)]);
  const ranks = midranks(all);
  let rankSum = 0;
  for (let i = 0; i < n; i += 1) rankSum += ranks[i] ?? 0;
  const u = rankSum - (n * (n + 1)) / 2;
  const size = n + m;
  const tieSizes = new Map<number, number>();
  for (const rank of ranks) tieSizes.set(rank, (tieSizes.get(rank) ?? 0) + 1);
  let ties = 0;
  for (const tie of tieSizes.values()) ties += tie ** 3 - tie;
  const spread = Math.sqrt(((n * m) / 12) * (size + 1 - ties / (size * (size - 1))));
  const z = (value: number): number => (value - (n * m) / 2 - 0.5) / spread;
  return {
    u,
    pTwoSided: Math.min(1, 2 * normalUpper(z(Math.max(u, n * m - u)))),
    pGreater: normalUpper(z(u)),
    effect: u / (n * m),
  };
}

/** Hodges-Lehmann shift: the median of all pairwise differences experiment - control. */
export function hodgesLehmann(control: ArrayLike<number>, experiment: ArrayLike<number>): number {
  for (const sample of [control, experiment]) {
    requireSample(sample);
    requireFinite(sample);
  }
  const differences = new Float64Array(control.length * experiment.length);
  for (let i = 0; i < experiment.length; i += 1) {
    for (let j = 0; j < control.length; j += 1) {
      differences[i * control.length + j] = (experiment[i] ?? 0) - (control[j] ?? 0);
    }
  }
  differences.sort();
  const middle = differences.length >> 1;
  const upper = differences[middle] ?? NaN;
  return differences.length % 2 === 1 ? upper : ((differences[middle - 1] ?? NaN) + upper) / 2;
}

/** Mean and unbiased variance. */
export function meanAndVariance(values: ArrayLike<number>): {
  readonly mean: number;
  readonly variance: number;
} {
  let mean = 0;
  let squares = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? 0;
    const delta = value - mean;
    mean += delta / (i + 1);
    squares += delta * (value - mean);
  }
  return { mean, variance: squares / (values.length - 1) };
}

/** Welch's t-test of mean(b) - mean(a) with unequal variances, two-sided. */
export function welchTest(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): { readonly t: number; readonly degreesOfFreedom: number; readonly pValue: number } {
  for (const sample of [a, b]) {
    if (sample.length < 2) throw new RangeError(`a sample of ${sample.length} has no variance`);
    requireFinite(sample);
  }
  const first = meanAndVariance(a);
  const second = meanAndVariance(b);
  if (first.variance === 0 && second.variance === 0) {
    // Two constants: equal or not, without any doubt.
    const difference = second.mean - first.mean;
    const t = difference === 0 ? 0 : difference * Infinity;
    return { t, degreesOfFreedom: a.length + b.length - 2, pValue: t === 0 ? 1 : 0 };
  }
  const va = first.variance / a.length;
  const vb = second.variance / b.length;
  const t = (second.mean - first.mean) / Math.sqrt(va + vb);
  const degreesOfFreedom = (va + vb) ** 2 / (va ** 2 / (a.length - 1) + vb ** 2 / (b.length - 1));
  return { t, degreesOfFreedom, pValue: studentTwoSided(t, degreesOfFreedom) };
}

/** Pearson's chi-square test that two count arrays over the same cells share one distribution. */
export function chiSquareTest(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): { readonly statistic: number; readonly degreesOfFreedom: number; readonly pValue: number } {
  requireSameLength(a, b);
  requireCounts(a);
  requireCounts(b);
  const cells = Array.from(a, (count, i) => [count, b[i] ?? 0] as const).filter(
    ([x, y]) => x + y > 0,
  );
  const totalA = cells.reduce((sum, [x]) => sum + x, 0);
  const totalB = cells.reduce((sum, [, y]) => sum + y, 0);
  let statistic = 0;
  for (const [x, y] of cells) {
    const expectedA = ((x + y) * totalA) / (totalA + totalB);
    const expectedB = x + y - expectedA;
    statistic += (x - expectedA) ** 2 / expectedA + (y - expectedB) ** 2 / expectedB;
  }
  const degreesOfFreedom = Math.max(0, cells.length - 1);
  const pValue = degreesOfFreedom < 1 ? 1 : chiSquareUpper(statistic, degreesOfFreedom);
  return { statistic, degreesOfFreedom, pValue };
}
