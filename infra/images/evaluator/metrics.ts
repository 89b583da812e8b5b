/** The metrics of a version by name: value, influence of every unit, direction. */
import type { Metrics } from "../../../events/artifacts.js";
import { areaUnderRoc } from "../../../shared/statistics/auc.js";
import { calibrationError, rowLogLoss } from "../../../shared/statistics/classification.js";
import {
  averagePrecisionEstimate,
  macroF1Estimate,
  meanEstimate,
  rootMeanEstimate,
  rSquaredEstimate,
  type Estimate,
} from "../../../shared/statistics/influence.js";
import {
  confidence,
  predictedClasses,
  rowBrierScores,
  rowLogLosses,
} from "../../../shared/statistics/multi-class.js";
import { byQuery, normalizedGain, reciprocalRank } from "../../../shared/statistics/ranking.js";
import { ascendingOrder } from "../../../shared/statistics/ordering.js";
import { metricsOfTask, type MetricName } from "../../../shared/manifest/metrics.js";
import type { ScoredRows } from "./scored-rows.js";

/** One version's scores beside the labels. */
export interface Side extends Pick<ScoredRows, "task" | "labels" | "classes" | "queries"> {
  readonly scores: Float64Array;
  /** The rows by ascending score, sorted when first asked for: several metrics need it. */
  readonly order: () => Uint32Array;
}

/** A version's side of scored rows. */
export const sideOf = (
  { task, labels, classes, queries }: ScoredRows,
  scores: Float64Array,
): Side => {
  let order: Uint32Array | undefined;
  return {
    task,
    labels,
    classes,
    ...(queries === undefined ? {} : { queries }),
    scores,
    order: () => (order ??= ascendingOrder(scores)),
  };
};

/** Positions of a ranked list that count. */
const gainPositions = 10;

/** Metrics whose smaller values are better. */
const lossNames: ReadonlySet<MetricName> = new Set(["log-loss", "brier", "rmse", "mae"]);

/** 1 when more is better, -1 when less is. */
export const directionOf = (metric: MetricName): 1 | -1 => (lossNames.has(metric) ? -1 : 1);

/** Whether the metric lies between 0 and 1 and so has the same scale everywhere. */
export const isShare = (metric: MetricName): boolean =>
  !lossNames.has(metric) && metric !== "r-squared";

const perRow = (
  { labels, scores }: Side,
  value: (label: number, score: number) => number,
): Float64Array => {
  const values = new Float64Array(labels.length);
  for (let row = 0; row < values.length; row += 1) {
    values[row] = value(labels[row] ?? NaN, scores[row] ?? NaN);
  }
  return values;
};

const isMultiClass = ({ task }: Side): boolean => task === "multi-class-classification";

/** Whether each row is decided right: at one half, or for the most probable class. */
export function rightRows(side: Side): Float64Array {
  if (!isMultiClass(side))
    return perRow(side, (label, score) => (score >= 0.5 === (label === 1) ? 1 : 0));
  const predictions = predictedClasses(side.scores, side.classes.length);
  return Float64Array.from(side.labels, (label, row) => (predictions[row] === label ? 1 : 0));
}

/** Values whose mean is the metric (whose root of the mean, for rmse); undefined for the other metrics. */
export function unitValues(metric: MetricName, side: Side): Float64Array | undefined {
  const { labels, scores, classes, queries = new Int32Array() } = side;
  switch (metric) {
    case "accuracy":
      return rightRows(side);
    case "log-loss":
      return isMultiClass(side)
        ? rowLogLosses(labels, scores, classes.length)
        : perRow(side, rowLogLoss);
    case "brier":
      return isMultiClass(side)
        ? rowBrierScores(labels, scores, classes.length)
        : perRow(side, (label, score) => (score - label) ** 2);
    case "mae":
      return perRow(side, (label, score) => Math.abs(score - label));
    case "rmse":
      return perRow(side, (label, score) => (score - label) ** 2);
    case "ndcg":
      return byQuery(queries, labels, scores, (rows) => normalizedGain(rows, gainPositions));
    case "mrr":
      return byQuery(queries, labels, scores, reciprocalRank);
    case "auc":
    case "average-precision":
    case "macro-f1":
    case "r-squared":
      return undefined;
  }
}

/** The metric and every unit's influence on it; the area under the curve has DeLong's components instead. */
export function estimateOf(metric: MetricName, side: Side): Estimate {
  const values = unitValues(metric, side);
  if (values !== undefined) {
    return metric === "rmse" ? rootMeanEstimate(values) : meanEstimate(values);
  }
  const { labels, scores, classes, order } = side;
  if (metric === "macro-f1") {
    const width = classes.length;
    return macroF1Estimate(labels, predictedClasses(scores, width), width);
  }
  return metric === "r-squared"
    ? rSquaredEstimate(labels, scores)
    : averagePrecisionEstimate(labels, scores, order());
}

/** The metric alone; NaN where the rows cannot tell it. */
export const valueOf = (metric: MetricName, side: Side): number =>
  metric === "auc"
    ? areaUnderRoc(side.labels, side.scores, side.order())
    : estimateOf(metric, side).value;

/** The name under which a report holds a metric. */
export const keyOf = (metric: string): string =>
  metric.replace(/-(?<letter>[a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** What a report holds beside the metrics that can gate. */
function extras(side: Side): readonly (readonly [string, number])[] {
  const { task, labels, scores, classes } = side;
  switch (task) {
    case "binary-classification":
      return [["calibrationError", calibrationError(labels, scores)]];
    case "multi-class-classification": {
      const top = confidence(labels, scores, classes.length);
      return [["calibrationError", calibrationError(top.isRight, top.scores)]];
    }
    case "regression":
      return [["bias", meanEstimate(perRow(side, (label, score) => score - label)).value]];
    case "ranking":
      return [];
  }
}

/** All metrics of one version; those that these rows cannot tell are left out. */
export function metricsOf(side: Side): Metrics {
  const gates = metricsOfTask[side.task].map(
    (metric) => [keyOf(metric), valueOf(metric, side)] as const,
  );
  return Object.fromEntries(
    [...gates, ...extras(side)].filter(([, value]) => Number.isFinite(value)),
  );
}
