/** Paired bootstrap: both versions keep the same resampled rows, drawn within strata, by a seeded stream. */
import { quantilesOfSorted } from "./histogram.js";
import { seededRandom } from "./random.js";

/** The bootstrap distribution of a statistic, summed up. */
export interface Bootstrap {
  readonly standardError: number;
  /** Percentile interval. */
  readonly interval: readonly [number, number];
  readonly repetitions: number;
}

/** Rows of each stratum. */
function strataOf(labels: ArrayLike<number>): readonly Uint32Array[] {
  const rows = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i += 1) {
    const label = labels[i] ?? 0;
    const known = rows.get(label);
    if (known === undefined) rows.set(label, [i]);
    else known.push(i);
  }
  return [...rows.values()].map((list) => Uint32Array.from(list));
}

/**
 * Bootstrap of a statistic of weighted rows: a weight says how often a row was drawn. `strata` holds each row's
 * stratum, whose size every resample keeps. O(repetitions * n) besides the statistic's own cost.
 */
export function bootstrap(
  strata: ArrayLike<number>,
  statistic: (weights: Float64Array) => number,
  options: { readonly repetitions?: number; readonly seed?: number; readonly level?: number } = {},
): Bootstrap {
  const { repetitions = 500, seed = 1, level = 0.95 } = options;
  const groups = strataOf(strata);
  const random = seededRandom(seed);
  const weights = new Float64Array(strata.length);
  const values = Float64Array.from({ length: repetitions }, () => {
    weights.fill(0);
    for (const rows of groups) {
      for (let i = 0; i < rows.length; i += 1) {
        const row = rows[Math.floor(random() * rows.length)] ?? 0;
        weights[row] = (weights[row] ?? 0) + 1;
      }
    }
    return statistic(weights);
  }).toSorted();
  const mean = values.reduce((sum, value) => sum + value, 0) / repetitions;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const tail = (1 - level) / 2;
  const [low = NaN, high = NaN] = quantilesOfSorted(values, [tail, 1 - tail]);
  return {
    standardError: Math.sqrt(squares / (repetitions - 1)),
    interval: [low, high],
    repetitions,
  };
}
