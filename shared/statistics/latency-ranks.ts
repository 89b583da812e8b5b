/**
 * Latency judged by the windows' rank sums: in each metric window, the chance that a request of the challenger was slower
 * than one of the champion (Mann and Whitney 1947, "On a test of whether one of two random variables is stochastically
 * larger than the other"), counted from buckets with ties for a half. Slow moments that both versions share leave it as it
 * is. Bursts make one window as bad as it can be and no more, and windows, not requests, are what the t-test
 * of student-e-process.ts takes as independent.
 */
import { logWeightedMean } from "./evidence-shares.js";
import { requireCounts, requireSameLength } from "./input.js";
import { logWindowSigns, type LatencyWindow, type WindowSigns } from "./latency-windows.js";
import { logStudentExcess } from "./student-e-process.js";

/** How far the windows' chances lay above what is allowed, in sums. */
export interface RankSums {
  /** Windows in which both versions served. */
  readonly count: number;
  readonly sum: number;
  readonly sumSquares: number;
  /** Squared differences of each window and the one before it. */
  readonly stepSquares: number;
  /** Sum of the windows' variances if requests were independent of each other. */
  readonly variance: number;
}

/**
 * Sums over the windows, in their order in time. A challenger whose share of requests beyond any latency is at most
 * `ratioMax` = r times the champion's is slower with a chance of at most the integral of min(1, r s) over s in (0, 1),
 * which is 1 - 1 / (2 r): that is what is allowed. Counts of different buckets, and what is no count, are a RangeError.
 * O(windows x buckets).
 */
export const sumLatencyRanks = (
  windows: readonly LatencyWindow[],
  options: { readonly ratioMax: number },
): RankSums => {
  const allowed = 1 - 1 / (2 * options.ratioMax);
  let [count, sum, sumSquares, stepSquares, variance] = [0, 0, 0, 0, 0];
  let last = 0;
  for (const { champion, challenger } of windows) {
    requireSameLength(champion, challenger);
    requireCounts(champion);
    requireCounts(challenger);
    let [faster, others, pairs] = [0, 0, 0];
    for (const [bucket, own] of challenger.entries()) {
      const beside = champion[bucket] ?? 0;
      pairs += own * (faster + beside / 2);
      faster += beside;
      others += own;
    }
    if (faster === 0 || others === 0) continue;
    const excess = pairs / (faster * others) - allowed;
    if (count > 0) stepSquares += (excess - last) ** 2;
    last = excess;
    count += 1;
    sum += excess;
    sumSquares += excess * excess;
    variance += (faster + others + 1) / (12 * faster * others);
  }
  return { count, sum, sumSquares, stepSquares, variance };
};

/** Fewer windows tell nothing of how much windows differ. */
const windowsMin = 4;
/** Sharpest where the windows' mean lies some three of their standard deviations above what is allowed. */
const rho = 3;

/**
 * Natural log of E of one stretch. The spread of the windows is estimated from them, and two things only ever widen it: it
 * is at least what independent requests would show, and where windows resemble the one before (von Neumann 1941,
 * "Distribution of the ratio of the mean square successive difference to the variance"), it is that of the mean of a
 * first-order autoregressive series, (1 + r) / (1 - r) times as wide.
 */
const logStretch = ({ count, sum, sumSquares, stepSquares, variance }: RankSums): number => {
  if (count < windowsMin) return 0;
  const squaredDeviations = sumSquares - (sum * sum) / count;
  // What rounding leaves of windows that are all alike is no spread.
  const isVarying = squaredDeviations > 1e-12 * sumSquares;
  const likeness = isVarying ? Math.max(0, 1 - stepSquares / (2 * squaredDeviations)) : 0;
  return logStudentExcess(
    {
      count,
      sum,
      squaredDeviations: Math.max(
        (squaredDeviations * (1 + likeness)) / (1 - likeness),
        (variance * (count - 1)) / count,
      ),
    },
    { rho },
  );
};

/** Natural log of E against "the challenger is no slower than allowed". Stretches of time multiply; 0, no evidence, of none. */
export const logRankExcess = (stretches: readonly RankSums[]): number =>
  stretches.reduce((sum, stretch) => sum + logStretch(stretch), 0);

/** What one stretch of time with a constant traffic split says of latency. */
export interface LatencyStretch {
  readonly slower: readonly WindowSigns[];
  readonly ranks?: RankSums;
}

/**
 * Natural log of E of latency: the mean of the rank sums' and, at half their share, of the signs', which see slow requests
 * that are too rare for ranks and trust no spread.
 */
export const logLatency = (stretches: readonly LatencyStretch[]): number =>
  logWeightedMean([
    { log: logRankExcess(stretches.flatMap(({ ranks }) => ranks ?? [])), share: 2 },
    { log: logWindowSigns(stretches.map(({ slower }) => slower)), share: 1 },
  ]);
