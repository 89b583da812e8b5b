/**
 * Summaries of streams that can be merged: the merge of two parts is the summary of the whole. All are plain data, O(1) to
 * update, and independent of the order of the values up to rounding.
 */

/** Number, mean and sum of squared deviations (Chan, Golub and LeVeque 1983); values must be finite. */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
}

/** Moments of values; NaN (missing) is left out, an infinite value is a RangeError. */
export function momentsOf(values: ArrayLike<number>): Moments {
  let [count, mean, squares] = [0, 0, 0];
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? NaN;
    if (Number.isNaN(value)) continue;
    if (!Number.isFinite(value)) throw new RangeError(`value ${i} is ${value}: it has no mean`);
    count += 1;
    const delta = value - mean;
    mean += delta / count;
    squares += delta * (value - mean);
  }
  return { count, mean, squares };
}

/** Moments of both parts together. */
export function mergeMoments(a: Moments, b: Moments): Moments {
  const count = a.count + b.count;
  if (count === 0) return a;
  const delta = b.mean - a.mean;
  return {
    count,
    mean: a.mean + (delta * b.count) / count,
    squares: a.squares + b.squares + (delta ** 2 * a.count * b.count) / count,
  };
}

/**
 * A quantile sketch with logarithmic buckets (DDSketch, Masson, Rim and Lee 2019): every quantile is within the relative
 * `error` of a value of that rank. Buckets hold |x| in (g^(i-1), g^i] with g = (1 + error) / (1 - error).
 */
export interface QuantileSketch {
  readonly error: number;
  readonly positive: ReadonlyMap<number, number>;
  readonly negative: ReadonlyMap<number, number>;
  readonly zeros: number;
  readonly count: number;
}

const growth = (error: number): number => (1 + error) / (1 - error);

/** A sketch of finite values; NaN is left out, an infinite value is a RangeError. */
export function sketchOf(values: ArrayLike<number>, error = 0.01): QuantileSketch {
  if (!(error > 0 && error < 1))
    throw new RangeError(`a relative error of ${error} is not in (0, 1)`);
  const scale = 1 / Math.log(growth(error));
  const positive = new Map<number, number>();
  const negative = new Map<number, number>();
  let [zeros, count] = [0, 0];
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? NaN;
    if (Number.isNaN(value)) continue;
    if (!Number.isFinite(value)) throw new RangeError(`value ${i} is ${value}: it has no bucket`);
    count += 1;
    if (value === 0) {
      zeros += 1;
      continue;
    }
    const side = value > 0 ? positive : negative;
    const bucket = Math.ceil(Math.log(Math.abs(value)) * scale);
    side.set(bucket, (side.get(bucket) ?? 0) + 1);
  }
  return { error, positive, negative, zeros, count };
}

const addCounts = <Key>(
  a: ReadonlyMap<Key, number>,
  b: ReadonlyMap<Key, number>,
): ReadonlyMap<Key, number> => {
  const sum = new Map(a);
  for (const [key, count] of b) sum.set(key, (sum.get(key) ?? 0) + count);
  return sum;
};

/** The sketch of both parts together, exactly; a RangeError when their errors differ. */
export function mergeSketches(a: QuantileSketch, b: QuantileSketch): QuantileSketch {
  if (a.error !== b.error)
    throw new RangeError("sketches of different errors have no common buckets");
  return {
    error: a.error,
    positive: addCounts(a.positive, b.positive),
    negative: addCounts(a.negative, b.negative),
    zeros: a.zeros + b.zeros,
    count: a.count + b.count,
  };
}

/** The quantile at a probability in [0, 1], of rank floor(p (n - 1)); NaN for an empty sketch. */
export function sketchQuantile(sketch: QuantileSketch, probability: number): number {
  const { error, count, zeros } = sketch;
  if (count === 0) return NaN;
  const g = growth(error);
  const middle = (bucket: number): number => (2 * g ** bucket) / (g + 1);
  const rank = Math.floor(probability * (count - 1));
  let seen = 0;
  for (const [bucket, n] of [...sketch.negative].toSorted((a, b) => b[0] - a[0])) {
    seen += n;
    if (seen > rank) return -middle(bucket);
  }
  seen += zeros;
  if (seen > rank) return 0;
  for (const [bucket, n] of [...sketch.positive].toSorted((a, b) => a[0] - b[0])) {
    seen += n;
    if (seen > rank) return middle(bucket);
  }
  return NaN;
}

