/**
 * Distances between two categorical distributions, given as counts over the same cells (any
 * positive totals). An empty side has no distribution: the answer is NaN. Sides of different lengths, and
 * counts that are negative, infinite or NaN, are a RangeError.
 */
import { requireCounts, requireSameLength } from "./input.js";

/** Divides counts by their total. */
export function normalize(counts: ArrayLike<number>): Float64Array {
  requireCounts(counts);
  let total = 0;
  let largest = 0;
  for (let i = 0; i < counts.length; i += 1) {
    total += counts[i] ?? 0;
    largest = Math.max(largest, counts[i] ?? 0);
  }
  // Counts that no double can add up are brought down first.
  if (total === Infinity) {
    return normalize(Float64Array.from(counts, (count) => count / largest));
  }
  return Float64Array.from(counts, (count) => count / total);
}

/** Sums a term over the paired shares of both sides. */
function sumOver(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  term: (p: number, q: number) => number,
): number {
  requireSameLength(a, b);
  const p = normalize(a);
  const q = normalize(b);
  let sum = p.length === 0 ? NaN : 0;
  for (let i = 0; i < p.length; i += 1) sum += term(p[i] ?? 0, q[i] ?? 0);
  return sum;
}

/** Jensen-Shannon divergence in bits, between 0 and 1 (its square root is scipy's distance). */
export function jensenShannonDivergence(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const bits = sumOver(a, b, (p, q) => {
    const middle = (p + q) / 2;
    const fromP = p === 0 ? 0 : p * Math.log2(p / middle);
    const fromQ = q === 0 ? 0 : q * Math.log2(q / middle);
    return (fromP + fromQ) / 2;
  });
  return Number.isNaN(bits) ? NaN : Math.min(1, Math.max(0, bits));
}

/** L-infinity distance: the largest difference of a share, between 0 and 1. */
export function chebyshevDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  requireSameLength(a, b);
  const p = normalize(a);
  const q = normalize(b);
  let largest = p.length === 0 ? NaN : 0;
  for (let i = 0; i < p.length; i += 1) {
    const distance = Math.abs((p[i] ?? 0) - (q[i] ?? 0));
    if (Number.isNaN(distance)) return NaN;
    if (distance > largest) largest = distance;
  }
  return largest;
}

/** Total variation distance, between 0 and 1. */
export function totalVariation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return sumOver(a, b, (p, q) => Math.abs(p - q)) / 2;
}

/** Hellinger distance, between 0 and 1. */
export function hellingerDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.sqrt(sumOver(a, b, (p, q) => (Math.sqrt(p) - Math.sqrt(q)) ** 2) / 2);
}

/**
 * Population stability index in nats, symmetric in its sides. Empty cells get the share `epsilon` after
 * normalisation, without normalising again; state the epsilon beside the number.
 */
export function populationStabilityIndex(
  reference: ArrayLike<number>,
  current: ArrayLike<number>,
  epsilon = 1e-4,
): number {
  return sumOver(reference, current, (share, other) => {
    const p = share === 0 ? epsilon : share;
    const q = other === 0 ? epsilon : other;
    return (q - p) * Math.log(q / p);
  });
}
