/** Scores rows with a model: the probability of the positive class. */
import { asText, type Column, type Table } from "../table/table.js";
import { ImageError } from "../arguments.js";
import { scoreTrees } from "./score-trees.js";
import type { GradientBoosting, LogisticRegression, Model, Tree } from "./schema.js";

/** A row encoded for a model: numbers as they are, categories as codes, NaN for missing or unknown. */
export type EncodedRow = Float64Array;

/** Log-odds of the positive class of an encoded row. */
export type Scorer = (row: EncodedRow) => number;

/** Turns log-odds into a probability. */
export const sigmoid = (logOdds: number): number => 1 / (1 + Math.exp(-logOdds));

/** A tree as typed arrays, with the left categories of a node as a bit set. */
interface CompiledTree {
  readonly feature: Int32Array;
  readonly threshold: Float64Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly missingLeft: Uint8Array;
  readonly categories: readonly (Uint8Array | undefined)[];
  readonly value: Float64Array;
}

function compileTree(tree: Tree): CompiledTree {
  const nodes = tree.feature.length;
  const lengths = [tree.threshold, tree.left, tree.right, tree.missingLeft, tree.value];
  const isBroken = lengths.some((array) => array.length !== nodes) || nodes === 0;
  const isForward = tree.feature.every((feature, node) => {
    const children = [tree.left[node] ?? 0, tree.right[node] ?? 0];
    return feature < 0 || children.every((child) => child > node && child < nodes);
  });
  if (isBroken || !isForward) throw new ImageError("a tree of the model is broken");
  const categories = tree.feature.map((_, node) => {
    const codes = tree.categoriesLeft[String(node)];
    if (codes === undefined) return undefined;
    const bits = new Uint8Array(Math.max(0, ...codes) + 1);
    for (const code of codes) bits[code] = 1;
    return bits;
  });
  return {
    feature: Int32Array.from(tree.feature),
    threshold: Float64Array.from(tree.threshold),
    left: Int32Array.from(tree.left),
    right: Int32Array.from(tree.right),
    missingLeft: Uint8Array.from(tree.missingLeft),
    categories,
    value: Float64Array.from(tree.value),
  };
}

/** Whether a value goes to a node's left child. */
function goesLeft(tree: CompiledTree, node: number, value: number): boolean {
  if (Number.isNaN(value)) return tree.missingLeft[node] === 1;
  const categories = tree.categories[node];
  if (categories !== undefined) return categories[value] === 1;
  return value <= (tree.threshold[node] ?? 0);
}

function treeValue(tree: CompiledTree, row: EncodedRow): number {
  let node = 0;
  for (;;) {
    const feature = tree.feature[node] ?? -1;
    if (feature < 0) return tree.value[node] ?? 0;
    const isLeft = goesLeft(tree, node, row[feature] ?? NaN);
    node = (isLeft ? tree.left[node] : tree.right[node]) ?? 0;
  }
}

/** Scorer of a boosted model. */
function boostingScorer(predictor: GradientBoosting): Scorer {
  const trees = predictor.trees.map(compileTree);
  return (row) => {
    let sum = predictor.baseline;
    for (const tree of trees) sum += treeValue(tree, row);
    return sum;
  };
}

/** Scorer of a linear model. */
function linearScorer(predictor: LogisticRegression): Scorer {
  return (row) => {
    let sum = predictor.intercept;
    for (const [i, weight] of predictor.weights.entries()) {
      const value = row[i] ?? NaN;
      if (Number.isNaN(value)) sum += weight.missing;
      else if (weight.type === "numeric") {
        sum += weight.weight * ((value - weight.mean) / weight.scale);
      } else sum += weight.byCategory[value] ?? weight.missing;
    }
    return sum;
  };
}

/** The scorer of a predictor; throws an ImageError for one that is broken inside. */
export function compilePredictor(predictor: Model["predictor"]): Scorer {
  return predictor.algorithm === "gradient-boosting"
    ? boostingScorer(predictor)
    : linearScorer(predictor);
}

/** The scorer of a model; throws an ImageError for a model that is broken inside. */
export const compileModel = (model: Model): Scorer => compilePredictor(model.predictor);

/** A feature's values of all rows, encoded. */
function encodeColumn(feature: Model["features"][number], column: Column): Float64Array {
  if (feature.type === "numeric") {
    if (column.type === "string") {
      throw new ImageError(`feature ${feature.name} must be numeric, the rows hold text`);
    }
    return column.values;
  }
  const text = asText(column);
  const codeOf = new Map(feature.categories.map((category, code) => [category, code]));
  const codes = text.dictionary.map((value) => codeOf.get(value) ?? NaN);
  return Float64Array.from(text.codes, (code) => codes[code] ?? NaN);
}

/** The feature columns of a table, encoded for a model. */
export function encodeTable(features: Model["features"], table: Table): readonly Float64Array[] {
  return features.map((feature) => {
    const column = table.columns.get(feature.name);
    if (column === undefined) throw new ImageError(`the rows lack the feature ${feature.name}`);
    return encodeColumn(feature, column);
  });
}

/** Probability of the positive class for every row of encoded columns. */
export function scoreColumns(scorer: Scorer, columns: readonly Float64Array[]): Float64Array {
  const row = new Float64Array(columns.length);
  const scores = new Float64Array(columns[0]?.length ?? 0);
  for (let index = 0; index < scores.length; index += 1) {
    for (let i = 0; i < row.length; i += 1) row[i] = columns[i]?.[index] ?? NaN;
    scores[index] = sigmoid(scorer(row));
  }
  return scores;
}

/** Probability of the positive class for every row of a table. */
export function scoreTable(model: Model, table: Table): Float64Array {
  const columns = encodeTable(model.features, table);
  const scorer = compileModel(model);
  const { predictor } = model;
  const logOdds =
    predictor.algorithm === "gradient-boosting" ? scoreTrees(predictor, columns) : undefined;
  return logOdds?.map(sigmoid) ?? scoreColumns(scorer, columns);
}
