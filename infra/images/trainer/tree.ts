/** Grows one regression tree on gradients, best leaf first. */
import type { Tree } from "../model/schema.js";
import type { BinnedFeature } from "./binning.js";
import {
  bestSplit,
  type NodeHistogram,
  type NodeSums,
  type Split,
  type SplitLimits,
} from "./split.js";

/** Shape of a tree. */
export interface TreeOptions extends SplitLimits {
  readonly maxLeaves: number;
  readonly maxDepth: number;
  readonly learningRate: number;
}

/** What all trees of a model share: binned features and the place of each in a histogram. */
export interface Ensemble {
  readonly features: readonly BinnedFeature[];
  readonly offsets: readonly number[];
  readonly histogramLength: number;
}

/** Lays the features' histograms end to end. */
export function ensemble(features: readonly BinnedFeature[]): Ensemble {
  let length = 0;
  const offsets = features.map((feature) => {
    const offset = length;
    length += 3 * feature.binCount;
    return offset;
  });
  return { features, offsets, histogramLength: length };
}

/** A leaf that may still be split; its rows are order[start .. end). */
interface OpenLeaf {
  readonly node: number;
  readonly depth: number;
  readonly start: number;
  readonly end: number;
  readonly sums: NodeSums;
  readonly histogram: NodeHistogram;
  readonly split: Split | undefined;
}

/** Mutable arrays of a tree under construction. */
interface Nodes {
  readonly feature: number[];
  readonly threshold: number[];
  readonly left: number[];
  readonly right: number[];
  readonly missingLeft: number[];
  readonly categoriesLeft: Record<string, number[]>;
  readonly value: number[];
}

/** Sums gradients and hessians of the rows into the bins of every feature. */
function fillHistogram(
  { features, offsets, histogramLength }: Ensemble,
  rows: Uint32Array,
  gradients: Float64Array,
  hessians: Float64Array,
): NodeHistogram {
  const histogram = new Float64Array(histogramLength);
  const count = rows.length;
  // Gathering once keeps the random reads out of the loop over features.
  const g = new Float64Array(count);
  const h = new Float64Array(count);
  for (let i = 0; i < count; i += 1) {
    const row = rows[i] ?? 0;
    g[i] = gradients[row] ?? 0;
    h[i] = hessians[row] ?? 0;
  }
  for (let f = 0; f < features.length; f += 1) {
    const bins = features[f]?.bins ?? new Uint8Array();
    const offset = offsets[f] ?? 0;
    for (let i = 0; i < count; i += 1) {
      const cell = offset + 3 * (bins[rows[i] ?? 0] ?? 0);
      histogram[cell] = (histogram[cell] ?? 0) + (g[i] ?? 0);
      histogram[cell + 1] = (histogram[cell + 1] ?? 0) + (h[i] ?? 0);
      histogram[cell + 2] = (histogram[cell + 2] ?? 0) + 1;
    }
  }
  return histogram;
}

/** The sibling's histogram without touching its rows. */
function subtract(parent: NodeHistogram, child: NodeHistogram): NodeHistogram {
  const result = new Float64Array(parent.length);
  for (let i = 0; i < result.length; i += 1) result[i] = (parent[i] ?? 0) - (child[i] ?? 0);
  return result;
}

/** Whether a bin goes left. */
function isLeftBin(split: Split, bin: number, missingBin: number): boolean {
  if (split.leftBins !== undefined) return split.leftBins[bin] === 1;
  return bin === missingBin ? split.isMissingLeft : bin <= split.bin;
}

/** Reorders order[start .. end) so that the left rows come first; answers where the right ones start. */
function partition(
  order: Uint32Array,
  scratch: Uint32Array,
  leaf: OpenLeaf,
  split: Split,
  feature: BinnedFeature,
): number {
  const goesLeft = Uint8Array.from({ length: feature.binCount }, (_, bin) =>
    isLeftBin(split, bin, feature.missingBin) ? 1 : 0,
  );
  let left = leaf.start;
  let right = 0;
  for (let i = leaf.start; i < leaf.end; i += 1) {
    const row = order[i] ?? 0;
    if (goesLeft[feature.bins[row] ?? 0] === 1) {
      order[left] = row;
      left += 1;
    } else {
      scratch[right] = row;
      right += 1;
    }
  }
  order.set(scratch.subarray(0, right), left);
  return left;
}

/** Eight significant digits: the model file halves and the scores stay the same to 1e-8. */
const rounded = (value: number): number => Number(value.toPrecision(8));

/** Adds an empty leaf. */
function addLeaf(nodes: Nodes, sums: NodeSums, options: TreeOptions): number {
  nodes.threshold.push(0);
  nodes.left.push(0);
  nodes.right.push(0);
  nodes.missingLeft.push(0);
  nodes.feature.push(-1);
  const step = -sums.gradient / (sums.hessian + options.l2 + 1e-15);
  return nodes.value.push(rounded(step * options.learningRate)) - 1;
}

