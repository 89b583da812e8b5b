/** Paired bootstrap: the same resampled rows for both versions, stratified by label, seeded. */
import { quantilesOfSorted } from "./histogram.js";
import { seededRandom } from "./random.js";

/** A metric of labels and scores over the same rows. */
export type Metric = (labels: ArrayLike<number>, scores: ArrayLike<number>) => number;

/** The challenger's metric minus the champion's, with its bootstrap distribution. */
export interface BootstrapDifference {
  readonly difference: number;
  readonly standardError: number;
  readonly interval: readonly [number, number];
  readonly repetitions: number;
}

/** Fills `rows` with a resample of each stratum with replacement. */
function resample(strata: readonly Uint32Array[], rows: Uint32Array, random: () => number): void {
  let position = 0;
  for (const stratum of strata) {
    for (let i = 0; i < stratum.length; i += 1) {
      rows[position] = stratum[Math.floor(random() * stratum.length)] ?? 0;
      position += 1;
    }
  }
}

/** Percentile bootstrap of a paired difference of any metric; labels are 0 or 1. */
export function pairedBootstrap(
  labels: ArrayLike<number>,
  champion: ArrayLike<number>,
  challenger: ArrayLike<number>,
  metric: Metric,
  options: { readonly repetitions?: number; readonly seed?: number; readonly level?: number } = {},
): BootstrapDifference {
  const { repetitions = 500, seed = 1, level = 0.95 } = options;
  const all = Uint32Array.from({ length: labels.length }, (_, i) => i);
  const strata = [0, 1].map((label) => all.filter((row) => (labels[row] === 1 ? 1 : 0) === label));
  const random = seededRandom(seed);
  const rows = new Uint32Array(labels.length);
  const pick = (values: ArrayLike<number>): Float64Array =>
    Float64Array.from(rows, (row) => values[row] ?? 0);
  const differences = Float64Array.from({ length: repetitions }, () => {
    resample(strata, rows, random);
    const picked = pick(labels);
    return metric(picked, pick(challenger)) - metric(picked, pick(champion));
  }).toSorted();
  const mean = differences.reduce((sum, value) => sum + value, 0) / repetitions;
  const squares = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const [low = NaN, high = NaN] = quantilesOfSorted(differences, [
    (1 - level) / 2,
    1 - (1 - level) / 2,
  ]);
  return {
    difference: metric(labels, challenger) - metric(labels, champion),
    standardError: Math.sqrt(squares / (repetitions - 1)),
    interval: [low, high],
    repetitions,
  };
}
