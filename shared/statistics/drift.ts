/**
 * Drift of one column against a reference, as Vertex AI measures it: Jensen-Shannon divergence for
 * numbers, L-infinity for categories, with the quantile that the value reaches without any drift.
 */
import {
  chebyshevDistance,
  jensenShannonDivergence,
  populationStabilityIndex,
} from "./divergence.js";
import { countByEdges, quantilesOfSorted } from "./histogram.js";
import { nullQuantile, type Distance } from "./null-quantile.js";

/** Counts of numbers: below the first edge, between the edges, at or above the last; then missing. */
export interface NumericDistribution {
  readonly type: "numeric";
  readonly edges: readonly number[];
  readonly counts: readonly number[];
  readonly missing: number;
}

/** Counts of the known categories, all others together, and missing. */
export interface CategoricalDistribution {
  readonly type: "categorical";
  readonly counts: Readonly<Record<string, number>>;
  readonly other: number;
  readonly missing: number;
}

/** How the values of a column are spread. */
export type ColumnDistribution = NumericDistribution | CategoricalDistribution;

/** A drift value with what it takes to judge it. */
export interface Drift {
  readonly statistic: "jensen-shannon-divergence" | "l-infinity";
  /** Bits for the divergence, a share for L-infinity; both between 0 and 1. */
  readonly value: number;
  /** The 99 % quantile of the value for these sample sizes when nothing has changed. */
  readonly nullQuantile: number;
  /** Population stability index in nats, empty cells at 1e-4. */
  readonly stability: number;
}

const discreteValuesMax = 64;

/**
 * Edges for a numeric distribution: between the values when there are few distinct ones, else at
 * equally spaced quantiles. `sorted` is ascending and holds no NaN; constant columns get no edge.
 */
export function distributionEdges(sorted: ArrayLike<number>, bins = 20): readonly number[] {
  const distinct: number[] = [];
  for (let i = 0; i < sorted.length && distinct.length <= discreteValuesMax; i += 1) {
    const value = sorted[i] ?? 0;
    if (i === 0 || value !== sorted[i - 1]) distinct.push(value);
  }
  if (distinct.length <= discreteValuesMax) {
    return distinct.slice(1).map((value, i) => (value + (distinct[i] ?? value)) / 2);
  }
  const probabilities = Array.from({ length: bins - 1 }, (_, i) => (i + 1) / bins);
  return [...new Set(quantilesOfSorted(sorted, probabilities))];
}

/** Distribution of numbers (NaN = missing) over given edges. */
export function numericDistribution(
  values: ArrayLike<number>,
  edges: readonly number[],
): NumericDistribution {
  const { counts, missing } = countByEdges(values, edges);
  return { type: "numeric", edges, counts: [...counts], missing };
}

/**
 * Distribution of text; undefined is missing. `known` keeps only these categories apart (a
 * reference's), else the `categoriesMax` most frequent ones.
 */
export function categoricalDistribution(
  values: Iterable<string | undefined>,
  options: { readonly known?: readonly string[]; readonly categoriesMax?: number } = {},
): CategoricalDistribution {
  const counts = new Map<string, number>();
  let missing = 0;
  for (const value of values) {
    if (value === undefined) missing += 1;
    else counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const frequent = [...counts.keys()].toSorted(
    (a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0) || (a < b ? -1 : 1),
  );
  const kept = options.known ?? frequent.slice(0, options.categoriesMax ?? 1000);
  const keptCounts = kept.map((category) => [category, counts.get(category) ?? 0] as const);
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const keptTotal = keptCounts.reduce((sum, [, count]) => sum + count, 0);
  return {
    type: "categorical",
    counts: Object.fromEntries(keptCounts),
    other: all - keptTotal,
    missing,
  };
}

/** Both sides as counts over the same cells, missing being one of them. */
function cells(
  reference: ColumnDistribution,
  current: ColumnDistribution,
): { readonly a: readonly number[]; readonly b: readonly number[] } {
  if (reference.type === "numeric" && current.type === "numeric") {
    if (reference.edges.join() !== current.edges.join()) {
      throw new RangeError("numeric drift needs both sides counted over the reference's edges");
    }
    return {
      a: [...reference.counts, reference.missing],
      b: [...current.counts, current.missing],
    };
  }
  if (reference.type === "numeric" || current.type === "numeric") {
    throw new RangeError("a numeric and a categorical distribution cannot be compared");
  }
  const known = new Map(Object.entries(reference.counts));
  const seen = new Map(Object.entries(current.counts));
  const names = [...new Set([...known.keys(), ...seen.keys()])];
  return {
    a: [...names.map((name) => known.get(name) ?? 0), reference.other, reference.missing],
    b: [...names.map((name) => seen.get(name) ?? 0), current.other, current.missing],
  };
}

/** Drift of `current` against `reference`; numeric sides must share the reference's edges. */
export function columnDrift(reference: ColumnDistribution, current: ColumnDistribution): Drift {
  const { a, b } = cells(reference, current);
  const isNumeric = reference.type === "numeric";
  const distance: Distance = isNumeric ? jensenShannonDivergence : chebyshevDistance;
  return {
    statistic: isNumeric ? "jensen-shannon-divergence" : "l-infinity",
    value: distance(a, b),
    nullQuantile: nullQuantile(a, b, distance),
    stability: populationStabilityIndex(a, b),
  };
}
