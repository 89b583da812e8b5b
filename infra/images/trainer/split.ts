/** Finds the best split of a node from its histograms. */
import type { BinnedFeature } from "./binning.js";

/** Gradient sum, hessian sum and row count per bin, interleaved: three numbers a bin. */
export type NodeHistogram = Float64Array;

/** Sums over the rows of a node. */
export interface NodeSums {
  readonly gradient: number;
  readonly hessian: number;
  readonly rows: number;
}

/** Limits of a split. */
export interface SplitLimits {
  readonly minSamplesLeaf: number;
  readonly l2: number;
  readonly minHessianLeaf: number;
}

/** A split: which bins go left, and what it gains in log loss (times two). */
export interface Split {
  readonly feature: number;
  readonly gain: number;
  /** Numeric: the last bin that goes left. */
  readonly bin: number;
  /** Categorical: the bins that go left. */
  readonly leftBins: Uint8Array | undefined;
  readonly isMissingLeft: boolean;
  readonly left: NodeSums;
}

/** Categories with less support (rows, weighted by hessian) stay right; it also pulls small ones to the middle. */
const categorySupportMin = 10;

const score = (sums: NodeSums, l2: number): number =>
  (sums.gradient * sums.gradient) / (sums.hessian + l2 + 1e-15);

const minus = (a: NodeSums, b: NodeSums): NodeSums => ({
  gradient: a.gradient - b.gradient,
  hessian: a.hessian - b.hessian,
  rows: a.rows - b.rows,
});

/** Gain of sending `left` to the left; NaN where a limit forbids it. */
function gainOf(left: NodeSums, node: NodeSums, limits: SplitLimits): number {
  const right = minus(node, left);
  const isTooSmall =
    left.rows < limits.minSamplesLeaf ||
    right.rows < limits.minSamplesLeaf ||
    left.hessian < limits.minHessianLeaf ||
    right.hessian < limits.minHessianLeaf;
  if (isTooSmall) return NaN;
  return score(left, limits.l2) + score(right, limits.l2) - score(node, limits.l2);
}

const binSums = (histogram: NodeHistogram, offset: number, bin: number): NodeSums => ({
  gradient: histogram[offset + 3 * bin] ?? 0,
  hessian: histogram[offset + 3 * bin + 1] ?? 0,
  rows: histogram[offset + 3 * bin + 2] ?? 0,
});

const noRows: NodeSums = { gradient: 0, hessian: 0, rows: 0 };

/** Best numeric split of one feature, missing values tried on both sides. */
function bestNumeric(
  histogram: NodeHistogram,
  offset: number,
  feature: BinnedFeature,
  node: NodeSums,
  limits: SplitLimits,
): Omit<Split, "feature"> | undefined {
  const missing = binSums(histogram, offset, feature.missingBin);
  let best: Omit<Split, "feature"> | undefined;
  for (const isMissingLeft of missing.rows > 0 ? [false, true] : [false]) {
    let { gradient, hessian, rows } = isMissingLeft ? missing : noRows;
    for (let bin = 0; bin < feature.missingBin; bin += 1) {
      gradient += histogram[offset + 3 * bin] ?? 0;
      hessian += histogram[offset + 3 * bin + 1] ?? 0;
      rows += histogram[offset + 3 * bin + 2] ?? 0;
      // Past the minimum on the right nothing further can be allowed.
      if (node.rows - rows < limits.minSamplesLeaf) break;
      if (rows < limits.minSamplesLeaf) continue;
      const left = { gradient, hessian, rows };
      const gain = gainOf(left, node, limits);
      if (gain > (best?.gain ?? 0)) best = { gain, bin, leftBins: undefined, isMissingLeft, left };
    }
  }
  return best;
}

/** Best categorical split: bins in the order of their mean gradient, cut once (Fisher 1958). */
function bestCategorical(
  histogram: NodeHistogram,
  offset: number,
  feature: BinnedFeature,
  node: NodeSums,
  limits: SplitLimits,
): Omit<Split, "feature"> | undefined {
  const ranks = new Float64Array(feature.binCount);
  const supportOfHessian = node.rows / node.hessian;
  const candidates: number[] = [];
  for (let bin = 0; bin < feature.binCount; bin += 1) {
    const cell = offset + 3 * bin;
    const hessian = histogram[cell + 1] ?? 0;
    if (hessian * supportOfHessian < categorySupportMin) continue;
    ranks[bin] = (histogram[cell] ?? 0) / (hessian + categorySupportMin);
    candidates.push(bin);
  }
  if (candidates.length < 2) return undefined;
  candidates.sort((a, b) => (ranks[a] ?? 0) - (ranks[b] ?? 0) || a - b);
  let best:
    | { readonly gain: number; readonly left: NodeSums; readonly taken: readonly number[] }
    | undefined;
  for (const order of [candidates, candidates.toReversed()]) {
    let { gradient, hessian, rows } = noRows;
    const half = Math.ceil(order.length / 2);
    for (let position = 0; position < half; position += 1) {
      const bin = order[position] ?? 0;
      gradient += histogram[offset + 3 * bin] ?? 0;
      hessian += histogram[offset + 3 * bin + 1] ?? 0;
      rows += histogram[offset + 3 * bin + 2] ?? 0;
      const left = { gradient, hessian, rows };
      const gain = gainOf(left, node, limits);
      if (gain > (best?.gain ?? 0)) {
        best = { gain, left, taken: order.slice(0, position + 1) };
      }
    }
  }
  if (best === undefined) return undefined;
  const leftBins = new Uint8Array(feature.binCount);
  for (const bin of best.taken) leftBins[bin] = 1;
  const isMissingLeft = leftBins[feature.missingBin] === 1;
  return { gain: best.gain, bin: -1, leftBins, isMissingLeft, left: best.left };
}

/** The split with the largest gain over all features; undefined when none is allowed or gains. */
export function bestSplit(
  histogram: NodeHistogram,
  offsets: readonly number[],
  features: readonly BinnedFeature[],
  node: NodeSums,
  limits: SplitLimits,
): Split | undefined {
  let best: Split | undefined;
  for (const [index, feature] of features.entries()) {
    const find = feature.type === "numeric" ? bestNumeric : bestCategorical;
    const found = find(histogram, offsets[index] ?? 0, feature, node, limits);
    if (found !== undefined && found.gain > (best?.gain ?? 0)) best = { feature: index, ...found };
  }
  return best;
}
