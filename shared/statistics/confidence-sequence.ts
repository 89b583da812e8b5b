/**
 * Asymptotic confidence sequences: intervals for a mean that hold at every look at once
 * (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, "Time-uniform central limit theory").
 */
import { requireFinite } from "./input.js";

/** Two-sided radius after t observations (or batches) with this standard deviation. */
export function confidenceSequenceRadius(
  t: number,
  standardDeviation: number,
  options: { readonly rho: number; readonly alpha: number },
): number {
  const { rho, alpha } = options;
  const scaled = t * rho * rho + 1;
  const inside = ((2 * scaled) / (t * t * rho * rho)) * Math.log(Math.sqrt(scaled) / alpha);
  return standardDeviation * Math.sqrt(inside);
}

/** One-sided radius: the mean stays above estimate - radius with probability 1 - alpha. */
function oneSidedSequenceRadius(
  t: number,
  standardDeviation: number,
  options: { readonly rho: number; readonly alpha: number },
): number {
  const { rho, alpha } = options;
  const scaled = t * rho * rho + 1;
  const inside = ((2 * scaled) / (t * rho) ** 2) * Math.log(1 + Math.sqrt(scaled) / (2 * alpha));
  return standardDeviation * Math.sqrt(inside);
}

/** Lower confidence sequence of the mean of batches; -Infinity while fewer than two are there. */
export function lowerConfidenceSequence(
  batches: readonly number[],
  options: { readonly rho: number; readonly alpha: number },
): number {
  requireFinite(batches);
  const t = batches.length;
  if (t < 2) return -Infinity;
  const mean = batches.reduce((sum, value) => sum + value, 0) / t;
  const variance = batches.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (t - 1);
  return mean - oneSidedSequenceRadius(t, Math.sqrt(variance), options);
}
