/** Predictions that do not look at their row: the least that a first version has to beat. */
import { quantilesOfSorted } from "../../../shared/statistics/histogram.js";
import type { MetricName } from "../../../shared/manifest/metrics.js";
import type { ScoredRows } from "./scored-rows.js";

/** One score, or one for every class. */
export type ConstantScore = number | readonly number[];

/** The best constant for these rows: class shares, the median for absolute errors, else the mean. */
export function bestConstant(
  { task, labels, classes }: ScoredRows,
  metric: MetricName,
): ConstantScore {
  const values = Float64Array.from(labels);
  if (values.length === 0) return task === "multi-class-classification" ? classes.map(() => 0) : 0;
  switch (task) {
    case "multi-class-classification":
      return classes.map((_, c) => values.filter((label) => label === c).length / values.length);
    case "ranking":
      return 0;
    case "binary-classification":
    case "regression":
      return metric === "mae"
        ? (quantilesOfSorted(values.toSorted(), [0.5])[0] ?? 0)
        : values.reduce((sum, label) => sum + label / values.length, 0);
  }
}

/** The constant as the scores of every row. */
export function constantScores(constant: ConstantScore, rows: number): Float64Array {
  const line = typeof constant === "number" ? [constant] : constant;
  return Float64Array.from({ length: rows * line.length }, (_, i) => line[i % line.length] ?? 0);
}
