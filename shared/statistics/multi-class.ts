/**
 * Metrics of predictions over several classes. `labels` holds the position of each row's class, -1 for a class that
 * the model does not know; `scores` holds the probabilities row by row, `classes` of them to a row.
 */
import type { CalibrationBin } from "./classification.js";
import { rowLogLoss } from "./classification.js";

/** The position of the largest probability of every row; the first one of equals. */
export function predictedClasses(scores: Float64Array, classes: number): Int32Array {
  return Int32Array.from({ length: scores.length / classes }, (_, row) => {
    let best = 0;
    for (let c = 1; c < classes; c += 1) {
      if ((scores[row * classes + c] ?? 0) > (scores[row * classes + best] ?? 0)) best = c;
    }
    return best;
  });
}

/** Log loss of every row in nats; a class that the model does not know had probability 0, which is clipped. */
export function rowLogLosses(
  labels: ArrayLike<number>,
  scores: Float64Array,
  classes: number,
): Float64Array {
  return Float64Array.from(labels, (label, row) =>
    rowLogLoss(1, label < 0 ? 0 : (scores[row * classes + label] ?? 0)),
  );
}

/** Brier score of every row: the squared distance from the true class's corner, between 0 and 2. */
export function rowBrierScores(
  labels: ArrayLike<number>,
  scores: Float64Array,
  classes: number,
): Float64Array {
  return Float64Array.from(labels, (label, row) => {
    let sum = label < 0 ? 1 : 0;
    for (let c = 0; c < classes; c += 1) {
      sum += ((scores[row * classes + c] ?? 0) - (c === label ? 1 : 0)) ** 2;
    }
    return sum;
  });
}

/** Rows by true class and predicted class; rows of a class that the model does not know are left out. */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predictions: Int32Array,
  classes: number,
): readonly (readonly number[])[] {
  const counts = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  for (const [row, prediction] of predictions.entries()) {
    const line = counts[labels[row] ?? -1];
    if (line !== undefined) line[prediction] = (line[prediction] ?? 0) + 1;
  }
  return counts;
}

/** Whether each row is predicted right (1 or 0) and with which probability: a binary problem to be calibrated. */
export function confidence(
  labels: ArrayLike<number>,
  scores: Float64Array,
  classes: number,
): { readonly isRight: Uint8Array; readonly scores: Float64Array } {
  const predictions = predictedClasses(scores, classes);
  return {
    isRight: Uint8Array.from(predictions, (prediction, row) =>
      prediction === labels[row] ? 1 : 0,
    ),
    scores: Float64Array.from(
      predictions,
      (prediction, row) => scores[row * classes + prediction] ?? 0,
    ),
  };
}

/** Calibration of a regression: mean prediction against mean label in bins of equally many rows. */
export function regressionCalibration(
  labels: ArrayLike<number>,
  predictions: Float64Array,
  order: Uint32Array,
  bins = 10,
): readonly CalibrationBin[] {
  return Array.from({ length: bins }, (_, bin) => {
    const rows = order.subarray(
      Math.floor((bin * order.length) / bins),
      Math.floor(((bin + 1) * order.length) / bins),
    );
    const sum = (values: ArrayLike<number>): number =>
      rows.reduce((total, row) => total + (values[row] ?? 0), 0);
    return {
      low: predictions[rows[0] ?? 0] ?? 0,
      high: predictions[rows.at(-1) ?? 0] ?? 0,
      rows: rows.length,
      meanScore: sum(predictions) / rows.length,
      positiveRate: sum(labels) / rows.length,
    };
  }).filter(({ rows }) => rows > 0);
}
