/**
 * Over-dispersion of error counts: a version has bad minutes of its own, so its errors come in larger clumps than
 * independent requests would make. Evidence that takes them as independent is too strong by the same factor. The factor
 * is Pearson's (McCullagh and Nelder 1989, "Generalized Linear Models", section 4.5): the mean squared residual of the
 * challenger's share of the errors, window by window, in units of its binomial variance.
 */
import type { ErrorSegment } from "./e-process.js";
import { requirePart } from "./input.js";

/** Error counts of one window in which both versions served. */
export interface ErrorWindow {
  readonly challengerErrors: number;
  /** Errors of both versions together. */
  readonly errors: number;
}

/** Pearson's statistic of one stretch of time with a constant traffic split, and its degrees of freedom. */
export interface Dispersion {
  readonly statistic: number;
  readonly degrees: number;
}

/**
 * Dispersion about the stretch's own share of errors, so that a challenger that is worse throughout adds none.
 * O(windows). Without two windows that have errors, or with the errors of one version alone, there are no degrees.
 */
export function errorDispersion(windows: readonly ErrorWindow[]): Dispersion {
  for (const window of windows) requirePart(window.challengerErrors, window.errors);
  const counted = windows.filter(({ errors }) => errors > 0);
  const errors = counted.reduce((sum, window) => sum + window.errors, 0);
  const share = counted.reduce((sum, { challengerErrors }) => sum + challengerErrors, 0) / errors;
  if (counted.length < 2 || !(share > 0) || !(share < 1)) return { statistic: 0, degrees: 0 };
  const statistic = counted.reduce(
    (sum, window) =>
      sum +
      (window.challengerErrors - share * window.errors) ** 2 /
        (window.errors * share * (1 - share)),
    0,
  );
  return { statistic, degrees: counted.length - 1 };
}

/** What is believed before windows show it counts as much as so many of them. */
const priorDegrees = 5;
/** Variance of the log of the ratio of both versions' rates from minute to minute, when each moves by 0.39 for itself. */
const priorNoise = 0.3;

/**
 * The factor, at least 1, by which counts are to be divided. A few windows cannot tell it, so it is shrunk towards 1, or
 * where windows hold so many errors that own noise would outweigh chance, towards what that would make of them.
 */
export function overDispersion(
  stretches: readonly (ErrorSegment & { readonly dispersion: Dispersion })[],
): number {
  let [statistic, degrees, windows, variance] = [0, 0, 0, 0];
  for (const { share, errors, dispersion } of stretches) {
    statistic += dispersion.statistic;
    degrees += dispersion.degrees;
    windows += dispersion.degrees + 1;
    variance += errors * share * (1 - share);
  }
  const expected = Math.max(1, (priorNoise * variance) / Math.max(1, windows));
  return Math.max(1, (priorDegrees * expected + statistic) / (priorDegrees + degrees));
}
