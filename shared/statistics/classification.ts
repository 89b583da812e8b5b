/**
 * Metrics of binary probabilities. `labels` holds 1 or 0, `scores` the probability of the positive
 * class in [0, 1]; both have one entry per row, else a RangeError, as for a score that is not finite.
 */
import { requireFinite, requireSameLength } from "./input.js";

/** Probabilities are kept this far from 0 and 1 before a logarithm (scikit-learn's float64 epsilon). */
const clip = 2.220446049250313e-16;

/** Loss of one row: minus the log of the probability given to its true class, in nats. */
export function rowLogLoss(label: number, score: number): number {
  const p = Math.min(1 - clip, Math.max(clip, score));
  return label === 1 ? -Math.log(p) : -Math.log1p(-p);
}

/** Mean of a per-row loss. */
function mean(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  loss: (label: number, score: number) => number,
): number {
  requireSameLength(labels, scores);
  requireFinite(scores);
  let sum = 0;
  for (let i = 0; i < labels.length; i += 1) sum += loss(labels[i] ?? 0, scores[i] ?? 0);
  return sum / labels.length;
}

/** Mean log loss in nats. */
export function logLoss(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  return mean(labels, scores, rowLogLoss);
}

/** Brier score: mean squared distance between probability and outcome. */
export function brierScore(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  return mean(labels, scores, (label, score) => (score - label) ** 2);
}

/** Share of rows whose class is predicted right at the threshold (score >= threshold is positive). */
export function accuracy(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  threshold = 0.5,
): number {
  return mean(labels, scores, (label, score) => (score >= threshold === (label === 1) ? 1 : 0));
}

/** Counts of the four outcomes at a threshold. */
export interface Confusion {
  readonly threshold: number;
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
}

/** Confusion counts at a threshold (score >= threshold is positive). */
export function confusion(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  threshold = 0.5,
): Confusion {
  const counts = { truePositives: 0, falsePositives: 0, falseNegatives: 0, trueNegatives: 0 };
  for (let i = 0; i < labels.length; i += 1) {
    const isPredicted = (scores[i] ?? 0) >= threshold;
    if (labels[i] === 1) counts[isPredicted ? "truePositives" : "falseNegatives"] += 1;
    else counts[isPredicted ? "falsePositives" : "trueNegatives"] += 1;
  }
  return { threshold, ...counts };
}

/** One bin of a reliability diagram. */
export interface CalibrationBin {
  readonly low: number;
  readonly high: number;
  readonly rows: number;
  readonly meanScore: number;
  readonly positiveRate: number;
}

/** Reliability diagram over equal-width bins (low, high]; empty bins are left out. */
export function calibrationBins(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  bins = 10,
): readonly CalibrationBin[] {
  requireSameLength(labels, scores);
  requireFinite(scores);
  const rows = new Float64Array(bins);
  const scoreSum = new Float64Array(bins);
  const positives = new Float64Array(bins);
  for (let i = 0; i < labels.length; i += 1) {
    const score = scores[i] ?? 0;
    const bin = Math.min(bins - 1, Math.max(0, Math.ceil(score * bins) - 1));
    rows[bin] = (rows[bin] ?? 0) + 1;
    scoreSum[bin] = (scoreSum[bin] ?? 0) + score;
    positives[bin] = (positives[bin] ?? 0) + (labels[i] === 1 ? 1 : 0);
  }
  return Array.from(rows, (count, bin) => ({
    low: bin / bins,
    high: (bin + 1) / bins,
    rows: count,
    meanScore: (scoreSum[bin] ?? 0) / count,
    positiveRate: (positives[bin] ?? 0) / count,
  })).filter((bin) => bin.rows > 0);
}

/** Expected calibration error: row-weighted distance between mean score and positive rate per bin. */
export function calibrationError(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  bins = 10,
): number {
  let sum = 0;
  for (const bin of calibrationBins(labels, scores, bins)) {
    sum += (bin.rows / labels.length) * Math.abs(bin.meanScore - bin.positiveRate);
  }
  return sum;
}
