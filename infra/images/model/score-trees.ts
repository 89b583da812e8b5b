/**
 * Scores many rows with boosted trees. Every value becomes the number of the interval between the model's thresholds
 * that it lies in, once; a node is then one look-up from that number to the next node, without a branch that the
 * processor could guess wrongly. The sums are those of the row-by-row scorer to the last bit.
 */
import type { GradientBoosting } from "./schema.js";

/** What the trees ask of a feature: thresholds ascending, or how many categories are told apart. */
type Question =
  | { readonly kind: "thresholds"; readonly thresholds: Float64Array }
  | { readonly kind: "categories"; readonly count: number };

/** Interval numbers: 0 ... known, then one for missing values. */
const knownOf = (question: Question): number =>
  question.kind === "thresholds" ? question.thresholds.length : question.count;

/** The questions by feature; undefined when one feature is asked both kinds. */
function questionsOf({ trees }: GradientBoosting, features: number): Question[] | undefined {
  const thresholds = Array.from({ length: features }, () => new Set<number>());
  const categories = new Map<number, number>();
  for (const tree of trees) {
    for (const [node, feature] of tree.feature.entries()) {
      const codes = tree.categoriesLeft[String(node)];
      if (feature < 0) continue;
      if (codes === undefined) thresholds[feature]?.add(tree.threshold[node] ?? 0);
      else {
        const count = codes.reduce((most, code) => Math.max(most, code + 1), 1);
        categories.set(feature, Math.max(count, categories.get(feature) ?? 0));
      }
    }
  }
  if ([...categories.keys()].some((feature) => (thresholds[feature]?.size ?? 0) > 0)) {
    return undefined;
  }
  return thresholds.map((found, feature) => {
    const count = categories.get(feature);
    return count === undefined
      ? { kind: "thresholds", thresholds: Float64Array.from(found).toSorted() }
      : { kind: "categories", count };
  });
}

/** The interval of a value: how many thresholds lie below it; a category's own code, all unknown ones alike. */
function intervalOf(question: Question, value: number): number {
  if (Number.isNaN(value)) return knownOf(question) + 1;
  if (question.kind === "categories") return Math.min(value, question.count);
  const { thresholds } = question;
  let [low, high] = [0, thresholds.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((thresholds[middle] ?? Infinity) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

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

function tableOf(
  tree: GradientBoosting["trees"][number],
  questions: readonly Question[],
): TableTree {
  const steps = new Int32Array(2 * tree.feature.length);
  const next: number[] = [];
  for (const [node, feature] of tree.feature.entries()) {
    const question = questions[feature];
    steps[2 * node] = question === undefined ? -1 : feature * rowsOfBlock;
    steps[2 * node + 1] = next.length;
    if (question === undefined) continue;
    const codes = tree.categoriesLeft[String(node)];
    const isLeftCode = codes === undefined ? undefined : new Set(codes);
    const threshold = tree.threshold[node] ?? 0;
    const known = knownOf(question);
    for (let interval = 0; interval <= known; interval += 1) {
      const isLeft =
        question.kind === "thresholds"
          ? (question.thresholds[interval] ?? Infinity) <= threshold
          : isLeftCode?.has(interval) === true;
      next.push(2 * ((isLeft ? tree.left[node] : tree.right[node]) ?? 0));
    }
    next.push(2 * ((tree.missingLeft[node] === 1 ? tree.left[node] : tree.right[node]) ?? 0));
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
