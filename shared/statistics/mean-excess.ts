/**
 * Whether a mean lies above what is allowed, looked at as often as one likes: the sequential t-test of
 * student-e-process.ts on sums of what was observed. Exact for normal observations; for others the guarantee is asymptotic
 * (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, "Time-uniform central limit theory"): P(E ever >= 1/alpha) tends to
 * at most alpha as the first look has more observations, which is why few say nothing.
 */
import { logSigns } from "./latency-windows.js";
import { logStudentExcess } from "./student-e-process.js";

/** Count, sum and sum of squares of some values, which add up. */
export interface Sums {
  readonly count: number;
  readonly sum: number;
  readonly sumSquares: number;
}

/** An estimate of how far a mean lies above what is allowed, from one stretch of time. */
export interface Excess {
  /** Independent observations that it rests on. */
  readonly count: number;
  readonly value: number;
  /** Standard error; 0 where the observations never differed. */
  readonly standardError: number;
}

/** The sums of values; every one must be finite. O(values). */
export const sumsOf = (values: readonly number[]): Sums => ({
  count: values.length,
  sum: values.reduce((total, value) => total + value, 0),
  sumSquares: values.reduce((total, value) => total + value * value, 0),
});

/** Mean and its squared standard error; NaN without two values. Rounding of a constant series counts as no spread. */
const meanOf = ({ count, sum, sumSquares }: Sums) => {
  const mean = sum / count;
  const spread = sumSquares - count * mean * mean;
  const isConstant = spread <= 1e-12 * sumSquares;
  return { mean, squaredError: isConstant ? 0 : spread / ((count - 1) * count) };
};

/** The excess of values over zero; null with fewer than `countMin` of them. */
export const excessOfMean = (values: Sums, countMin: number): Excess | null => {
  if (values.count < Math.max(2, countMin)) return null;
  const { mean, squaredError } = meanOf(values);
  return { count: values.count, value: mean, standardError: Math.sqrt(squaredError) };
};

/** The excess of one mean over `ratioMax` times another; null when either side has fewer than `countMin` values. */
export const excessOverRatio = (
  own: Sums,
  other: Sums,
  options: { readonly ratioMax: number; readonly countMin: number },
): Excess | null => {
  const { ratioMax, countMin } = options;
  if (Math.min(own.count, other.count) < Math.max(2, countMin)) return null;
  const [a, b] = [meanOf(own), meanOf(other)];
  return {
    count: (own.count * other.count) / (own.count + other.count),
    value: a.mean - ratioMax * b.mean,
    standardError: Math.sqrt(a.squaredError + ratioMax ** 2 * b.squaredError),
  };
};

/**
 * Natural log of E against "the mean is at most what is allowed". Stretches of time are pooled, each in standard deviations
 * of its own; `rho`, the expected excess in standard deviations of one observation, decides where the test is sharpest (at
 * about 9 / rho^2 observations). Values that never differ have no spread to be judged by: of them only the sign counts.
 * 0, no evidence, without a stretch.
 */
export const logMeanExcess = (
  stretches: readonly Excess[],
  options: { readonly rho: number },
): number => {
  let [signs, worse] = [0, 0];
  let [count, sum, squaredDeviations] = [0, 0, 0];
  for (const stretch of stretches) {
    if (stretch.standardError > 0) {
      count += stretch.count;
      sum += (Math.sqrt(stretch.count) * stretch.value) / stretch.standardError;
      squaredDeviations += stretch.count - 1;
    } else {
      signs += Math.floor(stretch.count);
      worse += stretch.value > 0 ? Math.floor(stretch.count) : 0;
    }
  }
  return logStudentExcess({ count, sum, squaredDeviations }, options) + logSigns(signs, worse);
};
