/**
 * DeLong, DeLong and Clarke-Pearson (1988): comparing the areas under two correlated ROC curves;
 * structural components through midranks as in Sun and Xu (2014), O(n log n).
 */
import { midranks } from "./ordering.js";
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

/** Structural components: for each row the share of the other class that it outranks. */
function components(
  scores: ArrayLike<number>,
  positives: Uint32Array,
  negatives: Uint32Array,
): Components {
  const pick = (rows: Uint32Array): Float64Array =>
    Float64Array.from(rows, (row) => scores[row] ?? 0);
  const all = midranks(scores);
  const within = { positives: midranks(pick(positives)), negatives: midranks(pick(negatives)) };
  const ofPositives = new Float64Array(positives.length);
  const ofNegatives = new Float64Array(negatives.length);
  let auc = 0;
  for (let i = 0; i < positives.length; i += 1) {
    const share = ((all[positives[i] ?? 0] ?? 0) - (within.positives[i] ?? 0)) / negatives.length;
    ofPositives[i] = share;
    auc += share;
  }
  for (let i = 0; i < negatives.length; i += 1) {
    const rank = (all[negatives[i] ?? 0] ?? 0) - (within.negatives[i] ?? 0);
    ofNegatives[i] = 1 - rank / positives.length;
  }
  return { auc: auc / positives.length, ofPositives, ofNegatives };
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

/**
 * Paired comparison of two scores on the same rows. Labels are 0 or 1. When a class is absent the
 * areas are NaN: the caller reports that the comparison cannot be measured.
 */
export function pairedAuc(
  labels: ArrayLike<number>,
  champion: ArrayLike<number>,
  challenger: ArrayLike<number>,
): PairedAuc {
  const rows = Uint32Array.from({ length: labels.length }, (_, i) => i);
  const positives = rows.filter((row) => labels[row] === 1);
  const negatives = rows.filter((row) => labels[row] !== 1);
  const a = components(champion, positives, negatives);
  const b = components(challenger, positives, negatives);
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
