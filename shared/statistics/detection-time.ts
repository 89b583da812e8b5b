/**
 * How long the e-process of errors takes to find a challenger that is worse: exact for requests that fail
 * independently, because then each error is the challenger's with one probability and the boundary is known
 * (a walk with an absorbing boundary, summed over all its paths).
 */
import { logEProcess } from "./e-process.js";

/** A canary, and the challenger that it is to find. */
export interface Detection {
  /** Challenger's share of the requests, strictly between 0 and 1. */
  readonly share: number;
  /** The challenger's error rate as a multiple of the champion's. */
  readonly ratio: number;
  /** The multiple that is tolerated. */
  readonly rho0: number;
  /** Type I error of a rollback. */
  readonly alpha: number;
  /** What evidence of errors weighs in the mean of all evidence, the rest of which says nothing; 1 alone. */
  readonly evidenceShare: number;
}

/** Beyond this many errors a challenger counts as not found. */
const errorsMax = 3000;
/** A look that sees more at once finds what there is to find, or nothing does. */
const errorsPerLookMax = 500;
/** Paths that may be left when the sum ends. */
const restMax = 1e-4;

/**
 * Mean number of errors, of both versions together, at which a look finds the evidence at its limit, when one looks
 * after every `errorsPerLook` of them; Infinity when more than one path in 10,000 is left after 3,000 errors.
 * O(errors^2).
 */
export function errorsUntilDetection(detection: Detection, errorsPerLook = 1): number {
  const { share, ratio, rho0, alpha, evidenceShare } = detection;
  if (!(share > 0 && share < 1) || !(ratio > rho0) || !(errorsPerLook >= 1)) return Infinity;
  const limit = Math.log((1 / alpha - 1 + evidenceShare) / evidenceShare);
  const theta = (share * ratio) / (share * ratio + 1 - share);
  // Chance of each count of the challenger's errors among the paths that no look has ended.
  let alive = Float64Array.of(1);
  let boundary = 0;
  let mean = 0;
  let left = 1;
  for (let errors = 1; errors <= errorsMax; errors += 1) {
    const next = new Float64Array(alive.length + 1);
    for (let count = 0; count < next.length; count += 1) {
      next[count] = (1 - theta) * (alive[count] ?? 0) + theta * (alive[count - 1] ?? 0);
    }
    alive = next;
    if (errors % errorsPerLook !== 0) continue;
    mean += errorsPerLook * left;
    // The champion's errors lower the evidence, so what a look needs never falls from one look to the next.
    while (
      boundary <= errors &&
      logEProcess([{ share, challengerErrors: boundary, errors }], { rho0 }) < limit
    ) {
      boundary += 1;
    }
    alive = alive.slice(0, boundary);
    left = alive.reduce((sum, chance) => sum + chance, 0);
    if (left < restMax) return mean;
  }
  return Infinity;
}

/** Mean minutes until then with a look every minute, at this traffic (requests a minute of both versions) and error rate of the champion. */
export function minutesUntilDetection(
  detection: Detection,
  traffic: { readonly requestsPerMinute: number; readonly championErrorRate: number },
): number {
  const { share, ratio } = detection;
  const errorsPerMinute =
    traffic.requestsPerMinute * traffic.championErrorRate * (share * ratio + 1 - share);
  const errorsPerLook = Math.min(errorsPerLookMax, Math.max(1, Math.round(errorsPerMinute)));
  // Where a minute has many errors, one look is enough, and its minute has to be over.
  const minutes = errorsUntilDetection(detection, errorsPerLook) / errorsPerMinute;
  return Math.max(1, minutes);
}
