/**
 * Exceedance e-values for latency from bucketed distributions: does the challenger exceed the
 * champion's p50, p90 and p99 more often than the champion does? Cloud Monitoring gives bucket
 * counts only, so a quantile is replaced by the bucket bound nearest to it.
 */
import { logEProcess } from "./e-process.js";
import { logWeightedMean } from "./evidence-shares.js";

/**
 * Latency counts of both versions during a constant traffic split. `bounds` are ascending bucket
 * bounds (any unit of time); both count arrays have one entry more: below the first bound, between
 * the bounds, above the last.
 */
export interface LatencySegment {
  /** Challenger's share of the requests, strictly between 0 and 1. */
  readonly share: number;
  readonly bounds: readonly number[];
  readonly champion: readonly number[];
  readonly challenger: readonly number[];
}

const quantiles = [0.5, 0.9, 0.99];

/** Requests at or above the bound with this index. Called for every window, hence the loop. */
export function above(counts: readonly number[], bound: number): number {
  let sum = 0;
  for (let bucket = bound + 1; bucket < counts.length; bucket += 1) sum += counts[bucket] ?? 0;
  return sum;
}

/** Sum of all counts. */
export const total = (counts: readonly number[]): number => above(counts, -1);

/** Sums bucket counts position by position; arrays of another length are left out. */
function pool(segments: readonly LatencySegment[], like: LatencySegment): readonly number[] {
  const key = like.bounds.join();
  const same = segments.filter((segment) => segment.bounds.join() === key);
  return like.champion.map((_, i) => total(same.map((segment) => segment.champion[i] ?? 0)));
}

/** Index of the bound whose cumulative share is nearest the quantile; undefined without data. */
export function nearestBound(counts: readonly number[], quantile: number): number | undefined {
  const all = total(counts);
  if (all === 0 || counts.length < 2) return undefined;
  let best: number | undefined;
  let bestDistance = Infinity;
  let below = 0;
  for (let bound = 0; bound < counts.length - 1; bound += 1) {
    below += counts[bound] ?? 0;
    const distance = Math.abs(below / all - quantile);
    const isInside = below > 0 && below < all;
    if (isInside && distance < bestDistance) {
      best = bound;
      bestDistance = distance;
    }
  }
  return best;
}

/** Natural log of the mean of exponentials. */
export const logMeanExp = (logs: readonly number[]): number =>
  logWeightedMean(logs.map((log) => ({ log, share: 1 })));

/** Natural log of E of one quantile over all segments; undefined when no segment can measure it. */
function logQuantile(
  segments: readonly LatencySegment[],
  quantile: number,
  ratioMax: number,
): number | undefined {
  const counted = segments.flatMap((segment) => {
    const bound = nearestBound(pool(segments, segment), quantile);
    if (bound === undefined) return [];
    const challengerErrors = above(segment.challenger, bound);
    const errors = challengerErrors + above(segment.champion, bound);
    return [{ share: segment.share, challengerErrors, errors }];
  });
  return counted.length === 0 ? undefined : logEProcess(counted, { rho0: ratioMax });
}

/**
 * Natural log of E against H0 "the challenger's share of requests slower than the champion's p50, p90
 * and p99 is at most ratioMax times the champion's". The bound nearest each quantile is chosen from
 * the champion's requests alone; every request beyond it counts as an error does in the e-process, and the
 * three quantiles' E are averaged. Without any measurable quantile the answer is 0, no evidence.
 */
export function logExceedance(
  segments: readonly LatencySegment[],
  options: { readonly ratioMax: number },
): number {
  const logs = quantiles.map((quantile) => logQuantile(segments, quantile, options.ratioMax));
  return logMeanExp(logs.filter((log) => log !== undefined));
}
