import { describe, expect, it } from "vitest";
import { averagePrecision } from "../../../shared/statistics/auc.js";
import { bootstrap } from "../../../shared/statistics/bootstrap.js";
import {
  averagePrecisionEstimate,
  macroF1Estimate,
  meanEstimate,
  pairedStandardError,
  rootMeanEstimate,
  rSquaredEstimate,
  type Estimate,
} from "../../../shared/statistics/influence.js";
import { ascendingOrder, midranks } from "../../../shared/statistics/ordering.js";
import { normalDraw, seededRandom } from "../../../shared/statistics/random.js";
import {
  weightedAveragePrecision,
  weightedMacroF1,
  weightedRootMean,
  weightedRSquared,
  type WeightedMetric,
} from "../../../shared/statistics/weighted.js";

const random = seededRandom(11);
const rows = 400;
const labels = Float64Array.from({ length: rows }, () => (random() < 0.3 ? 1 : 0));
// Rounded, so that ties are there.
const scores = labels.map((label) => Math.round((label + normalDraw(random)) * 5) / 5);
const numbers = labels.map(() => 3 * normalDraw(random) + 10);
const predictions = numbers.map((value) => value + normalDraw(random));
const classes = labels.map(() => Math.floor(3 * random()));
const called = classes.map((label) => (random() < 0.7 ? label : Math.floor(3 * random())));
const squares = numbers.map((value, i) => (value - (predictions[i] ?? 0)) ** 2);

const cases: readonly (readonly [string, Estimate, WeightedMetric])[] = [
  [
    "average precision",
    averagePrecisionEstimate(labels, scores),
    weightedAveragePrecision(labels, scores),
  ],
  ["macro F1", macroF1Estimate(classes, called, 3), weightedMacroF1(classes, called, 3)],
  ["root mean square", rootMeanEstimate(squares), weightedRootMean(squares)],
  ["R squared", rSquaredEstimate(numbers, predictions), weightedRSquared(numbers, predictions)],
];

describe("influence of the rows on a metric", () => {
  it.each(cases)("%s: the value is that of rows which count once", (_name, estimate, metric) => {
    expect(estimate.value).toBeCloseTo(metric(new Float64Array(rows).fill(1)), 12);
  });

  it.each(cases)(
    "%s: the influence is the derivative by a row's weight",
    (_name, { influence }, metric) => {
      // A row's weight rises by h in a total of n: the metric moves by h / n of its influence.
      const h = 1e-5;
      for (const row of [0, 17, 133, 399]) {
        const up = new Float64Array(rows).fill(1);
        const down = new Float64Array(rows).fill(1);
        up[row] = 1 + h;
        down[row] = 1 - h;
        const slope = (metric(up) - metric(down)) / (2 * h);
        expect(slope * rows).toBeCloseTo(influence[row] ?? NaN, 4);
      }
    },
  );

  it.each(cases)("%s: the influences sum to nothing", (_name, { influence }) => {
    expect(influence.reduce((sum, value) => sum + value, 0) / rows).toBeCloseTo(0, 10);
  });

  it.each(cases)(
    "%s: the standard error is the bootstrap's to 15 %%",
    (_name, estimate, metric) => {
      const nothing = meanEstimate(new Float64Array(rows));
      const resampled = bootstrap(new Uint8Array(rows), metric, { repetitions: 800, seed: 5 });
      const ratio = pairedStandardError(nothing, estimate) / resampled.standardError;
      expect(Math.abs(ratio - 1)).toBeLessThan(0.15);
    },
  );

  it("average precision is the plain definition's, ties included", () => {
    expect(averagePrecisionEstimate(labels, scores).value).toBeCloseTo(
      averagePrecision(labels, scores),
      12,
    );
  });

  it("fewer than two rows have no standard error", () => {
    const one = meanEstimate(Float64Array.of(3));
    expect(pairedStandardError(one, one)).toBeNaN();
    expect(rSquaredEstimate([2, 2], [1, 3]).value).toBeNaN();
  });
});

describe("orders of numbers", () => {
  const sizes = [0, 1, 10, 4095, 4096, 20_000];
  it.each(sizes)(
    "%d numbers of every size and sign are ordered as a comparison orders them",
    (size) => {
      const draw = seededRandom(size);
      const values = Float64Array.from({ length: size }, (_, i) => {
        const kinds = [0, -0, Infinity, -Infinity, 1e308, -1e308, 5e-324];
        return i % 13 === 0
          ? (kinds[i % 7] ?? 0)
          : Math.round(40 * normalDraw(draw)) / (i % 3 || 1);
      });
      const wanted = [...values.keys()].toSorted(
        (a, b) =>
          Number((values[a] ?? 0) > (values[b] ?? 0)) -
            Number((values[a] ?? 0) < (values[b] ?? 0)) || a - b,
      );
      expect([...ascendingOrder(values)]).toEqual(wanted);
    },
  );

  it("ranks sum to n (n + 1) / 2, whatever the ties", () => {
    const draw = seededRandom(3);
    const values = Float64Array.from({ length: 5000 }, () => Math.floor(20 * draw()));
    expect(midranks(values).reduce((sum, rank) => sum + rank, 0)).toBe((5000 * 5001) / 2);
  });
});
