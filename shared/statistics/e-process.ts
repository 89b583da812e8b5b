/**
 * Conditional-binomial e-process for error rates, after Lindon and Malek (2022), one-sided. May be
 * looked at after every request: by Ville's inequality P(E ever >= 1/alpha) <= alpha under H0.
 */
import { requirePart } from "./input.js";
import { betaTails, logBeta } from "./special.js";

/** Error counts of a stretch of time with a constant traffic split. */
export interface ErrorSegment {
  /** Challenger's share of the requests, strictly between 0 and 1. */
  readonly share: number;
  readonly challengerErrors: number;
  /** Errors of both versions together. */
  readonly errors: number;
}

/**
 * Beta prior of the probability that an error is the challenger's, centred at a rate ratio of 1 for
 * every share. The smaller parameter is 1, so the spread of the log ratio hardly depends on the share.
 */
function prior(share: number): readonly [number, number] {
  return share <= 0.5 ? [1, (1 - share) / share] : [share / (1 - share), 1];
}

/** Natural log of the integral of theta^(a-1) (1-theta)^(b-1) over theta above the bound. */
function logUpperIntegral(bound: number, a: number, b: number): number {
  return logBeta(a, b) + betaTails(bound, a, b).logUpper;
}

/** Natural log of E for one segment; 0 (no evidence) without errors or with one version alone. */
function logSegment({ share, challengerErrors: k, errors: n }: ErrorSegment, rho0: number): number {
  requirePart(k, n);
  if (n === 0 || !(share > 0) || !(share < 1)) return 0;
  const bound = (share * rho0) / (share * rho0 + 1 - share);
  const [a, b] = prior(share);
  const evidence = logUpperIntegral(bound, a + k, b + n - k) - logUpperIntegral(bound, a, b);
  return evidence - k * Math.log(bound) - (n - k) * Math.log1p(-bound);
}

/**
 * Natural log of E against H0 "the challenger's error rate is at most rho0 times the champion's".
 * Segments with different shares multiply. Roll back at E >= 1/alpha. More errors of the challenger than of both, a
 * negative count and NaN are a RangeError.
 */
export function logEProcess(
  segments: readonly ErrorSegment[],
  options: { readonly rho0: number },
): number {
  let log = 0;
  for (const segment of segments) log += logSegment(segment, options.rho0);
  return log;
}

/**
 * Two-sided variant with an untruncated Beta(a, b) prior against H0 "the share of errors equals the
 * share of traffic"; natural log of E.
 */
export function logSplitEValue(
  segment: ErrorSegment,
  options: { readonly a: number; readonly b: number },
): number {
  const { share, challengerErrors: k, errors: n } = segment;
  const { a, b } = options;
  return (
    logBeta(a + k, b + n - k) - logBeta(a, b) - k * Math.log(share) - (n - k) * Math.log1p(-share)
  );
}
