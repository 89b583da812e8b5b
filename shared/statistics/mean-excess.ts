/**
 * Whether a mean lies above what is allowed, looked at as often as one likes: a one-sided normal mixture of likelihood
 * ratios (Robbins 1970, "Statistical methods related to the law of the iterated logarithm") of studentised sums. Its
 * guarantee is asymptotic (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, "Time-uniform central limit theory"):
 * P(E ever >= 1/alpha) tends to at most alpha as the first look has more observations, which is why few say nothing.
 */
import { normalCdf } from "./distributions.js";
import { logSigns } from "./latency-windows.js";

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

/** Beyond it the tail of the normal distribution leaves a double's range, and its first asymptotic term is exact enough. */
const tailMax = 30;

/**
 * Natural log of E against "the mean is at most what is allowed". Stretches of time add up; `rho`, the expected excess in
 * standard deviations of one observation, decides where the test is sharpest (at about 9 / rho^2 observations). Values
 * that never differ have no spread to be judged by: of them only the sign counts. 0, no evidence, without a stretch.
 */
export const logMeanExcess = (
  stretches: readonly Excess[],
  options: { readonly rho: number },
): number => {
  const { rho } = options;
  const varying = stretches.filter(({ standardError }) => standardError > 0);
  const constant = stretches.filter(({ standardError }) => standardError === 0);
  const signs = constant.reduce((sum, { count }) => sum + Math.floor(count), 0);
  const worse = constant.reduce(
    (sum, { count, value }) => sum + (value > 0 ? Math.floor(count) : 0),
    0,
  );
  const count = varying.reduce((sum, stretch) => sum + stretch.count, 0);
  const scaled = varying.reduce(
    (sum, stretch) => sum + (Math.sqrt(stretch.count) * stretch.value) / stretch.standardError,
    0,
  );
  const width = 1 + rho * rho * count;
  const x = (rho * scaled) / Math.sqrt(width);
  const tail =
    x > -tailMax ? (x * x) / 2 + Math.log(normalCdf(x)) : -Math.log(-x) - Math.log(2 * Math.PI) / 2;
  return Math.LN2 - Math.log(width) / 2 + tail + logSigns(signs, worse);
};
