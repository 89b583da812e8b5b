import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  chebyshevDistance,
  hellingerDistance,
  jensenShannonDivergence,
  populationStabilityIndex,
  totalVariation,
} from "../../../shared/statistics/divergence.js";
import { histogram, mergeHistograms } from "../../../shared/statistics/histogram.js";
import { benjaminiHochberg, holm } from "../../../shared/statistics/multiplicity.js";
import { pairedPower } from "../../../shared/statistics/power.js";
import { seededRandom } from "../../../shared/statistics/random.js";
import {
  distinctCount,
  distinctRegisters,
  heavyHitters,
  mergeHeavyHitters,
  mergeMoments,
  mergeRegisters,
  mergeSketches,
  momentsOf,
  sketchOf,
  sketchQuantile,
} from "../../../shared/statistics/sketches.js";
import {
  kolmogorovSmirnov,
  mannWhitney,
  meanAndVariance,
  wassersteinDistance,
} from "../../../shared/statistics/two-sample.js";

const runs = { numRuns: 100, seed: 7 };
const counts = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 3, maxLength: 12 });
const pair = fc.tuple(counts, counts).map(([a, b]) => {
  const size = Math.min(a.length, b.length);
  return [
    [...a.slice(0, size), 1],
    [...b.slice(0, size), 1],
  ] as const;
});
const numbers = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), {
  minLength: 2,
  maxLength: 60,
});

describe("distances of distributions", () => {
  const distances = {
    jensenShannonDivergence,
    chebyshevDistance,
    totalVariation,
    hellingerDistance,
    populationStabilityIndex,
  };
  it.each(Object.entries(distances))(
    "%s: symmetric, never negative, 0 for itself",
    (_name, distance) => {
      fc.assert(
        fc.property(pair, ([a, b]) => {
          expect(distance(a, b)).toBeCloseTo(distance(b, a), 10);
          expect(distance(a, b)).toBeGreaterThanOrEqual(0);
          expect(distance(a, a)).toBeCloseTo(0, 12);
          const scaled = b.map((count) => 3 * count);
          expect(distance(a, scaled)).toBeCloseTo(distance(a, b), 10);
        }),
        runs,
      );
    },
  );

  it("keep their order: L-infinity <= total variation, squared Hellinger <= variation, and JSD <= PSI / (4 ln 2)", () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(chebyshevDistance(a, b)).toBeLessThanOrEqual(totalVariation(a, b) + 1e-12);
        expect(hellingerDistance(a, b) ** 2).toBeLessThanOrEqual(totalVariation(a, b) + 1e-12);
        expect(jensenShannonDivergence(a, b)).toBeLessThanOrEqual(1);
        const filled = [a, b].map((side) => side.map((count) => count + 1));
        const [p = [], q = []] = filled;
        expect(jensenShannonDivergence(p, q)).toBeLessThanOrEqual(
          populationStabilityIndex(p, q) / (4 * Math.LN2) + 1e-12,
        );
      }),
      runs,
    );
  });
});

describe("tests of two samples", () => {
  it("are symmetric, bounded and blind to the order of the values", () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const [one, other] = [kolmogorovSmirnov(a, b), kolmogorovSmirnov(b.toReversed(), a)];
        expect(one.statistic).toBeCloseTo(other.statistic, 12);
        expect(one.pExact ?? 0).toBeCloseTo(other.pExact ?? 1, 9);
        expect(one.pExact).toBeGreaterThanOrEqual(0);
        expect(one.pExact).toBeLessThanOrEqual(1 + 1e-12);
        expect(mannWhitney(a, b).effect + mannWhitney(b, a).effect).toBeCloseTo(1, 10);
        const shifted = a.map((value) => value + 5);
        expect(wassersteinDistance(a, shifted)).toBeCloseTo(5, 5);
      }),
      runs,
    );
  });
});

describe("corrections and power", () => {
  const ps = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 });
  it("adjusted p-values are at least the raw ones, keep their order, and Holm is the stricter one", () => {
    fc.assert(
      fc.property(ps, (raw) => {
        const [loose, strict] = [benjaminiHochberg(raw), holm(raw)];
        for (const [i, p] of raw.entries()) {
          expect(loose[i]).toBeGreaterThanOrEqual(p - 1e-15);
          expect(strict[i]).toBeGreaterThanOrEqual((loose[i] ?? 0) - 1e-12);
          const larger = raw.flatMap((other, j) => (p <= other ? [loose[j] ?? 0] : []));
          expect(loose[i]).toBeLessThanOrEqual(Math.min(...larger) + 1e-12);
        }
      }),
      runs,
    );
  });

  it("power grows with the effect and falls with the error", () => {
    const effects = [0, 0.01, 0.02, 0.05].map((effect) => pairedPower(effect, 0.01, 0.05));
    expect(effects).toEqual(effects.toSorted((a, b) => a - b));
    expect(effects[0]).toBeCloseTo(0.05, 12);
    expect(pairedPower(0.02, 0.02, 0.05)).toBeLessThan(pairedPower(0.02, 0.01, 0.05));
  });
});

