/** Power and sample size of the tests that decide a promotion. */
import { normalCdf, normalQuantile } from "./distributions.js";

/**
 * Power of a one-sided paired z-test at level alpha when the estimate lies `effect` above the null
 * on average, with this standard error (both in units of the metric).
 */
export function pairedPower(effect: number, standardError: number, alpha: number): number {
  if (standardError === 0) return effect > 0 ? 1 : 0;
  return normalCdf(effect / standardError - normalQuantile(1 - alpha));
}

/** Rows needed for that power, given the standard error seen at `rows`; Infinity without an effect. */
export function pairedRowsNeeded(options: {
  readonly effect: number;
  readonly standardError: number;
  readonly rows: number;
  readonly alpha: number;
  readonly power: number;
}): number {
  const { effect, standardError, rows, alpha, power } = options;
  if (!(effect > 0)) return Infinity;
  const z = normalQuantile(1 - alpha) + normalQuantile(power);
  return Math.ceil(rows * ((z * standardError) / effect) ** 2);
}

/** Smallest true effect above the null that the one-sided test finds with this power. */
export function detectableEffect(standardError: number, alpha: number, power: number): number {
  return (normalQuantile(1 - alpha) + normalQuantile(power)) * standardError;
}

/** Size per arm to tell proportions p1 and p2 apart, two-sided (Fleiss, without correction). */
export function twoProportionRows(p1: number, p2: number, alpha: number, power: number): number {
  const mean = (p1 + p2) / 2;
  const spread =
    normalQuantile(1 - alpha / 2) * Math.sqrt(2 * mean * (1 - mean)) +
    normalQuantile(power) * Math.sqrt(p1 * (1 - p1) + p2 * (1 - p2));
  return (spread / (p1 - p2)) ** 2;
}

/** Size per arm to show a proportion not inferior by the margin when both are p, one-sided. */
export function nonInferiorityRows(
  p: number,
  margin: number,
  alphaOneSided: number,
  power: number,
): number {
  const z = normalQuantile(1 - alphaOneSided) + normalQuantile(power);
  return (2 * p * (1 - p) * z ** 2) / margin ** 2;
}
