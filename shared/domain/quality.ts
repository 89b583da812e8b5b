/** Whether a model that serves has become worse: measured where labels have come, estimated before they come. */
import type { Manifest } from "../manifest/schema.js";
import { normalQuantile } from "../statistics/distributions.js";
import { pairedAuc } from "../statistics/delong.js";
import { estimatePerformance } from "../statistics/performance-estimation.js";
import { seededRandom } from "../statistics/random.js";

type QualityPolicy = NonNullable<Manifest["monitoring"]["quality"]>;

/** A prediction that can be told apart from others. */
export interface IdentifiedScore {
  readonly id: string;
  readonly timeMs: number;
  readonly score: number;
}

/** A label that came later, in the order in which it came. */
export interface ArrivedLabel {
  readonly id: string;
  readonly label: string;
}

/** Predictions and labels that belong together. */
export interface Joined {
  readonly scores: readonly number[];
  /** 1 for the positive class. */
  readonly labels: readonly number[];
  /** Distinct predictions that were old enough to have a label. */
  readonly due: number;
  /** Every class that a label names. */
  readonly classes: readonly string[];
}

/**
 * Joins by id. A prediction that was logged twice counts once, as it was first; of labels for one id the newest counts,
 * since a label may be corrected; labels of no logged prediction are left out. O(predictions + labels).
 */
export const joinLabels = (
  predictions: readonly IdentifiedScore[],
  arrived: readonly ArrivedLabel[],
  positiveClass: string,
): Joined => {
  const labelOf = new Map(arrived.map(({ id, label }) => [id, label]));
  const first = new Map<string, IdentifiedScore>();
  for (const prediction of predictions) {
    if (!first.has(prediction.id) && !Number.isNaN(prediction.score)) {
      first.set(prediction.id, prediction);
    }
  }
  const known = [...first.values()].flatMap(({ id, score }) => {
    const label = labelOf.get(id);
    return label === undefined ? [] : [{ score, label }];
  });
  return {
    scores: known.map(({ score }) => score),
    labels: known.map(({ label }) => (label === positiveClass ? 1 : 0)),
    due: first.size,
    classes: [...new Set(known.map(({ label }) => label))].toSorted(),
  };
};

/** What was found about one metric; without a verdict, why there is none. */
export type QualityFinding =
  | {
      readonly method: "labels" | "estimate";
      readonly metric: "auc";
      readonly value: number;
      /** What it is compared with: the evaluation's value, or the estimate of the first served window. */
      readonly baseline: number;
      readonly threshold: number;
      readonly standardError: number;
      readonly rows: number;
      readonly isDecayed: boolean;
    }
  | { readonly method: "labels" | "estimate"; readonly unknown: string };

/** Classes that a sentence names. */
const classesShown = 5;

/** One-sided, so that a model as good as allowed is called decayed in 5 % of the looks at most. */
const confidence = normalQuantile(0.95);

const noVerdict = (unknown: string): QualityFinding => ({ method: "labels", unknown });

/**
 * Area under the ROC curve where labels have come: decayed when even its upper confidence bound (DeLong's variance) lies
 * below the evaluation's value less the drop that is allowed.
 */
export const realisedQuality = (
  { scores, labels, due, classes }: Joined,
  baseline: number,
  policy: QualityPolicy,
): QualityFinding => {
  const rows = labels.length;
  const positives = labels.reduce((sum, label) => sum + label, 0);
  if (rows < policy.rowsMin) return noVerdict(`${rows} of ${policy.rowsMin} labelled predictions`);
  if (rows < policy.coverageMin * due) {
    return noVerdict(
      `labels came for ${rows} of ${due} predictions, and those that come first may not be like the others`,
    );
  }
  if (classes.length > 2) {
    const seen = classes.slice(0, classesShown).map((name) => JSON.stringify(name));
    return noVerdict(`labels name ${classes.length} classes instead of two: ${seen.join(", ")}`);
  }
  if (positives === 0 || positives === rows) return noVerdict("all labels are of one class");
  const { champion: value, covariance } = pairedAuc(labels, scores, scores);
  const standardError = Math.sqrt(covariance[0][0]);
  const threshold = baseline - policy.dropMax;
  return {
    method: "labels",
    metric: "auc",
    value,
    baseline,
    threshold,
    standardError,
    rows,
    isDecayed: value + confidence * standardError < threshold,
  };
};

const resamples = 60;

/** Standard deviation of the estimate over windows of this size, by resampling rows; the seed makes it repeatable. */
const spreadOfEstimate = (scores: readonly number[]): number => {
  const random = seededRandom(scores.length);
  const values = Array.from({ length: resamples }, () => {
    const drawn = Float64Array.from(
      scores,
      () => scores[Math.floor(random() * scores.length)] ?? 0,
    );
    return estimatePerformance(drawn).auc;
  });
  const mean = values.reduce((sum, value) => sum + value, 0) / resamples;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (resamples - 1));
};

/**
 * Confidence-based estimate before labels come: decayed when it lies three standard deviations of the difference of two
 * windows below that of the first served window. Honest only for calibrated scores, which the caller vouches for.
 */
export const estimatedQuality = (
  before: readonly number[],
  after: readonly number[],
): QualityFinding => {
  if ([...before, ...after].some((score) => !(score >= 0 && score <= 1))) {
    return { method: "estimate", unknown: "scores that are no probabilities estimate nothing" };
  }
  const baseline = estimatePerformance(before).auc;
  const value = estimatePerformance(after).auc;
  const standardError = Math.hypot(spreadOfEstimate(before), spreadOfEstimate(after));
  if (!Number.isFinite(baseline) || !Number.isFinite(value)) {
    return { method: "estimate", unknown: "all scores say the same class with certainty" };
  }
  const threshold = baseline - 3 * standardError;
  const isDecayed = value < threshold;
  const rows = after.length;
  return {
    method: "estimate",
    metric: "auc",
    value,
    baseline,
    threshold,
    standardError,
    rows,
    isDecayed,
  };
};
