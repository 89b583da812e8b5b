/** Metrics of rows that count several times, prepared once so that a bootstrap need not sort again. */
import { ascendingOrder } from "./ordering.js";

/** A metric of the rows under their weights. */
export type WeightedMetric = (weights: Float64Array) => number;

/** Average precision under weights; sorted once. */
export function weightedAveragePrecision(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
): WeightedMetric {
  const order = ascendingOrder(scores).toReversed();
  const isLast = Uint8Array.from(order, (row, i) =>
    i + 1 === order.length || scores[order[i + 1] ?? 0] !== scores[row] ? 1 : 0,
  );
  return (weights) => {
    let [positives, all, before, sum] = [0, 0, 0, 0];
    for (let i = 0; i < order.length; i += 1) {
      const row = order[i] ?? 0;
      const weight = weights[row] ?? 0;
      all += weight;
      if (labels[row] === 1) positives += weight;
      if (isLast[i] === 1 && positives > before) {
        sum += ((positives - before) * positives) / all;
        before = positives;
      }
    }
    return sum / positives;
  };
}

/** Weighted mean of per-row values. */
function weightedMean(values: Float64Array, weights: Float64Array): number {
  let [sum, all] = [0, 0];
  for (let i = 0; i < values.length; i += 1) {
    const weight = weights[i] ?? 0;
    sum += weight * (values[i] ?? 0);
    all += weight;
  }
  return sum / all;
}

/** Root of the mean of per-row squares under weights. */
export const weightedRootMean =
  (squares: Float64Array): WeightedMetric =>
  (weights) =>
    Math.sqrt(weightedMean(squares, weights));

/** Share of the labels' variance that the predictions explain, under weights. */
export function weightedRSquared(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
): WeightedMetric {
  const own = Float64Array.from(labels);
  const errors = own.map((label, i) => (label - (predictions[i] ?? NaN)) ** 2);
  return (weights) => {
    const centre = weightedMean(own, weights);
    const spread = own.map((label) => (label - centre) ** 2);
    return 1 - weightedMean(errors, weights) / weightedMean(spread, weights);
  };
}

const add = (counts: Float64Array, index: number, weight: number): void => {
  counts[index] = (counts[index] ?? 0) + weight;
};

/** Macro-averaged F1 under weights; labels and predictions are class positions. */
export function weightedMacroF1(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  classes: number,
): WeightedMetric {
  return (weights) => {
    const right = new Float64Array(classes);
    const either = new Float64Array(classes);
    for (let i = 0; i < labels.length; i += 1) {
      const [label, prediction, weight] = [labels[i] ?? -1, predictions[i] ?? -1, weights[i] ?? 0];
      add(either, label, weight);
      add(either, prediction, weight);
      if (label === prediction) add(right, label, weight);
    }
    let [sum, present] = [0, 0];
    for (const [c, all] of either.entries()) {
      if (all === 0) continue;
      sum += (2 * (right[c] ?? 0)) / all;
      present += 1;
    }
    return sum / present;
  };
}
