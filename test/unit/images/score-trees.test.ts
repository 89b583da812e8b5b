import { describe, expect, it } from "vitest";
import type { GradientBoosting, Tree } from "../../../infra/images/model/schema.js";
import { compilePredictor, scoreColumns, sigmoid } from "../../../infra/images/model/score.js";
import { maskForest } from "../../../infra/images/model/leaf-masks.js";
import { questionsOf } from "../../../infra/images/model/questions.js";
import { scoreTrees } from "../../../infra/images/model/score-trees.js";
import { seededRandom } from "../../../shared/statistics/random.js";

const random = seededRandom(4);
const below = (count: number): number => Math.floor(random() * count);

/** A random tree: features 0 and 1 are numbers, feature 2 is a category. */
function randomTree(inner: number): Tree {
  const feature = Array.from({ length: inner }, () => below(3));
  const nodes = 2 * inner + 1;
  return {
    feature: Array.from({ length: nodes }, (_, node) => feature[node] ?? -1),
    threshold: Array.from({ length: nodes }, () => below(9) / 4 - 1),
    left: Array.from({ length: nodes }, (_, node) => (node < inner ? 2 * node + 1 : 0)),
    right: Array.from({ length: nodes }, (_, node) => (node < inner ? 2 * node + 2 : 0)),
    missingLeft: Array.from({ length: nodes }, () => below(2)),
    categoriesLeft: Object.fromEntries(
      feature.flatMap((asked, node) =>
        asked === 2 ? [[String(node), [0, 1, 2, 3, 4].filter(() => random() < 0.5)]] : [],
      ),
    ),
    value: Array.from({ length: nodes }, (_, node) => (node < inner ? 0 : random() - 0.5)),
  };
}

const numbers = [-1, -0.5, 0, -0, 0.25, 0.250000001, 1, 9, NaN, Infinity, -Infinity, 1e308];
const rows = 3000;
const column = (values: readonly number[]): Float64Array =>
  Float64Array.from({ length: rows }, () => values[below(values.length)] ?? NaN);
const columns = [column(numbers), column(numbers), column([0, 1, 2, 3, 4, 5, 70, NaN])];

const boosting = (trees: readonly Tree[]): GradientBoosting => ({
  algorithm: "gradient-boosting",
  baseline: -0.3,
  trees: [...trees],
});

describe("boosted trees over many rows", () => {
  it.each([0, 1, 7, 31, 32, 60])(
    "with %s inner nodes give the row scorer's sums to the last bit",
    (inner) => {
      const predictor = boosting(Array.from({ length: 20 }, () => randomTree(inner)));
      const sums = scoreTrees(predictor, columns);
      expect(sums?.map(sigmoid)).toEqual(scoreColumns(compilePredictor(predictor), columns));
    },
  );

  /** The quick sums, proven to be the row scorer's; whether they came from sets of leaves. */
  const isByMasks = (predictor: GradientBoosting, values: readonly Float64Array[]): boolean => {
    const sums = scoreTrees(predictor, values);
    const rowScorer = compilePredictor(predictor);
    expect(sums).toEqual(
      Float64Array.from({ length: rows }, (_, row) =>
        rowScorer(Float64Array.from(values, (known) => known[row] ?? NaN)),
      ),
    );
    return maskForest(predictor, questionsOf(predictor, values.length) ?? [], 1e6) !== undefined;
  };

  it("are sets of leaves when trees are small, and walked when one is not", () => {
    expect(isByMasks(boosting([randomTree(31), randomTree(3), randomTree(0)]), columns)).toBe(true);
    expect(isByMasks(boosting([randomTree(31), randomTree(32)]), columns)).toBe(false);
    expect(isByMasks(boosting([]), columns)).toBe(true);
  });

  it("are walked when more features are asked than sets are worth", () => {
    const many = Array.from({ length: 21 }, () => column(numbers));
    const asking = (features: number): GradientBoosting =>
      boosting(
        Array.from({ length: features }, (_, feature) => {
          const tree = randomTree(1);
          return { ...tree, feature: [feature, -1, -1], categoriesLeft: {} };
        }),
      );
    expect(isByMasks(asking(20), many)).toBe(true);
    expect(isByMasks(asking(21), many)).toBe(false);
  });

  it("tell hundreds of thresholds apart, at a threshold and just beside it", () => {
    const thresholds = Array.from({ length: 300 }, () => (random() - 0.5) * 10 ** below(9));
    const predictor = boosting(
      thresholds.map((threshold) => ({
        ...randomTree(1),
        feature: [0, -1, -1],
        threshold: [threshold, 0, 0],
        categoriesLeft: {},
      })),
    );
    const beside = thresholds.flatMap((value) => [value, value * (1 + 1e-15), value * (1 - 1e-15)]);
    expect(isByMasks(predictor, [column([...beside, NaN, Infinity, -Infinity])])).toBe(true);
  });

  it("are walked when two nodes share a child, or none leads to a node", () => {
    const shared: Tree = {
      feature: [0, 1, -1, -1],
      threshold: [0, 0.25, 0, 0],
      left: [1, 2, 0, 0],
      right: [2, 3, 0, 0],
      missingLeft: [1, 0, 0, 0],
      categoriesLeft: {},
      value: [0, 0, 0.5, -0.25],
    };
    const lost: Tree = { ...shared, feature: [0, -1, -1, -1], left: [1, 0, 0, 0] };
    expect(isByMasks(boosting([shared]), columns)).toBe(false);
    expect(isByMasks(boosting([lost]), columns)).toBe(false);
  });

  it("are left to the row scorer when rows are few or a feature is asked two ways", () => {
    const predictor = boosting([randomTree(7)]);
    const few = columns.map((values) => values.slice(0, 10));
    expect(scoreTrees(predictor, few)).toBeUndefined();
    const asNumber = { ...randomTree(1), feature: [2, -1, -1], categoriesLeft: {} };
    const asCategory = { ...asNumber, categoriesLeft: { "0": [1] } };
    expect(scoreTrees(boosting([asNumber]), columns)).toBeDefined();
    expect(scoreTrees(boosting([asNumber, asCategory]), columns)).toBeUndefined();
  });

  it("a tree that asks for a feature the rows lack is left to the row scorer too", () => {
    const tree = { ...randomTree(1), feature: [5, -1, -1], categoriesLeft: {} };
    expect(scoreTrees(boosting([tree]), columns)).toBeUndefined();
  });
});
