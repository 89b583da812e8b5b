/**
 * Metrics with the influence of every unit on them (the derivative of the metric in the direction of that
 * unit, Hampel 1974): the standard error is sqrt(sum of squares) / n, and that of a paired difference comes
 * from the differences of the influences. One pass after a sort, so it serves where a bootstrap is too slow.
 */
import { requireNumbers, requireSameLength } from "./input.js";
import { ascendingOrder } from "./ordering.js";

/** A metric's value and the influence of every unit, whose mean is 0. */
export interface Estimate {
  readonly value: number;
  readonly influence: Float64Array;
}

const meanOf = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i] ?? 0;
  return sum / values.length;
};

/** The mean of per-unit values. NaN without units. */
export function meanEstimate(values: Float64Array): Estimate {
  const value = meanOf(values);
  return { value, influence: values.map((entry) => entry - value) };
}

/** The square root of a mean of per-unit squares, in the unit of the values; its influence is 0 when the mean is 0. */
export function rootMeanEstimate(squares: Float64Array): Estimate {
  const mean = meanOf(squares);
  const value = Math.sqrt(mean);
  return {
    value,
    influence: squares.map((entry) => (value === 0 ? 0 : (entry - mean) / (2 * value))),
  };
}

/** Share of the labels' variance that the predictions explain; NaN for constant labels. */
export function rSquaredEstimate(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
): Estimate {
  const centre = meanOf(labels);
  const squares = Float64Array.from(labels, (label, i) => (label - (predictions[i] ?? NaN)) ** 2);
  const spread = Float64Array.from(labels, (label) => (label - centre) ** 2);
  const [error, variance] = [meanOf(squares), meanOf(spread)];
  if (variance === 0) return { value: NaN, influence: squares.map(() => NaN) };
  const ratio = error / variance;
  const influence = squares.map((square, i) => -(square - ratio * (spread[i] ?? 0)) / variance);
  return { value: 1 - ratio, influence };
}

/**
 * Average precision. With u(t) and v(t) the shares of rows that are positive, or negative, at or above t, it is the
 * mean of u/(u+v) over the positives; every row moves u or v at all thresholds up to its own score.
 */
export function averagePrecisionEstimate(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  order = ascendingOrder(scores),
): Estimate {
  requireSameLength(labels, scores);
  requireNumbers(scores);
  const size = labels.length;
  const precision = new Float64Array(size);
  const [byPositive, byNegative] = [new Float64Array(size), new Float64Array(size)];
  let [truePositives, falsePositives] = [0, 0];
  let sum = 0;
  // From the highest score down, a tie at a time: the precision at each threshold.
  for (let end = size - 1; end >= 0;) {
    const score = scores[order[end] ?? 0];
    let start = end;
    let positives = 0;
    while (start >= 0 && scores[order[start] ?? 0] === score) {
      if (labels[order[start] ?? 0] === 1) positives += 1;
      start -= 1;
    }
    truePositives += positives;
    falsePositives += end - start - positives;
    const all = truePositives + falsePositives;
    for (let i = start + 1; i <= end; i += 1) precision[order[i] ?? 0] = truePositives / all;
    // d(u/(u+v)) by u and by v, times the share of positives at this threshold; shares are counts / size.
    byPositive[end] = (positives * falsePositives) / all ** 2;
    byNegative[end] = (-positives * truePositives) / all ** 2;
    sum += (positives * truePositives) / all;
    end = start;
  }
  const value = sum / truePositives;
  const influence = new Float64Array(size);
  const scale = size / truePositives;
  let [fromPositive, fromNegative] = [0, 0];
  // From the lowest score up: the thresholds at or below a row's own score.
  for (let start = 0; start < size;) {
    const score = scores[order[start] ?? 0];
    let end = start;
    while (end + 1 < size && scores[order[end + 1] ?? 0] === score) end += 1;
    fromPositive += byPositive[end] ?? 0;
    fromNegative += byNegative[end] ?? 0;
    for (let i = start; i <= end; i += 1) {
      const row = order[i] ?? 0;
      influence[row] =
        labels[row] === 1
          ? scale * ((precision[row] ?? 0) - value + fromPositive)
          : scale * fromNegative;
    }
    start = end + 1;
  }
  return { value, influence };
}

const add = (counts: Float64Array, index: number): void => {
  counts[index] = (counts[index] ?? 0) + 1;
};

/** Macro-averaged F1 over the classes that are true or predicted somewhere; labels and predictions are class positions. */
export function macroF1Estimate(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  classes: number,
): Estimate {
  const size = labels.length;
  const [right, called, actual] = [
    new Float64Array(classes),
    new Float64Array(classes),
    new Float64Array(classes),
  ];
  for (let i = 0; i < size; i += 1) {
    const [label, prediction] = [labels[i] ?? -1, predictions[i] ?? -1];
    add(actual, label);
    add(called, prediction);
    if (label === prediction) add(right, label);
  }
  // 2 TP + FP + FN is the number of rows called so plus the number of rows that are so.
  const weight = actual.map((count, c) => count + (called[c] ?? 0));
  const f1 = weight.map((all, c) => (all === 0 ? 0 : (2 * (right[c] ?? 0)) / all));
  const present = weight.reduce((sum, all) => sum + (all > 0 ? 1 : 0), 0);
  const perRow = weight.map((all) => (all === 0 ? 0 : size / all / present));
  const influence = new Float64Array(size);
  for (let i = 0; i < size; i += 1) {
    const [label, prediction] = [labels[i] ?? -1, predictions[i] ?? -1];
    const own = perRow[label] ?? 0;
    const other = perRow[prediction] ?? 0;
    influence[i] =
      label === prediction
        ? own * (2 - 2 * (f1[label] ?? 0))
        : -own * (f1[label] ?? 0) - other * (f1[prediction] ?? 0);
  }
  return { value: f1.reduce((sum, entry) => sum + entry, 0) / present, influence };
}

/** Standard error of the mean of paired differences of influences; NaN for fewer than two units. */
export function pairedStandardError(champion: Estimate, challenger: Estimate): number {
  const size = champion.influence.length;
  const differences = challenger.influence.map((entry, i) => entry - (champion.influence[i] ?? 0));
  const centre = meanOf(differences);
  let squares = 0;
  for (const difference of differences) squares += (difference - centre) ** 2;
  return size < 2 ? NaN : Math.sqrt(squares / (size - 1) / size);
}
