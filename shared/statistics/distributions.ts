/** Distribution functions built on the special functions; probabilities are in [0, 1]. */
import {
  logGamma,
  regularizedBeta,
  regularizedGammaLower,
  regularizedGammaUpper,
} from "./special.js";

/** Standard normal distribution function; the lower tail keeps full relative precision. */
export function normalCdf(z: number): number {
  const half = (z * z) / 2;
  return z < 0
    ? 0.5 * regularizedGammaUpper(0.5, half)
    : 0.5 + 0.5 * regularizedGammaLower(0.5, half);
}

/** Upper tail of the standard normal distribution, P(Z > z). */
export function normalUpper(z: number): number {
  return normalCdf(-z);
}

/**
 * Standard normal quantile for 0 < p < 1: Acklam's rational start (relative error 1e-9) and two
 * Halley steps on the distribution function above.
 */
export function normalQuantile(p: number): number {
  if (!(p >= 0) || !(p <= 1)) return NaN;
  if (p === 0) return -Infinity;
  if (p === 1) return Infinity;
  if (p > 0.5) return -normalQuantile(1 - p);
  let z = acklam(p);
  for (let step = 0; step < 2; step += 1) {
    const error = (normalCdf(z) - p) * Math.sqrt(2 * Math.PI) * Math.exp((z * z) / 2);
    z -= error / (1 + (z * error) / 2);
  }
  return z;
}

/** Acklam's approximation of the normal quantile for 0 < p <= 0.5. */
function acklam(p: number): number {
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return (
      (((((-7.784894002430293e-3 * q - 3.223964580411365e-1) * q - 2.400758277161838) * q -
        2.549732539343734) *
        q +
        4.374664141464968) *
        q +
        2.938163982698783) /
      ((((7.784695709041462e-3 * q + 3.224671290700398e-1) * q + 2.445134137142996) * q +
        3.754408661907416) *
        q +
        1)
    );
  }
  const q = p - 0.5;
  const r = q * q;
  return (
    ((((((-3.969683028665376e1 * r + 2.209460984245205e2) * r - 2.759285104469687e2) * r +
      1.38357751867269e2) *
      r -
      3.066479806614716e1) *
      r +
      2.506628277459239) *
      q) /
    (((((-5.447609879822406e1 * r + 1.615858368580409e2) * r - 1.556989798598866e2) * r +
      6.680131188771972e1) *
      r -
      1.328068155288572e1) *
      r +
      1)
  );
}

/** Upper tail of the chi-square distribution with the given degrees of freedom. */
export function chiSquareUpper(x: number, degreesOfFreedom: number): number {
  return regularizedGammaUpper(degreesOfFreedom / 2, Math.max(0, x) / 2);
}

/** Quantile of the chi-square distribution by bisection, relative precision 1e-12. */
export function chiSquareQuantile(p: number, degreesOfFreedom: number): number {
  if (!(p >= 0) || !(p < 1)) return p === 1 ? Infinity : NaN;
  let low = 0;
  let high = Math.max(1, degreesOfFreedom);
  while (1 - chiSquareUpper(high, degreesOfFreedom) < p) high *= 2;
  for (let step = 0; step < 200 && high - low > 1e-13 * high; step += 1) {
    const middle = (low + high) / 2;
    if (1 - chiSquareUpper(middle, degreesOfFreedom) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Two-sided p-value of Student's t with real degrees of freedom. */
export function studentTwoSided(t: number, degreesOfFreedom: number): number {
  return regularizedBeta(degreesOfFreedom / (degreesOfFreedom + t * t), degreesOfFreedom / 2, 0.5);
}

/** Probability mass of the binomial distribution at k of n. */
export function binomialMass(k: number, n: number, p: number): number {
  if (k < 0 || k > n) return 0;
  if (p === 0) return k === 0 ? 1 : 0;
  if (p === 1) return k === n ? 1 : 0;
  const choose = logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
  return Math.exp(choose + k * Math.log(p) + (n - k) * Math.log1p(-p));
}

/** Binomial distribution function P(X <= k). */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return regularizedBeta(1 - p, n - k, k + 1);
}
