/**
 * Scores many rows with small trees without walking them. The interval that a feature's value lies in leaves some of a
 * tree's leaves within reach, a bit set that is known before; the one leaf that all features leave is the row's. The
 * look-ups lie side by side in memory and do not wait for each other, as the steps of a walk do. The idea is
 * QuickScorer's (Lucchese and others, 2015).
 */
import { intervalOf, knownOf, leftIntervals, type Question } from "./questions.js";
import type { GradientBoosting, Tree } from "./schema.js";

/** Leaves of a bit set. */
const leavesMax = 32;
/** With more features than this a walk asks fewer questions than there are sets to look up. */
const featuresMax = 20;
/** Features that one pass over the trees looks up. */
const featuresOfPass = 3;
const rowsOfBlock = 512;

/** All trees' sets side by side. */
interface MaskForest {
  readonly baseline: number;
  readonly trees: number;
  /** The features that are asked, the last one repeated to whole passes: looked up again, it changes nothing. */
  readonly features: readonly number[];
  /** Where each one's sets begin in `masks`: the trees' for its first interval, for its second, and so on. */
  readonly starts: readonly number[];
  readonly masks: Int32Array;
  /** What the leaves add, `leavesMax` a tree. */
  readonly values: Float64Array;
}

/** Whether every node but the root is one node's child, once, and the leaves fit into a set. */
function isSmallTree({ feature, left, right }: Tree): boolean {
  const isChild = new Uint8Array(feature.length);
  let leaves = 0;
  for (const [node, asked] of feature.entries()) {
    if (asked < 0) {
      leaves += 1;
      continue;
    }
    for (const child of [left[node] ?? 0, right[node] ?? 0]) {
      if (child <= node || isChild[child] !== 0) return false;
      isChild[child] = 1;
    }
  }
  return leaves <= leavesMax && isChild.subarray(1).every((mark) => mark === 1);
}

/** The leaves below every node. Leaf l is the bit that Math.clz32 counts l zeros before; `values` gets what it adds. */
function leavesBelow({ feature, left, right, value }: Tree, values: Float64Array): Int32Array {
  const below = new Int32Array(feature.length);
  let leaf = 0;
  // Children have higher numbers than their parents.
  for (let node = feature.length - 1; node >= 0; node -= 1) {
    if ((feature[node] ?? -1) < 0) {
      below[node] = 1 << (leavesMax - 1 - leaf);
      values[leaf] = value[node] ?? 0;
      leaf += 1;
    } else below[node] = (below[left[node] ?? 0] ?? 0) | (below[right[node] ?? 0] ?? 0);
  }
  return below;
}

/** The trees as sets of at most `entriesMax` entries; undefined where walking them serves better. */
export function maskForest(
  { baseline, trees }: GradientBoosting,
  questions: readonly Question[],
  entriesMax: number,
): MaskForest | undefined {
  const features = [
    ...new Set(trees.flatMap(({ feature }) => feature.filter((asked) => asked >= 0))),
  ];
  const starts: number[] = [];
  let entries = 0;
  for (const asked of features) {
    const question = questions[asked];
    if (question === undefined) return undefined;
    starts.push(entries);
    entries += (knownOf(question) + 2) * trees.length;
  }
  if (features.length > featuresMax || entries > entriesMax || !trees.every(isSmallTree)) {
    return undefined;
  }
  const masks = new Int32Array(entries).fill(-1);
  const values = new Float64Array(leavesMax * trees.length);
  const startOf = new Map(features.map((asked, i) => [asked, starts[i] ?? 0]));
  for (const [place, tree] of trees.entries()) {
    const below = leavesBelow(tree, values.subarray(leavesMax * place, leavesMax * (place + 1)));
    for (const [node, asked] of tree.feature.entries()) {
      const question = questions[asked];
      if (question === undefined) continue;
      const withoutLeft = ~(below[tree.left[node] ?? 0] ?? 0);
      const withoutRight = ~(below[tree.right[node] ?? 0] ?? 0);
      let at = (startOf.get(asked) ?? 0) + place;
      for (const isLeft of leftIntervals(tree, node, question)) {
        masks[at] = (masks[at] ?? -1) & (isLeft === 1 ? withoutRight : withoutLeft);
        at += trees.length;
      }
    }
  }
  while (features.length % featuresOfPass > 0) {
    features.push(features.at(-1) ?? 0);
    starts.push(starts.at(-1) ?? 0);
  }
  return { baseline, trees: trees.length, features, starts, masks, values };
}

/** Log-odds of every row of encoded columns. */
export function scoreMasks(
  forest: MaskForest,
  questions: readonly Question[],
  columns: readonly Float64Array[],
): Float64Array {
  const { trees, features, starts } = forest;
  const sums = new Float64Array(columns[0]?.length ?? 0);
  const width = features.length;
  const places = new Int32Array(width * rowsOfBlock);
  const reach = new Int32Array(trees);
  for (let from = 0; from < sums.length; from += rowsOfBlock) {
    const size = Math.min(rowsOfBlock, sums.length - from);
    for (const [i, asked] of features.entries()) {
      const [column, question, start = 0] = [columns[asked], questions[asked], starts[i]];
      if (column === undefined || question === undefined) continue;
      for (let row = 0; row < size; row += 1) {
        places[row * width + i] = start + trees * intervalOf(question, column[from + row] ?? NaN);
      }
    }
    for (let row = 0; row < size; row += 1) {
      sums[from + row] = sumOfRow(forest, places, row * width, reach);
    }
  }
  return sums;
}

/**
 * The sum of one row, whose sets begin at the `places` from `first` on. `| 0` says that no index leaves 32 bits, which
 * saves the check after every addition: half the time.
 */
function sumOfRow(
  { baseline, trees, features, masks, values }: MaskForest,
  places: Int32Array,
  first: number,
  reach: Int32Array,
): number {
  reach.fill(-1);
  for (let i = first; i < first + features.length; i += featuresOfPass) {
    const [a, b, c] = [places[i] ?? 0, places[i + 1] ?? 0, places[i + 2] ?? 0];
    for (let tree = 0; tree < trees; tree += 1) {
      reach[tree] =
        (reach[tree] ?? 0) &
        (masks[(a + tree) | 0] ?? 0) &
        (masks[(b + tree) | 0] ?? 0) &
        (masks[(c + tree) | 0] ?? 0);
    }
  }
  let sum = baseline;
  for (let tree = 0; tree < trees; tree += 1) {
    sum += values[(leavesMax * tree + Math.clz32(reach[tree] ?? 0)) | 0] ?? 0;
  }
  return sum;
}
