/** Seeded pseudo-random numbers: the same seed gives the same stream on every machine. */

/** A stream of uniform numbers in [0, 1) with 32 bits of resolution. */
export type Random = () => number;

/** Mulberry32: one 32-bit word of state; enough for simulation, never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** One standard normal number (Box and Muller, the cosine branch). */
export function normalDraw(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}

/**
 * One binomial count: waiting times between successes while n p < 30 (exact), otherwise the rounded normal
 * approximation, whose error is far below the simulation error of the callers.
 */
export function binomialDraw(random: Random, n: number, p: number): number {
  if (n <= 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomialDraw(random, n, 1 - p);
  if (n * p >= 30) {
    const draw = Math.round(n * p + Math.sqrt(n * p * (1 - p)) * normalDraw(random));
    return Math.min(n, Math.max(0, draw));
  }
  const logFailure = Math.log1p(-p);
  let successes = 0;
  let position = 0;
  while (successes <= n) {
    position += Math.floor(Math.log(1 - random()) / logFailure) + 1;
    if (position > n) break;
    successes += 1;
  }
  return successes;
}

/** Multinomial counts of n draws over the probabilities, by conditional binomials. */
export function multinomialDraw(
  random: Random,
  n: number,
  probabilities: ArrayLike<number>,
): Float64Array {
  const counts = new Float64Array(probabilities.length);
  let left = n;
  let mass = 1;
  for (let i = 0; i < probabilities.length && left > 0; i += 1) {
    const p = probabilities[i] ?? 0;
    const isLast = i === probabilities.length - 1;
    const count = isLast
      ? left
      : binomialDraw(random, left, Math.min(1, p / Math.max(mass, 1e-300)));
    counts[i] = count;
    left -= count;
    mass -= p;
  }
  return counts;
}
