import { describe, expect, it } from "vitest";
import {
  categoricalDistribution,
  columnDrift,
  distributionEdges,
  numericDistribution,
} from "../../../shared/statistics/drift.js";
import {
  chebyshevDistance,
  jensenShannonDivergence,
} from "../../../shared/statistics/divergence.js";
import {
  histogram,
  histogramDivergence,
  mergeHistograms,
} from "../../../shared/statistics/histogram.js";
import {
  jensenShannonNullQuantile,
  nullQuantile,
  stabilityNullQuantile,
} from "../../../shared/statistics/null-quantile.js";
import { normalDraw, seededRandom } from "../../../shared/statistics/random.js";
import { populationStabilityIndex } from "../../../shared/statistics/divergence.js";

const normals = (count: number, seed: number, mean = 0): Float64Array => {
  const random = seededRandom(seed);
  return Float64Array.from({ length: count }, () => mean + normalDraw(random));
};

describe("numeric drift", () => {
  const reference = normals(20_000, 1);
  const edges = distributionEdges(reference.toSorted());
  const before = numericDistribution(reference, edges);

  it("stays below its null quantile when nothing has changed", () => {
    const drift = columnDrift(before, numericDistribution(normals(5000, 2), edges));
    expect(drift.statistic).toBe("jensen-shannon-divergence");
    expect(drift.value).toBeLessThan(drift.nullQuantile);
  });

  it("rises above it after a shift of a tenth of a standard deviation", () => {
    const drift = columnDrift(before, numericDistribution(normals(5000, 3, 0.1), edges));
    expect(drift.value).toBeGreaterThan(drift.nullQuantile);
    expect(drift.value).toBeLessThan(0.05);
  });

  it("counts missing values as a category of their own on both sides", () => {
    const withMissing = Float64Array.from(reference, (value, i) => (i % 2 === 0 ? NaN : value));
    const drift = columnDrift(before, numericDistribution(withMissing, edges));
    expect(drift.value).toBeGreaterThan(0.25);
    const same = columnDrift(
      numericDistribution(withMissing, edges),
      numericDistribution(withMissing, edges),
    );
    expect(same.value).toBe(0);
  });

  it("puts edges between few distinct values and none in a constant column", () => {
    expect(distributionEdges(Float64Array.of(1, 1, 2, 4))).toEqual([1.5, 3]);
    expect(distributionEdges(Float64Array.of(7, 7))).toEqual([]);
    expect(distributionEdges(new Float64Array())).toEqual([]);
  });

  it("refuses distributions over different edges", () => {
    expect(() => columnDrift(before, numericDistribution(reference, [0]))).toThrow(RangeError);
  });
});

describe("categorical drift", () => {
  it("is the largest change of a share, new categories included", () => {
    const before = categoricalDistribution(["a", "a", "b", "b"]);
    const after = categoricalDistribution(["a", "c", "c", undefined]);
    expect(columnDrift(before, after)).toMatchObject({ statistic: "l-infinity", value: 0.5 });
  });

  it("keeps hostile names apart", () => {
    const before = categoricalDistribution(["__proto__", "constructor"]);
    expect(columnDrift(before, before).value).toBe(0);
  });
});

describe("null quantiles", () => {
  const shares = [0.3, 0.25, 0.2, 0.15, 0.1];
  const [a, b] = [shares.map((share) => 4000 * share), shares.map((share) => 1000 * share)];

  it("of the simulation and of the large-sample formula agree to 15 %", () => {
    const simulated = nullQuantile(a, b, jensenShannonDivergence, { repetitions: 4000 });
    const formula = jensenShannonNullQuantile(4000, 1000, 5);
    expect(Math.abs(simulated / formula - 1)).toBeLessThan(0.15);
    const stability = nullQuantile(a, b, populationStabilityIndex, { repetitions: 4000 });
    expect(Math.abs(stability / stabilityNullQuantile(4000, 1000, 5) - 1)).toBeLessThan(0.15);
  });

  it("are the same for the same seed and shrink with the sample", () => {
    const small = nullQuantile(a, b, chebyshevDistance);
    expect(nullQuantile(a, b, chebyshevDistance)).toBe(small);
    const large = nullQuantile(
      a.map((count) => 100 * count),
      b.map((count) => 100 * count),
      chebyshevDistance,
    );
    expect(large).toBeLessThan(small / 5);
  });
});

describe("histograms", () => {
  it("merged equal the histogram of all values", () => {
    const edges = [-1, 0, 1];
    const [a, b] = [normals(500, 4), normals(700, 5)];
    const all = histogram([...a, ...b], edges);
    expect(mergeHistograms(histogram(a, edges), histogram(b, edges))).toEqual(all);
  });

  it("keep point masses and infinities apart from intervals", () => {
    const point = { buckets: [{ low: 1, high: 1, count: 10 }], missing: 0 };
    const interval = { buckets: [{ low: 0, high: 2, count: 10 }], missing: 0 };
    expect(histogramDivergence(point, interval)).toBe(1);
    expect(histogramDivergence(point, point)).toBe(0);
    const open = histogram([-5, 0.5, 9], [0, 1]);
    expect(open.buckets.map(({ count }) => count)).toEqual([1, 1, 1]);
  });
});