const registerBits = 12;

/** Spreads the bits of a word over all of it. */
const mix = (word: number): number => {
  let mixed = Math.imul(word ^ (word >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
};

/** A 64-bit hash as two words (FNV-1a steps on two lanes, then mixed). */
function hashOf(text: string): readonly [number, number] {
  let [a, b] = [0x811c9dc5, 0xc2b2ae35];
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 15);
  }
  return [mix(a), mix(b ^ a)];
}

/**
 * Registers of HyperLogLog (Flajolet et al. 2007), 4,096 of them: the number of distinct values with a standard error of
 * 1.04 / 64 = 1.6 %. Merging is the maximum, register by register.
 */
export function distinctRegisters(values: Iterable<string>): Uint8Array {
  const registers = new Uint8Array(2 ** registerBits);
  for (const value of values) {
    const [index, rest] = hashOf(value);
    const register = index >>> (32 - registerBits);
    const rank = Math.clz32(rest) + 1;
    registers[register] = Math.max(registers[register] ?? 0, rank);
  }
  return registers;
}

/** Registers of both parts together. */
export const mergeRegisters = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  a.map((rank, i) => Math.max(rank, b[i] ?? 0));

/** The estimated number of distinct values; small numbers by the empty registers. */
export function distinctCount(registers: Uint8Array): number {
  const size = registers.length;
  let sum = 0;
  let empty = 0;
  for (const rank of registers) {
    sum += 2 ** -rank;
    if (rank === 0) empty += 1;
  }
  const raw = ((0.7213 / (1 + 1.079 / size)) * size * size) / sum;
  return raw <= 2.5 * size && empty > 0 ? size * Math.log(size / empty) : raw;
}

/** Most frequent values of a stream (Misra and Gries 1982): a count is at most `uncertainty` too small, never too large. */
export interface HeavyHitters {
  readonly limit: number;
  readonly counts: ReadonlyMap<string, number>;
  /** At most (number of values) / (limit + 1). */
  readonly uncertainty: number;
}

/** Keeps the `limit` largest counts by taking the next one off all (Agarwal et al. 2013). */
function prune(counts: ReadonlyMap<string, number>, limit: number): Omit<HeavyHitters, "limit"> {
  if (counts.size <= limit) return { counts, uncertainty: 0 };
  const cut = [...counts.values()].toSorted((a, b) => b - a)[limit] ?? 0;
  const kept = [...counts].flatMap(([value, n]) => (n > cut ? [[value, n - cut] as const] : []));
  return { counts: new Map(kept), uncertainty: cut };
}

/** Heavy hitters of values; exact while there are at most `limit` distinct ones. */
export function heavyHitters(values: Iterable<string>, limit = 1000): HeavyHitters {
  let counts = new Map<string, number>();
  let uncertainty = 0;
  for (const value of values) {
    counts.set(value, (counts.get(value) ?? 0) + 1);
    // Pruned at twice the limit, so that a step costs O(1) on average.
    if (counts.size < 2 * limit) continue;
    const pruned = prune(counts, limit);
    counts = new Map(pruned.counts);
    uncertainty += pruned.uncertainty;
  }
  const pruned = prune(counts, limit);
  return { limit, counts: pruned.counts, uncertainty: uncertainty + pruned.uncertainty };
}

/** Heavy hitters of both parts together; the uncertainties add up with what the merge takes off. */
export function mergeHeavyHitters(a: HeavyHitters, b: HeavyHitters): HeavyHitters {
  const limit = Math.min(a.limit, b.limit);
  const pruned = prune(addCounts(a.counts, b.counts), limit);
  return {
    limit,
    counts: pruned.counts,
    uncertainty: a.uncertainty + b.uncertainty + pruned.uncertainty,
  };
}
