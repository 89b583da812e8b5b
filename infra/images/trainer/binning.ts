/** Puts feature values into at most 255 bins, so that trees are grown on counts. */

/** A feature ready for tree growing: one byte per row. */
export interface BinnedFeature {
  readonly type: "numeric" | "categorical";
  readonly bins: Uint8Array;
  /** Bins in use; `missingBin` is one of them and the last. */
  readonly binCount: number;
  readonly missingBin: number;
  /** Numeric: bin b holds values <= edges[b]; the last bin has no edge. */
  readonly edges: Float64Array;
}

/** Most rows that decide the edges; more would change them by less than a bin's width. */
const sampleRowsMax = 200_000;

/**
 * Edges between bins as scikit-learn's _BinMapper makes them: midpoints of the distinct values when they
 * are few, else midpoint percentiles. Rows beyond the limit are thinned evenly.
 */
function numericEdges(values: Float64Array, binsMax: number): Float64Array {
  const present = values.filter((value) => !Number.isNaN(value));
  const step = Math.max(1, Math.ceil(present.length / sampleRowsMax));
  const sorted = (step === 1 ? present : present.filter((_, i) => i % step === 0)).toSorted();
  const distinct = sorted.filter((value, i) => i === 0 || value !== sorted[i - 1]);
  if (distinct.length <= binsMax) {
    return Float64Array.from({ length: Math.max(0, distinct.length - 1) }, (_, i) => {
      const [low, high] = [distinct[i] ?? 0, distinct[i + 1] ?? 0];
      return low + (high - low) / 2;
    });
  }
  const edges = Float64Array.from({ length: binsMax - 1 }, (_, i) => {
    const position = ((i + 1) / binsMax) * (sorted.length - 1);
    const [low, high] = [Math.floor(position), Math.ceil(position)];
    return ((sorted[low] ?? 0) + (sorted[high] ?? 0)) / 2;
  });
  return edges.filter((edge, i) => i === 0 || edge !== edges[i - 1]);
}

/** First edge that is at least the value: the value's bin. */
function binOf(edges: Float64Array, value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edges[middle] ?? Infinity) >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Bins a numeric feature; NaN goes to a bin of its own. */
export function binNumeric(values: Float64Array, binsMax: number): BinnedFeature {
  const edges = numericEdges(values, binsMax);
  const missingBin = edges.length + 1;
  const bins = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? NaN;
    bins[i] = Number.isNaN(value) ? missingBin : binOf(edges, value);
  }
  return { type: "numeric", bins, binCount: missingBin + 1, missingBin, edges };
}

/** Bins category codes, which are already below the limit; NaN (unknown or missing) goes to the last bin. */
export function binCategorical(codes: Float64Array, categories: number): BinnedFeature {
  const bins = Uint8Array.from(codes, (code) => (Number.isNaN(code) ? categories : code));
  return {
    type: "categorical",
    bins,
    binCount: categories + 1,
    missingBin: categories,
    edges: new Float64Array(),
  };
}
