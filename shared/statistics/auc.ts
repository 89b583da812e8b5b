/**
 * Ranking metrics of binary classifiers. `labels` holds 1 for the positive class and 0 otherwise;
 * `scores` has the same length, higher meaning more likely positive. Other lengths and a NaN are a RangeError.
 */
import { requireNumbers, requireSameLength } from "./input.js";
import { ascendingOrder, midranksInOrder } from "./ordering.js";

/** Area under the ROC curve (Mann-Whitney with midranks); NaN when a class is absent. */
export function areaUnderRoc(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  order = ascendingOrder(scores),
): number {
  requireSameLength(labels, scores);
  requireNumbers(scores);
  const ranks = midranksInOrder(scores, order);
  let positives = 0;
  let rankSum = 0;
  for (let i = 0; i < labels.length; i += 1) {
    if (labels[i] === 1) {
      positives += 1;
      rankSum += ranks[i] ?? 0;
    }
  }
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0) return NaN;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** Counts above a falling threshold, one entry per distinct score. */
interface ThresholdCount {
  readonly threshold: number;
  readonly truePositives: number;
  readonly falsePositives: number;
}

/** Cumulative true and false positives at every distinct score, from the highest down. */
function thresholdCounts(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  order = ascendingOrder(scores),
): readonly ThresholdCount[] {
  requireSameLength(labels, scores);
  requireNumbers(scores);
  const counts: ThresholdCount[] = [];
  let truePositives = 0;
  let falsePositives = 0;
  for (let i = order.length - 1; i >= 0; i -= 1) {
    const row = order[i] ?? 0;
    if (labels[row] === 1) truePositives += 1;
    else falsePositives += 1;
    const threshold = scores[row] ?? 0;
    const isLastOfTie = i === 0 || scores[order[i - 1] ?? 0] !== threshold;
    if (isLastOfTie) counts.push({ threshold, truePositives, falsePositives });
  }
  return counts;
}

/** Average precision: the area under the precision-recall curve without interpolation. */
export function averagePrecision(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  const counts = thresholdCounts(labels, scores);
  const positives = counts.at(-1)?.truePositives ?? 0;
  if (positives === 0) return NaN;
  let sum = 0;
  let previous = 0;
  for (const { truePositives, falsePositives } of counts) {
    sum +=
      ((truePositives - previous) / positives) * (truePositives / (truePositives + falsePositives));
    previous = truePositives;
  }
  return sum;
}

/** One point of the ROC and precision-recall curves at a score threshold. */
export interface CurvePoint {
  readonly threshold: number;
  readonly truePositiveRate: number;
  readonly falsePositiveRate: number;
  readonly precision: number;
}

/** At most `pointsMax` points of the ROC and precision-recall curves, evenly spread over the thresholds. */
export function curve(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  { pointsMax = 100, order }: { readonly pointsMax?: number; readonly order?: Uint32Array } = {},
): readonly CurvePoint[] {
  const counts = thresholdCounts(labels, scores, order);
  const last = counts.at(-1);
  if (last === undefined) return [];
  const size = Math.min(pointsMax, counts.length);
  return Array.from({ length: size }, (_, i) => {
    const index = size === 1 ? 0 : Math.round((i * (counts.length - 1)) / (size - 1));
    const { threshold, truePositives, falsePositives } = counts[index] ?? last;
    return {
      threshold,
      truePositiveRate: truePositives / Math.max(1, last.truePositives),
      falsePositiveRate: falsePositives / Math.max(1, last.falsePositives),
      precision: truePositives / (truePositives + falsePositives),
    };
  });
}
