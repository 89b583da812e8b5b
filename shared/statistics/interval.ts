/** Confidence intervals of a proportion: x successes of n, two-sided level such as 0.95. */
import { normalQuantile } from "./distributions.js";
import { betaQuantile } from "./special.js";

/** Wilson's score interval. */
export function wilsonInterval(x: number, n: number, level: number): readonly [number, number] {
  if (n === 0) return [0, 1];
  const z = normalQuantile(1 - (1 - level) / 2);
  const p = x / n;
  const scale = 1 + (z * z) / n;
  const centre = (p + (z * z) / (2 * n)) / scale;
  const radius = (z / scale) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [centre - radius, centre + radius];
}

/** Clopper and Pearson's exact interval. */
export function clopperPearsonInterval(
  x: number,
  n: number,
  level: number,
): readonly [number, number] {
  const tail = (1 - level) / 2;
  return [
    x === 0 ? 0 : betaQuantile(tail, x, n - x + 1),
    x === n ? 1 : betaQuantile(1 - tail, x + 1, n - x),
  ];
}
