/**
 * Whether the mean of normal observations of unknown spread lies above zero, looked at as often as one likes: the
 * sequential t-test as an e-process. With scale measured by the observations themselves (the right Haar prior), the
 * likelihood ratio of a standardised mean delta > 0 against 0 is a martingale under the null hypothesis whatever the spread
 * (Perez-Ortiz, Lardy, de Heide and Gruenwald 2024, "E-statistics, group invariance and anytime-valid testing"; Wang and
 * Ramdas 2024, "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance"). Lower means make
 * every t statistic smaller, and E grows with t, so the bound holds for them too. Here delta has a half-normal prior.
 */
import { betaTails } from "./special.js";

/** What was observed: their count and sum, and the sum of their squared deviations from their mean. */
export interface Observed {
  readonly count: number;
  readonly sum: number;
  readonly squaredDeviations: number;
}

/**
 * Natural log of E against "the mean is at most 0":
 * 2 (1 + n rho^2)^(-1/2) (1 - kappa)^(-n/2) F_n(sign(sum) sqrt(n kappa / (1 - kappa))), with n the count, F_n Student's
 * distribution function, and kappa = c n rho^2 / (1 + n rho^2), where c is the part of the sum of squares that the mean
 * explains. `rho` is the prior's spread of delta, in standard deviations of one observation. 0, no evidence, without a
 * deviation from 0. O(1).
 */
export const logStudentExcess = (
  { count, sum, squaredDeviations }: Observed,
  options: { readonly rho: number },
): number => {
  const squares = (sum * sum) / count + squaredDeviations;
  if (!(count > 0) || !(squares > 0)) return 0;
  const width = count * options.rho * options.rho;
  const kappa = ((sum * sum) / count / squares) * (width / (1 + width));
  // Both tails of F_n are an incomplete beta function, whose log does not underflow.
  const logTail = betaTails(1 - kappa, count / 2, 0.5).logLower - Math.LN2;
  const logBelow = sum < 0 ? logTail : Math.log1p(-Math.exp(logTail));
  return Math.LN2 - Math.log1p(width) / 2 - (count / 2) * Math.log1p(-kappa) + logBelow;
};
