/** Corrections for testing many hypotheses at once; p-values in, adjusted p-values out, same order. NaN is a RangeError. */
import { requireNumbers } from "./input.js";

/** Applies a step over p-values sorted ascending and puts the results back in order. */
function inOrder(
  pValues: readonly number[],
  adjust: (sorted: readonly number[]) => readonly number[],
): readonly number[] {
  requireNumbers(pValues);
  const order = pValues.map((_, i) => i).toSorted((a, b) => (pValues[a] ?? 0) - (pValues[b] ?? 0));
  const adjusted = adjust(order.map((i) => pValues[i] ?? 1));
  const result = pValues.map(() => 1);
  for (const [rank, i] of order.entries()) result[i] = adjusted[rank] ?? 1;
  return result;
}

/** Running minimum from the largest p-value down, at most 1. */
const stepUp = (values: readonly number[]): readonly number[] =>
  values.reduceRight<readonly number[]>(
    (done, value) => [Math.min(1, value, done[0] ?? 1), ...done],
    [],
  );

/** Running maximum from the smallest p-value up, at most 1. */
const stepDown = (values: readonly number[]): readonly number[] =>
  values.reduce<readonly number[]>(
    (done, value) => [...done, Math.min(1, Math.max(value, done.at(-1) ?? 0))],
    [],
  );

/** Benjamini and Hochberg (1995): controls the false discovery rate. */
export function benjaminiHochberg(pValues: readonly number[]): readonly number[] {
  const m = pValues.length;
  return inOrder(pValues, (sorted) => stepUp(sorted.map((p, i) => (p * m) / (i + 1))));
}

/** Benjamini and Yekutieli (2001): the same under any dependence. */
export function benjaminiYekutieli(pValues: readonly number[]): readonly number[] {
  const m = pValues.length;
  const harmonic = pValues.reduce((sum, _, i) => sum + 1 / (i + 1), 0);
  return inOrder(pValues, (sorted) => stepUp(sorted.map((p, i) => (p * m * harmonic) / (i + 1))));
}

/** Holm (1979): controls the chance of any false rejection. */
export function holm(pValues: readonly number[]): readonly number[] {
  const m = pValues.length;
  return inOrder(pValues, (sorted) => stepDown(sorted.map((p, i) => p * (m - i))));
}
