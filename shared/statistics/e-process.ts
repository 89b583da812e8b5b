/**
 * Conditional-binomial e-process for error rates, after Lindon and Malek (2022, "Anytime-valid inference for multinomial
 * count data"), one-sided, with the method of mixtures (Robbins 1970). May be looked at after every request: by Ville's
 * inequality P(E ever >= 1/alpha) <= alpha under H0.
 *
 * Given that a request failed, it was the challenger's with probability theta = w rho / (w rho + 1 - w), where w is the
 * challenger's share of the requests and rho the ratio of the error rates; whatever both versions' rates do together
 * cancels. For one rho above rho0 the likelihood ratio of theta against theta0 grows with each error of the challenger and
 * falls with each of the champion, so its mean is at most 1 wherever the true ratio is rho0 or less: a nonnegative
 * supermartingale. A mixture of such with fixed weights is one too, also when w changes from step to step, because rho
 * is the same in each.
 */
import { logWeightedMean } from "./evidence-shares.js";
import { requirePart } from "./input.js";
import { logBeta } from "./special.js";

/** Error counts of a stretch of time with a constant traffic split. */
export interface ErrorSegment {
  /** Challenger's share of the requests, strictly between 0 and 1. */
  readonly share: number;
  readonly challengerErrors: number;
  /** Errors of both versions together. */
  readonly errors: number;
}

/**
 * The prior of log(rho / rho0): normal about 0.9 with spread 0.3, on a grid from 0.1 to 2.5 (1.1 to 12 times what is
 * allowed). Sharpest from twice to four times the errors, which is what a rollout is there to find.
 */
const prior = Array.from({ length: 25 }, (_, i) => {
  const logRatio = (i + 1) / 10;
  return { ratio: Math.exp(logRatio), share: Math.exp(-(((logRatio - 0.9) / 0.3) ** 2) / 2) };
});

const challengersPart = (share: number, ratio: number): number =>
  (share * ratio) / (share * ratio + 1 - share);

/**
 * Natural log of E against H0 "the challenger's error rate is at most rho0 times the champion's". Roll back at
 * E >= 1/alpha. `dispersion` says how much more the errors vary than independent ones: counts are divided by it (Rao and
 * Scott 1992, "A simple method for the analysis of clustered binary data"). 0, no evidence, without errors or with one
 * version alone; more errors of the challenger than of both, a negative count and NaN are a RangeError. O(segments).
 */
export function logEProcess(
  segments: readonly ErrorSegment[],
  options: { readonly rho0: number; readonly dispersion?: number },
): number {
  const { rho0, dispersion = 1 } = options;
  const counted = segments.filter(({ share, challengerErrors, errors }) => {
    requirePart(challengerErrors, errors);
    return errors > 0 && share > 0 && share < 1;
  });
  if (counted.length === 0) return 0;
  return logWeightedMean(
    prior.map(({ ratio, share: weight }) => {
      let log = 0;
      for (const { share, challengerErrors, errors } of counted) {
        const part = challengersPart(share, rho0);
        const worse = challengersPart(share, rho0 * ratio);
        log +=
          challengerErrors * Math.log(worse / part) +
          (errors - challengerErrors) * Math.log((1 - worse) / (1 - part));
      }
      return { log: log / dispersion, share: weight };
    }),
  );
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