describe("summaries of parts", () => {
  it("merge into the summary of the whole, in any order", () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const whole = [...a, ...b];
        const { mean, variance } = meanAndVariance(whole);
        const merged = mergeMoments(momentsOf(b), momentsOf(a));
        expect(merged.count).toBe(whole.length);
        expect(Math.abs(merged.mean - mean)).toBeLessThan(1e-9 * Math.max(1, Math.abs(mean)));
        const found = merged.squares / (merged.count - 1);
        expect(Math.abs(found - variance)).toBeLessThan(1e-7 * Math.max(1, variance));
        expect(mergeSketches(sketchOf(a), sketchOf(b))).toEqual(sketchOf(whole));
        const edges = [-1000, 0, 10, 1e5];
        expect(mergeHistograms(histogram(a, edges), histogram(b, edges))).toEqual(
          histogram(whole.toReversed(), edges),
        );
        const [left, right] = [a.map(String), b.map(String)];
        expect(mergeRegisters(distinctRegisters(left), distinctRegisters(right))).toEqual(
          distinctRegisters([...right, ...left]),
        );
      }),
      runs,
    );
  });

  it("a quantile is within its relative error of the value of that rank", () => {
    fc.assert(
      fc.property(numbers, fc.double({ min: 0, max: 1, noNaN: true }), (values, p) => {
        const sorted = values.toSorted((x, y) => x - y);
        const exact = sorted[Math.floor(p * (sorted.length - 1))] ?? NaN;
        const found = sketchQuantile(sketchOf(values, 0.01), p);
        expect(Math.abs(found - exact)).toBeLessThanOrEqual(0.0101 * Math.abs(exact));
      }),
      runs,
    );
  });

  it.each([10, 1000, 50_000])("%d distinct values are counted to four standard errors", (size) => {
    const values = Array.from({ length: 2 * size }, (_, i) => `value ${i % size}`);
    const found = distinctCount(distinctRegisters(values));
    expect(Math.abs(found / size - 1)).toBeLessThan(4 * 0.01625);
  });

  it("frequent values are found with counts that are short by at most the stated uncertainty", () => {
    const random = seededRandom(3);
    const values = Array.from({ length: 30_000 }, () => `v${Math.floor(1 / (random() + 1e-4))}`);
    const exact = new Map<string, number>();
    for (const value of values) exact.set(value, (exact.get(value) ?? 0) + 1);
    const halves = [values.slice(0, 11_000), values.slice(11_000)].map((half) =>
      heavyHitters(half, 50),
    );
    const [first, second] = halves;
    if (first === undefined || second === undefined) throw new Error("two halves");
    for (const found of [heavyHitters(values, 50), mergeHeavyHitters(first, second)]) {
      expect(found.counts.size).toBeLessThanOrEqual(50);
      expect(found.uncertainty).toBeLessThanOrEqual(values.length / 51);
      for (const [value, count] of exact) {
        const told = found.counts.get(value) ?? 0;
        expect(told).toBeLessThanOrEqual(count);
        expect(told).toBeGreaterThanOrEqual(count - found.uncertainty);
      }
    }
  });

  it("empty, one value, missing and infinite: a stated answer or a named error", () => {
    expect(momentsOf([])).toEqual({ count: 0, mean: 0, squares: 0 });
    expect(momentsOf([NaN, 3])).toEqual({ count: 1, mean: 3, squares: 0 });
    expect(() => momentsOf([Infinity])).toThrow(/value 0 is Infinity/);
    expect(() => sketchOf([1, -Infinity])).toThrow(/value 1 is -Infinity/);
    expect(() => sketchOf([1], 0)).toThrow(/not in \(0, 1\)/);
    expect(sketchQuantile(sketchOf([]), 0.5)).toBeNaN();
    expect(() => mergeSketches(sketchOf([1], 0.01), sketchOf([1], 0.02))).toThrow(RangeError);
  });
});
