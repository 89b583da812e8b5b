/**
 * How large a drift statistic gets when nothing has changed: both samples come from the pooled
 * distribution. A drift is worth an alert only above this quantile and above its threshold.
 */
import { chiSquareQuantile } from "./distributions.js";
import { normalize } from "./divergence.js";
import { multinomialDraw, seededRandom } from "./random.js";

/** A distance between two count arrays over the same cells. */
export type Distance = (a: ArrayLike<number>, b: ArrayLike<number>) => number;

const total = (counts: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < counts.length; i += 1) sum += counts[i] ?? 0;
  return sum;
};

/**
 * Null quantile of a distance for the observed sample sizes, by seeded simulation from the pooled counts.
 * 500 repetitions put the 99 % quantile within about 5 % of its value.
 */
export function nullQuantile(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  distance: Distance,
  options: {
    readonly probability?: number;
    readonly repetitions?: number;
    readonly seed?: number;
  } = {},
): number {
  const { probability = 0.99, repetitions = 500, seed = 1 } = options;
  const pooled = normalize(Float64Array.from(a, (count, i) => count + (b[i] ?? 0)));
  const occupied = pooled.filter((share) => share > 0);
  const sizes = { a: Math.round(total(a)), b: Math.round(total(b)) };
  if (sizes.a === 0 || sizes.b === 0) return NaN;
  const random = seededRandom(seed);
  const values = Float64Array.from({ length: repetitions }, () =>
    distance(
      multinomialDraw(random, sizes.a, occupied),
      multinomialDraw(random, sizes.b, occupied),
    ),
  ).toSorted();
  return values[Math.min(repetitions - 1, Math.ceil(probability * repetitions) - 1)] ?? NaN;
}

/**
 * Large-sample null quantile of the Jensen-Shannon divergence in bits: (1/a + 1/b) chi2(k - 1) / (8 ln 2) for
 * sample sizes a, b and k occupied cells, each expecting about five values or more.
 */
export function jensenShannonNullQuantile(
  rowsA: number,
  rowsB: number,
  cells: number,
  probability = 0.99,
): number {
  if (cells < 2) return 0;
  const scale = (1 / rowsA + 1 / rowsB) / (8 * Math.LN2);
  return scale * chiSquareQuantile(probability, cells - 1);
}

/** Large-sample null quantile of the PSI in nats: (1/a + 1/b) chi2(k - 1) (Yurdakul 2018). */
export function stabilityNullQuantile(
  rowsA: number,
  rowsB: number,
  cells: number,
  probability = 0.99,
): number {
  if (cells < 2) return 0;
  return (1 / rowsA + 1 / rowsB) * chiSquareQuantile(probability, cells - 1);
}
