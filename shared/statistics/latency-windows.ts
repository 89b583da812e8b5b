/**
 * Latency judged by whole metric windows instead of single requests. Slow requests come in bursts (a pause of one
 * process slows all requests of that moment), which breaks a test that takes requests as independent; windows are
 * far closer to it. In each window the challenger either is slower than allowed or is not: a sign test. Under the
 * null hypothesis a window is slower with probability at most 1/2, so
 * E = 2^n * integral over theta in (1/2, 1) of 2 theta^k (1 - theta)^(n - k), with k slower windows of n, is an
 * e-process (a mixture of likelihood ratios; Ville's inequality bounds P(E ever >= 1/alpha) by alpha).
 */
import { above, logMeanExp, nearestBound, total } from "./latency.js";
import { requirePart } from "./input.js";
import { betaTails, logBeta } from "./special.js";

/** Latency counts of one window: one entry more than there are bounds. */
export interface LatencyWindow {
  readonly champion: readonly number[];
  readonly challenger: readonly number[];
}

/** How often the challenger was slower, at one quantile of the champion. */
export interface WindowSigns {
  readonly quantile: number;
  /** Windows in which both arms served. */
  readonly compared: number;
  readonly slower: number;
}

const quantiles = [0.5, 0.9, 0.99];

/** The bound that no count reaches, where one bucket holds all; undefined without a count or a bound above it. */
const boundAboveAll = (counts: readonly number[]): number | undefined => {
  const bound = counts.findLastIndex((count) => count > 0);
  return bound >= 0 && bound < counts.length - 1 ? bound : undefined;
};

/**
 * Compares the arms window by window. A window is slower at a quantile when the challenger's share of requests beyond
 * the champion's bound is more than `ratioMax` times what lies beyond a quantile, or the champion's own share (of that
 * window, or of all windows) where that is larger, so that swings which both arms share count for neither.
 */
export function compareLatencyWindows(
  windows: readonly LatencyWindow[],
  bounds: readonly number[],
  options: { readonly ratioMax: number },
): readonly WindowSigns[] {
  const pooled = Array.from({ length: bounds.length + 1 }, () => 0);
  for (const { champion } of windows) {
    for (let bucket = 0; bucket < pooled.length; bucket += 1) {
      pooled[bucket] = (pooled[bucket] ?? 0) + (champion[bucket] ?? 0);
    }
  }
  const both = windows
    .map((window) => ({
      ...window,
      championTotal: total(window.champion),
      challengerTotal: total(window.challenger),
    }))
    .filter(({ championTotal, challengerTotal }) => championTotal > 0 && challengerTotal > 0);
  return quantiles.flatMap((quantile) => {
    const bound = nearestBound(pooled, quantile) ?? boundAboveAll(pooled);
    if (bound === undefined) return [];
    const usual = Math.max(1 - quantile, above(pooled, bound) / total(pooled));
    const slower = both.filter(({ champion, championTotal, challenger, challengerTotal }) => {
      const allowed = options.ratioMax * Math.max(usual, above(champion, bound) / championTotal);
      return above(challenger, bound) / challengerTotal > Math.min(allowed, 0.999);
    });
    return [{ quantile, compared: both.length, slower: slower.length }];
  });
}

/** Natural log of E against "at most half of the windows are worse"; 0 without any window. */
export function logSigns(compared: number, slower: number): number {
  requirePart(slower, compared);
  if (compared === 0) return 0;
  return (
    (compared + 1) * Math.LN2 +
    logBeta(slower + 1, compared - slower + 1) +
    betaTails(0.5, slower + 1, compared - slower + 1).logUpper
  );
}

/**
 * Natural log of E against "the challenger is slower in at most half of the windows", averaged over the quantiles.
 * Signs of several stretches of time add up. 0, no evidence, without any window.
 */
export function logWindowSigns(stretches: readonly (readonly WindowSigns[])[]): number {
  const logs = quantiles.flatMap((quantile) => {
    const signs = stretches.flat().filter((sign) => sign.quantile === quantile);
    if (signs.length === 0) return [];
    const compared = total(signs.map((sign) => sign.compared));
    return [logSigns(compared, total(signs.map((sign) => sign.slower)))];
  });
  return logMeanExp(logs);
}
