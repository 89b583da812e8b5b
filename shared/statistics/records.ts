/**
 * Growth without end, such as a memory leak, seen from records. While a series only fluctuates (its values are
 * exchangeable), value number t exceeds all before it with probability at most 1/t, independently of earlier records
 * (Renyi 1962, "Theorie des elements saillants d'une suite d'observations"). Betting a fixed share q on each record pays
 * q t when it comes and (1 - q) / (1 - 1/t) when it does not: an e-process, looked at as often as one likes.
 */
import { logMeanExp } from "./latency.js";

/** From "every second value is a record", as a leak behind a garbage collector shows, to "nearly every one". */
const bets = [0.5, 0.7, 0.9, 0.97];

/**
 * Natural log of E against "the series does not grow", averaged over the bets. `values` are in their order in time; ties
 * are no records. 0, no evidence, for fewer than two values. O(values).
 */
export function logRecords(values: readonly number[]): number {
  const logs = bets.map(() => 0);
  let highest = values[0] ?? 0;
  for (const [index, value] of values.entries()) {
    if (index === 0) continue;
    const chance = 1 / (index + 1);
    const isRecord = value > highest;
    if (isRecord) highest = value;
    for (const [which, bet] of bets.entries()) {
      const q = Math.max(bet, chance);
      const gain = isRecord ? q / chance : (1 - q) / (1 - chance);
      logs[which] = (logs[which] ?? 0) + Math.log(gain);
    }
  }
  return logMeanExp(logs);
}