/** Turns a leaf into an inner node. */
function setSplit(nodes: Nodes, node: number, split: Split, feature: BinnedFeature): void {
  nodes.feature[node] = split.feature;
  nodes.value[node] = 0;
  nodes.missingLeft[node] = split.isMissingLeft ? 1 : 0;
  if (split.leftBins === undefined) {
    // A split after the last bin separates the missing values from all others.
    nodes.threshold[node] = feature.edges[split.bin] ?? Number.MAX_VALUE;
  } else {
    const codes = [...split.leftBins.keys()].filter((bin) => split.leftBins?.[bin] === 1);
    nodes.categoriesLeft[String(node)] = codes.filter((code) => code !== feature.missingBin);
  }
}

/** The numbers 0 to length - 1. */
function identity(length: number): Uint32Array {
  const order = new Uint32Array(length);
  for (let i = 0; i < length; i += 1) order[i] = i;
  return order;
}

function sum(values: Float64Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i += 1) total += values[i] ?? 0;
  return total;
}

/** Writes one value at all the rows. */
function setRows(target: Float64Array, rows: Uint32Array, value: number): void {
  for (let i = 0; i < rows.length; i += 1) target[rows[i] ?? 0] = value;
}

/** A grown tree, and the leaf value of every training row in `additions`. */
export function growTree(
  shared: Ensemble,
  gradients: Float64Array,
  hessians: Float64Array,
  options: TreeOptions,
  additions: Float64Array,
): Tree {
  const rows = gradients.length;
  const order = identity(rows);
  const scratch = new Uint32Array(rows);
  const nodes: Nodes = {
    feature: [],
    threshold: [],
    left: [],
    right: [],
    missingLeft: [],
    categoriesLeft: {},
    value: [],
  };
  const open = (
    place: Pick<OpenLeaf, "depth" | "start" | "end" | "sums">,
    histogram: NodeHistogram,
  ): OpenLeaf => {
    const node = addLeaf(nodes, place.sums, options);
    const mayGrow = place.depth < options.maxDepth && place.sums.rows >= 2 * options.minSamplesLeaf;
    const split = mayGrow
      ? bestSplit(histogram, shared.offsets, shared.features, place.sums, options)
      : undefined;
    return { node, ...place, histogram, split };
  };
  const sums = { gradient: sum(gradients), hessian: sum(hessians), rows };
  const root = fillHistogram(shared, order, gradients, hessians);
  const leaves = [open({ depth: 0, start: 0, end: rows, sums }, root)];
  while (leaves.length < options.maxLeaves) {
    const index = bestLeaf(leaves);
    const leaf = leaves[index];
    const split = leaf?.split;
    const feature = shared.features[split?.feature ?? -1];
    if (leaf === undefined || split === undefined || feature === undefined) break;
    const middle = partition(order, scratch, leaf, split, feature);
    const right: NodeSums = {
      gradient: leaf.sums.gradient - split.left.gradient,
      hessian: leaf.sums.hessian - split.left.hessian,
      rows: leaf.sums.rows - split.left.rows,
    };
    const isLeftSmaller = middle - leaf.start <= leaf.end - middle;
    const smallRows = isLeftSmaller
      ? order.subarray(leaf.start, middle)
      : order.subarray(middle, leaf.end);
    const small = fillHistogram(shared, smallRows, gradients, hessians);
    const large = subtract(leaf.histogram, small);
    setSplit(nodes, leaf.node, split, feature);
    const depth = leaf.depth + 1;
    const leftLeaf = open(
      { depth, start: leaf.start, end: middle, sums: split.left },
      isLeftSmaller ? small : large,
    );
    const rightLeaf = open(
      { depth, start: middle, end: leaf.end, sums: right },
      isLeftSmaller ? large : small,
    );
    nodes.left[leaf.node] = leftLeaf.node;
    nodes.right[leaf.node] = rightLeaf.node;
    leaves[index] = leftLeaf;
    leaves.push(rightLeaf);
  }
  for (const { node, start, end } of leaves) {
    setRows(additions, order.subarray(start, end), nodes.value[node] ?? 0);
  }
  return nodes;
}

/** Index of the open leaf whose split gains most; -1 when none can be split. */
function bestLeaf(leaves: readonly OpenLeaf[]): number {
  let best = -1;
  let gain = 0;
  for (const [index, leaf] of leaves.entries()) {
    if (leaf.split !== undefined && leaf.split.gain > gain) {
      best = index;
      gain = leaf.split.gain;
    }
  }
  return best;
}
