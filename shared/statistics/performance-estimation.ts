/**
 * Confidence-based performance estimation (CBPE): what the metrics would be if the calibrated
 * probabilities were right, before any label arrives. `scores` are probabilities of the positive class.
 */
import { requireFinite } from "./input.js";
import { ascendingOrder } from "./ordering.js";

/** Expected confusion counts (real numbers) and the metrics that follow from them. */
export interface EstimatedPerformance {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
  readonly accuracy: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly auc: number;
  /** The same without the corner (0, 0) of the curve, as NannyML adds it up: smaller by the first threshold's triangle. */
  readonly aucWithoutCorner: number;
}

/** Expected area under the ROC curve: every row is positive with its own probability. */
function expectedAuc(
  scores: ArrayLike<number>,
): Pick<EstimatedPerformance, "auc" | "aucWithoutCorner"> {
  const order = ascendingOrder(scores);
  let positives = 0;
  let negatives = 0;
  let area = 0;
  let corner = 0;
  let i = order.length - 1;
  while (i >= 0) {
    const score = scores[order[i] ?? 0] ?? 0;
    let ties = 0;
    while (i >= 0 && scores[order[i] ?? 0] === score) {
      ties += 1;
      i -= 1;
    }
    area += ties * (1 - score) * (positives + (ties * score) / 2);
    if (positives + negatives === 0) corner = area;
    positives += ties * score;
    negatives += ties * (1 - score);
  }
  const whole = positives * negatives;
  return { auc: area / whole, aucWithoutCorner: (area - corner) / whole };
}

/** Expected performance of the decision score >= threshold; a score that is not finite is a RangeError. */
export function estimatePerformance(
  scores: ArrayLike<number>,
  threshold = 0.5,
): EstimatedPerformance {
  requireFinite(scores);
  let [tp, fp, fn, tn] = [0, 0, 0, 0];
  for (let i = 0; i < scores.length; i += 1) {
    const p = scores[i] ?? 0;
    if (p >= threshold) {
      tp += p;
      fp += 1 - p;
    } else {
      fn += p;
      tn += 1 - p;
    }
  }
  return {
    truePositives: tp,
    falsePositives: fp,
    falseNegatives: fn,
    trueNegatives: tn,
    accuracy: (tp + tn) / scores.length,
    precision: tp / (tp + fp),
    recall: tp / (tp + fn),
    f1: (2 * tp) / (2 * tp + fp + fn),
    ...expectedAuc(scores),
  };
}
