/**
 * Histogram gradient boosting for two classes with log loss, after Friedman (2001), LightGBM (Ke et al.
 * 2017) and scikit-learn's HistGradientBoostingClassifier, whose defaults are kept.
 */
import { z } from "zod";
import type { GradientBoosting, Model } from "../model/schema.js";
import { sigmoid } from "../model/score.js";
import { binCategorical, binNumeric } from "./binning.js";
import { ensemble, growTree } from "./tree.js";

/** Schema of the parameters; all are numbers, as the manifest gives them. */
export const boostingParameters = z.strictObject({
  iterations: z.int().min(1).max(10_000).default(100),
  learningRate: z.number().gt(0).max(1).default(0.1),
  maxLeaves: z.int().min(2).max(4096).default(31),
  maxDepth: z.int().min(1).max(64).default(64),
  minSamplesLeaf: z.int().min(1).default(20),
  l2: z.number().min(0).default(0),
  bins: z.int().min(2).max(255).default(255),
});

/** Parameters of the boosting. */
export type BoostingParameters = z.infer<typeof boostingParameters>;

/** Most categories of one feature that a byte can tell apart, besides missing. */
export const categoriesMax = 255;

/** Encoded feature columns (numbers, or category codes with NaN for unknown) and 0/1 labels. */
export interface TrainingRows {
  readonly features: Model["features"];
  readonly columns: readonly Float64Array[];
  readonly labels: Uint8Array;
}

/** First and second derivative of the log loss by the log-odds, for every row. */
function fillGradients(
  logOdds: Float64Array,
  labels: Uint8Array,
  gradients: Float64Array,
  hessians: Float64Array,
): void {
  for (let i = 0; i < logOdds.length; i += 1) {
    const p = sigmoid(logOdds[i] ?? 0);
    gradients[i] = p - (labels[i] ?? 0);
    hessians[i] = p * (1 - p);
  }
}

/** Adds element by element to the first array. */
function add(target: Float64Array, additions: Float64Array): void {
  for (let i = 0; i < target.length; i += 1) target[i] = (target[i] ?? 0) + (additions[i] ?? 0);
}

/** Trains a boosted model; the same rows and parameters give the same model, bit by bit. `logOdds` are the training rows'. */
export function trainGradientBoosting(
  { features, columns, labels }: TrainingRows,
  parameters: BoostingParameters,
): { readonly predictor: GradientBoosting; readonly logOdds: Float64Array } {
  const binned = features.map((feature, i) => {
    const column = columns[i] ?? new Float64Array();
    return feature.type === "numeric"
      ? binNumeric(column, parameters.bins)
      : binCategorical(column, feature.categories.length);
  });
  const shared = ensemble(binned);
  const rows = labels.length;
  const positiveRate = labels.reduce((sum, label) => sum + label, 0) / rows;
  const baseline = Math.log(positiveRate / (1 - positiveRate));
  const logOdds = new Float64Array(rows).fill(baseline);
  const gradients = new Float64Array(rows);
  const hessians = new Float64Array(rows);
  const additions = new Float64Array(rows);
  const options = { ...parameters, minHessianLeaf: 1e-3 };
  const trees = Array.from({ length: parameters.iterations }, () => {
    fillGradients(logOdds, labels, gradients, hessians);
    const tree = growTree(shared, gradients, hessians, options, additions);
    add(logOdds, additions);
    return tree;
  });
  return { predictor: { algorithm: "gradient-boosting", baseline, trees }, logOdds };
}
