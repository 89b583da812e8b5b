import { describe, expect, it } from "vitest";
import { commonBounds, countingWithin, finiteBounds } from "../../../shared/gcp/distributions.js";

const explicit = (bounds: readonly number[], bucketCounts: readonly number[]) => ({
  count: bucketCounts.reduce((sum, count) => sum + count, 0),
  bucketOptions: { explicitBuckets: { bounds: [...bounds] } },
  bucketCounts: [...bucketCounts],
});

describe("bounds of a distribution", () => {
  it("are computed as Cloud Monitoring defines them", () => {
    expect(finiteBounds({ explicitBuckets: { bounds: [1, 5] } })).toEqual([1, 5]);
    expect(
      finiteBounds({ exponentialBuckets: { numFiniteBuckets: 3, growthFactor: 2, scale: 10 } }),
    ).toEqual([10, 20, 40, 80]);
    expect(
      finiteBounds({ linearBuckets: { numFiniteBuckets: 2, width: 50, offset: 100 } }),
    ).toEqual([100, 150, 200]);
    expect(finiteBounds({})).toEqual([]);
  });
});

describe("distributions with different buckets", () => {
  it("meet at the bounds that all of them have", () => {
    expect(commonBounds([])).toEqual([]);
    expect(commonBounds([[1, 2, 4]])).toEqual([1, 2, 4]);
    expect(
      commonBounds([
        [1, 2, 4, 8],
        [2, 3, 4],
        [2, 4, 6],
      ]),
    ).toEqual([2, 4]);
    expect(commonBounds([[0.1 + 0.2], [0.3]])).toHaveLength(1);
    expect(commonBounds([[1], [2]])).toEqual([]);
  });

  it("keep every count, on the right side of every common bound", () => {
    const fine = explicit([1, 2, 4, 8], [1, 2, 3, 4, 5]);
    const coarse = explicit([2, 4], [10, 20, 30]);
    expect(countingWithin([2, 4])([fine, coarse])).toEqual([1 + 2 + 10, 3 + 20, 4 + 5 + 30]);
    expect(countingWithin([])([fine, coarse])).toEqual([75]);
  });

  it("take missing buckets at the end for empty ones", () => {
    expect(countingWithin([1, 2])([explicit([1, 2], [7])])).toEqual([7, 0, 0]);
    expect(countingWithin([1, 2])([])).toEqual([0, 0, 0]);
  });
});
