/**
 * Scores many rows with boosted trees. Every value becomes the number of the interval between the model's thresholds
 * that it lies in, once. Small trees over few features are then sets of leaves (leaf-masks.ts); of other trees a node
 * is one look-up from that number to the next node, without a branch that the processor could guess wrongly. The sums
 * are those of the row-by-row scorer to the last bit.
 */
import { maskForest, scoreMasks } from "./leaf-masks.js";
import { intervalOf, knownOf, leftIntervals, questionsOf, type Question } from "./questions.js";
import type { GradientBoosting, Tree } from "./schema.js";

const rowsOfBlock = 1024;
/** Below this many rows the tables take longer to make than they save. */
const rowsMin = 2000;
/** Entries of all tables together, and nodes of one tree: what 16 bits and some memory can hold. */
const entriesMax = 20_000_000;
const intervalsMax = 65_534;
const nodesMax = 32_768;

/**
 * A tree as look-ups. Node n has steps[2 n], where its feature's intervals begin in a block (-1 for a leaf), and
 * steps[2 n + 1], where its own entries of `next` begin: there, interval i leads to twice the number of a node.
 */
interface TableTree {
  readonly steps: Int32Array;
  readonly next: Uint16Array;
  readonly value: Float64Array;
}

function tableOf(tree: Tree, questions: readonly Question[]): TableTree {
  const steps = new Int32Array(2 * tree.feature.length);
  const next: number[] = [];
  for (const [node, feature] of tree.feature.entries()) {
    const question = questions[feature];
    steps[2 * node] = question === undefined ? -1 : feature * rowsOfBlock;
    steps[2 * node + 1] = next.length;
    if (question === undefined) continue;
    const [left = 0, right = 0] = [tree.left[node], tree.right[node]];
    for (const isLeft of leftIntervals(tree, node, question)) {
      next.push(2 * (isLeft === 1 ? left : right));
    }
  }
  return {
    steps,
    next: Uint16Array.from(next),
    value: Float64Array.from(tree.value),
  };
}

/** Log-odds of every row of encoded columns; undefined where the row-by-row scorer serves better. */
export function scoreTrees(
  predictor: GradientBoosting,
  columns: readonly Float64Array[],
): Float64Array | undefined {
  const rows = columns[0]?.length ?? 0;
  const questions = questionsOf(predictor, columns.length);
  const isWide = questions?.some((question) => knownOf(question) >= intervalsMax) === true;
  if (rows < rowsMin || questions === undefined || isWide) return undefined;
  const forest = maskForest(predictor, questions, entriesMax);
  if (forest !== undefined) return scoreMasks(forest, questions, columns);
  let entries = 0;
  for (const { feature } of predictor.trees) {
    if (feature.length > nodesMax) return undefined;
    for (const index of feature) {
      const question = questions[index];
      if (question !== undefined) entries += knownOf(question) + 2;
      else if (index >= 0) return undefined;
    }
  }
  if (entries > entriesMax) return undefined;
  const trees = predictor.trees.map((tree) => tableOf(tree, questions));
  const sums = new Float64Array(rows).fill(predictor.baseline);
  const intervals = new Uint16Array(columns.length * rowsOfBlock);
  for (let from = 0; from < rows; from += rowsOfBlock) {
    const size = Math.min(rowsOfBlock, rows - from);
    for (const [feature, question] of questions.entries()) {
      const column = columns[feature] ?? new Float64Array();
      for (let row = 0; row < size; row += 1) {
        intervals[feature * rowsOfBlock + row] = intervalOf(question, column[from + row] ?? NaN);
      }
    }
    for (const tree of trees) addTree(tree, { intervals, sums, from, size });
  }
  return sums;
}

/** Adds a tree's values to the sums of a block of rows. */
function addTree(
  { steps, next, value }: TableTree,
  block: {
    readonly intervals: Uint16Array;
    readonly sums: Float64Array;
    readonly from: number;
    readonly size: number;
  },
): void {
  const { intervals, sums, from, size } = block;
  for (let row = 0; row < size; row += 1) {
    let node = 0;
    let column = steps[0] ?? -1;
    while (column >= 0) {
      node = next[(steps[node + 1] ?? 0) + (intervals[column + row] ?? 0)] ?? 0;
      column = steps[node] ?? -1;
    }
    sums[from + row] = (sums[from + row] ?? 0) + (value[node >> 1] ?? 0);
  }
}
