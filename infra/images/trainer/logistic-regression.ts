/**
 * L2-regularised logistic regression by Newton's method (Hastie, Tibshirani and Friedman, section 4.4.1).
 * Minimises w'w / 2 + C * sum of log losses, as scikit-learn does; the intercept is not penalised.
 */
import { z } from "zod";
import { ImageError } from "../arguments.js";
import type { LogisticRegression } from "../model/schema.js";
import { sigmoid } from "../model/score.js";
import type { TrainingRows } from "./gradient-boosting.js";
import { solveSymmetric } from "./linear-algebra.js";

/** Schema of the parameters; `c` is the inverse strength of the penalty. */
export const logisticParameters = z.strictObject({
  c: z.number().positive().default(1),
  iterations: z.int().min(1).max(1000).default(100),
  tolerance: z.number().positive().default(1e-10),
});

/** Parameters of the logistic regression. */
export type LogisticParameters = z.infer<typeof logisticParameters>;

/** How a feature becomes one or more columns of the design matrix. */
interface Design {
  /** First column of every feature; the column after the last one is the intercept. */
  readonly starts: readonly number[];
  readonly width: number;
  readonly means: readonly number[];
  readonly scales: readonly number[];
}

function designOf({ features, columns }: TrainingRows): Design {
  let width = 0;
  const moments = columns.map((column, f) => {
    const present = column.filter((value) => !Number.isNaN(value));
    const mean = present.reduce((sum, value) => sum + value, 0) / Math.max(1, present.length);
    const squares = present.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const scale = Math.sqrt(squares / Math.max(1, present.length));
    if (!Number.isFinite(mean) || !Number.isFinite(scale)) {
      const largest = present.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      throw new ImageError(
        `feature ${features[f]?.name ?? f} cannot be standardised: it holds values as large as ${largest}; write them as missing, or train gradient-boosting, which needs their order alone`,
      );
    }
    return { mean, scale: scale > 0 ? scale : 1 };
  });
  const starts = features.map((feature) => {
    const start = width;
    // A numeric feature has its value and a flag for missing; a categorical one a column per category.
    width += feature.type === "numeric" ? 2 : feature.categories.length + 1;
    return start;
  });
  return {
    starts,
    width: width + 1,
    means: moments.map(({ mean }) => mean),
    scales: moments.map(({ scale }) => scale),
  };
}

/** Non-zero cells of one row: two per feature at most, then the intercept. */
function fillRow(
  { features, columns }: TrainingRows,
  design: Design,
  row: number,
  indices: Int32Array,
  values: Float64Array,
): void {
  for (let f = 0; f < features.length; f += 1) {
    const value = columns[f]?.[row] ?? NaN;
    const feature = features[f];
    const start = design.starts[f] ?? 0;
    const isMissing = Number.isNaN(value);
    if (feature?.type === "categorical") {
      indices[f] = start + (isMissing ? feature.categories.length : value);
      values[f] = 1;
    } else {
      indices[f] = isMissing ? start + 1 : start;
      values[f] = isMissing ? 1 : (value - (design.means[f] ?? 0)) / (design.scales[f] ?? 1);
    }
  }
  indices[features.length] = design.width - 1;
  values[features.length] = 1;
}

/** Penalised loss, its gradient and its Hessian at the weights. */
function evaluate(
  rows: TrainingRows,
  design: Design,
  weights: Float64Array,
  c: number,
): { readonly loss: number; readonly gradient: Float64Array; readonly hessian: Float64Array } {
  const { width } = design;
  const gradient = new Float64Array(width);
  const hessian = new Float64Array(width * width);
  const size = rows.features.length + 1;
  const indices = new Int32Array(size);
  const values = new Float64Array(size);
  let loss = 0;
  for (let row = 0; row < rows.labels.length; row += 1) {
    fillRow(rows, design, row, indices, values);
    let logOdds = 0;
    for (let k = 0; k < size; k += 1) logOdds += (weights[indices[k] ?? 0] ?? 0) * (values[k] ?? 0);
    const p = sigmoid(logOdds);
    const label = rows.labels[row] ?? 0;
    // log(1 + exp(-margin)) without overflow.
    const margin = label === 1 ? logOdds : -logOdds;
    loss += c * (Math.max(0, -margin) + Math.log1p(Math.exp(-Math.abs(margin))));
    const slope = c * (p - label);
    const curvature = c * p * (1 - p);
    for (let k = 0; k < size; k += 1) {
      const i = indices[k] ?? 0;
      const value = values[k] ?? 0;
      gradient[i] = (gradient[i] ?? 0) + slope * value;
      for (let l = 0; l < size; l += 1) {
        const cell = i * width + (indices[l] ?? 0);
        hessian[cell] = (hessian[cell] ?? 0) + curvature * value * (values[l] ?? 0);
      }
    }
  }
  for (let i = 0; i < width - 1; i += 1) {
    const weight = weights[i] ?? 0;
    loss += (weight * weight) / 2;
    gradient[i] = (gradient[i] ?? 0) + weight;
    hessian[i * width + i] = (hessian[i * width + i] ?? 0) + 1;
  }
  // The intercept is not penalised; the tiny ridge keeps its pivot positive.
  const last = width * width - 1;
  hessian[last] = (hessian[last] ?? 0) + 1e-12;
  return { loss, gradient, hessian };
}

/** Newton's method with step halving; converges quadratically near the optimum. */
function newton(rows: TrainingRows, design: Design, parameters: LogisticParameters): Float64Array {
  let weights = new Float64Array(design.width);
  let state = evaluate(rows, design, weights, parameters.c);
  for (let iteration = 0; iteration < parameters.iterations; iteration += 1) {
    const step = solveSymmetric(state.hessian, state.gradient);
    let scale = 1;
    let next = weights.map((weight, i) => weight - (step[i] ?? 0));
    let nextState = evaluate(rows, design, next, parameters.c);
    while (nextState.loss > state.loss * (1 + 1e-12) && scale > 1e-4) {
      scale /= 2;
      const factor = scale;
      next = weights.map((weight, i) => weight - factor * (step[i] ?? 0));
      nextState = evaluate(rows, design, next, parameters.c);
    }
    const largest = step.reduce((max, value) => Math.max(max, Math.abs(value)), 0) * scale;
    weights = next;
    state = nextState;
    if (largest < parameters.tolerance) break;
  }
  return weights;
}

/** Trains a logistic regression on standardised numbers and one-hot categories. */
export function trainLogisticRegression(
  rows: TrainingRows,
  parameters: LogisticParameters,
): LogisticRegression {
  const design = designOf(rows);
  const weights = newton(rows, design, parameters);
  const at = (index: number): number => weights[index] ?? 0;
  return {
    algorithm: "logistic-regression",
    intercept: at(design.width - 1),
    weights: rows.features.map((feature, f) => {
      const start = design.starts[f] ?? 0;
      if (feature.type === "numeric") {
        const [mean, scale] = [design.means[f] ?? 0, design.scales[f] ?? 1];
        return { type: "numeric", mean, scale, weight: at(start), missing: at(start + 1) };
      }
      const byCategory = feature.categories.map((_, code) => at(start + code));
      return { type: "categorical", byCategory, missing: at(start + feature.categories.length) };
    }),
  };
}
