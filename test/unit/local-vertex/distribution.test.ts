import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bucketOf,
  distribution,
  latencyBounds,
} from "../../../infra/local/vertex/serving/distribution.js";

describe("a latency distribution", () => {
  it("has rising bounds", () => {
    const sorted = latencyBounds.toSorted((left, right) => left - right);
    expect(latencyBounds).toEqual(sorted);
    expect(new Set(latencyBounds).size).toBe(latencyBounds.length);
  });

  it("puts a value where its bounds say, also on a bound", () => {
    const check = (ms: number): void => {
      const bucket = bucketOf(ms);
      expect(ms).toBeGreaterThanOrEqual(latencyBounds[bucket - 1] ?? -Infinity);
      expect(ms).toBeLessThan(latencyBounds[bucket] ?? Infinity);
    };
    for (const bound of latencyBounds) check(bound);
    fc.assert(fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), check));
  });

  it("keeps count, mean and deviation, and starts again after it was taken", () => {
    const values = [1, 2, 3, 10];
    const collected = distribution();
    for (const value of values) collected.add(value);
    const taken = collected.take();
    expect(taken?.count).toBe(4);
    expect(taken?.mean).toBeCloseTo(4);
    expect(taken?.sumOfSquaredDeviation).toBeCloseTo(9 + 4 + 1 + 36);
    expect(taken?.bucketCounts.reduce((sum, count) => sum + count, 0)).toBe(4);
    expect(collected.take()).toBeUndefined();
  });
});
