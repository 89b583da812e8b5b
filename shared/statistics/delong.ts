/**
 * DeLong, DeLong and Clarke-Pearson (1988): comparing the areas under two correlated ROC curves;
 * structural components through midranks as in Sun and Xu (2014), O(n log n).
 */
import { requireNumbers, requireSameLength } from "./input.js";
import { ascendingOrder } from "./ordering.js";
import { normalQuantile, normalUpper } from "./distributions.js";

/** Areas under the ROC curve of two versions on the same rows, and their uncertainty. */
export interface PairedAuc {
  readonly champion: number;
  readonly challenger: number;
  /** challenger - champion. */
  readonly difference: number;
  /** Covariance matrix [champion, challenger] of the two areas. */
  readonly covariance: readonly [readonly [number, number], readonly [number, number]];
  /** Standard error of the difference; 0 when both rank every row alike. */
  readonly standardError: number;
  readonly z: number;
  readonly pTwoSided: number;
  readonly positives: number;
  readonly negatives: number;
}

interface Components {
  readonly auc: number;
  readonly ofPositives: Float64Array;
  readonly ofNegatives: Float64Array;
}

/** Numbers of the given rows. */
function pick(values: Float64Array, rows: Uint32Array): Float64Array {
  const picked = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i += 1) picked[i] = values[rows[i] ?? 0] ?? NaN;
  return picked;
}

/** One version's scores and the order of its rows by them. */
interface Ranked {
  readonly scores: ArrayLike<number>;
  readonly order: Uint32Array;
}

const ranked = (scores: ArrayLike<number>, order = ascendingOrder(scores)): Ranked => ({
  scores,
  order,
});

/**
 * Structural components: for each row the share of the other class that it outranks (a negative: that outranks it),
 * a tie being half. One walk up the ordered scores, a tie at a time.
 */
function components(
  labels: ArrayLike<number>,
  { scores, order }: Ranked,
  { positives, negatives }: { readonly positives: Uint32Array; readonly negatives: Uint32Array },
): Components {
  const shares = new Float64Array(labels.length);
  let [positivesBelow, negativesBelow, auc] = [0, 0, 0];
  for (let start = 0; start < order.length;) {
    const score = scores[order[start] ?? 0];
    let end = start;
    let positivesTied = 0;
    while (end < order.length && scores[order[end] ?? 0] === score) {
      if (labels[order[end] ?? 0] === 1) positivesTied += 1;
      end += 1;
    }
    const negativesTied = end - start - positivesTied;
    const ofPositive = (negativesBelow + negativesTied / 2) / negatives.length;
    const ofNegative = 1 - (positivesBelow + positivesTied / 2) / positives.length;
    for (let i = start; i < end; i += 1) {
      const row = order[i] ?? 0;
      shares[row] = labels[row] === 1 ? ofPositive : ofNegative;
    }
    auc += positivesTied * ofPositive;
    positivesBelow += positivesTied;
    negativesBelow += negativesTied;
    start = end;
  }
  return {
    auc: auc / positives.length,
    ofPositives: pick(shares, positives),
    ofNegatives: pick(shares, negatives),
  };
}

/** Sample covariance with n - 1 in the denominator. */
function covariance(a: Float64Array, b: Float64Array): number {
  if (a.length < 2) return 0;
  let meanA = 0;
  let meanB = 0;
  for (let i = 0; i < a.length; i += 1) {
    meanA += (a[i] ?? 0) / a.length;
    meanB += (b[i] ?? 0) / a.length;
  }
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += ((a[i] ?? 0) - meanA) * ((b[i] ?? 0) - meanB);
  return sum / (a.length - 1);
}

/** Row numbers by class. */
function rowsByClass(labels: ArrayLike<number>) {
  let count = 0;
  for (let row = 0; row < labels.length; row += 1) if (labels[row] === 1) count += 1;
  const positives = new Uint32Array(count);
  const negatives = new Uint32Array(labels.length - count);
  let [p, n] = [0, 0];
  for (let row = 0; row < labels.length; row += 1) {
    if (labels[row] === 1) positives[p++] = row;
    else negatives[n++] = row;
  }
  return { positives, negatives };
}

/**
 * Paired comparison of two scores on the same rows. Labels are 0 or 1. When a class is absent the
 * areas are NaN: the caller reports that the comparison cannot be measured. Other lengths and a NaN are a RangeError. Ascending orders of the scores
 * that are known already save their sorting.
 */
export function pairedAuc(
  labels: ArrayLike<number>,
  champion: ArrayLike<number>,
  challenger: ArrayLike<number>,
  orders: { readonly champion?: Uint32Array; readonly challenger?: Uint32Array } = {},
): PairedAuc {
  for (const scores of [champion, challenger]) {
    requireSameLength(labels, scores);
    requireNumbers(scores);
  }
  const rows = rowsByClass(labels);
  const { positives, negatives } = rows;
  const a = components(labels, ranked(champion, orders.champion), rows);
  const b = components(labels, ranked(challenger, orders.challenger), rows);
  const cell = (x: Components, y: Components): number =>
    covariance(x.ofPositives, y.ofPositives) / positives.length +
    covariance(x.ofNegatives, y.ofNegatives) / negatives.length;
  const [aa, ab, bb] = [cell(a, a), cell(a, b), cell(b, b)];
  const difference = b.auc - a.auc;
  const standardError = Math.sqrt(Math.max(0, aa + bb - 2 * ab));
  const z = standardError === 0 ? signedInfinity(difference) : difference / standardError;
  return {
    champion: a.auc,
    challenger: b.auc,
    difference,
    covariance: [
      [aa, ab],
      [ab, bb],
    ],
    standardError,
    z,
    pTwoSided: Math.min(1, 2 * normalUpper(Math.abs(z))),
    positives: positives.length,
    negatives: negatives.length,
  };
}

/** The z-score of a difference without any uncertainty: 0 for none, else infinite with its sign. */
function signedInfinity(difference: number): number {
  return difference === 0 ? 0 : difference * Infinity;
}

/** One-sided p-value that the true difference is at most `-margin` (margin in units of the metric). */
export function nonInferiorityPValue(
  difference: number,
  standardError: number,
  margin: number,
): number {
  if (standardError === 0) return normalUpper(signedInfinity(difference + margin));
  return normalUpper((difference + margin) / standardError);
}

/** Two-sided normal confidence interval of a difference. */
export function normalInterval(
  estimate: number,
  standardError: number,
  level: number,
): readonly [number, number] {
  const z = normalQuantile(1 - (1 - level) / 2);
  return [estimate - z * standardError, estimate + z * standardError];
}
