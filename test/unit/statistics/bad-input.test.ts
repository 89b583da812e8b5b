import { describe, expect, it } from "vitest";
import { areaUnderRoc, averagePrecision, curve } from "../../../shared/statistics/auc.js";
import {
  accuracy,
  brierScore,
  calibrationBins,
  calibrationError,
  logLoss,
} from "../../../shared/statistics/classification.js";
import { lowerConfidenceSequence } from "../../../shared/statistics/confidence-sequence.js";
import { pairedAuc } from "../../../shared/statistics/delong.js";
import {
  chebyshevDistance,
  hellingerDistance,
  jensenShannonDivergence,
  populationStabilityIndex,
  totalVariation,
} from "../../../shared/statistics/divergence.js";
import { logEProcess } from "../../../shared/statistics/e-process.js";
import { averagePrecisionEstimate } from "../../../shared/statistics/influence.js";
import { sumLatencyRanks } from "../../../shared/statistics/latency-ranks.js";
import { logSigns } from "../../../shared/statistics/latency-windows.js";
import { mcNemar } from "../../../shared/statistics/mcnemar.js";
import {
  benjaminiHochberg,
  benjaminiYekutieli,
  holm,
} from "../../../shared/statistics/multiplicity.js";
import { errorDispersion } from "../../../shared/statistics/over-dispersion.js";
import { estimatePerformance } from "../../../shared/statistics/performance-estimation.js";
import { sampleRatioMismatch } from "../../../shared/statistics/sample-ratio.js";
import {
  distinctCount,
  distinctRegisters,
  heavyHitters,
} from "../../../shared/statistics/sketches.js";
import {
  chiSquareTest,
  energyDistance,
  hodgesLehmann,
  kolmogorovSmirnov,
  mannWhitney,
  wassersteinDistance,
  welchTest,
} from "../../../shared/statistics/two-sample.js";

const distances = {
  jensenShannonDivergence,
  chebyshevDistance,
  totalVariation,
  hellingerDistance,
  populationStabilityIndex,
};

describe("distances of counts", () => {
  it.each(Object.entries(distances))("%s: broken counts are a named error", (_, distance) => {
    expect(() => distance([1, -1], [1, 1])).toThrow(/entry 1 is -1: a count/);
    expect(() => distance([1, 1], [NaN, 1])).toThrow(/entry 0 is NaN/);
    expect(() => distance([1, Infinity], [1, 1])).toThrow(/entry 1 is Infinity/);
    expect(() => distance([1, 1, 1], [1, 1])).toThrow(/3 entries cannot be paired with 2/);
  });

  it.each(Object.entries(distances))("%s: extremes have a stated answer", (_, distance) => {
    expect(distance([], [])).toBeNaN();
    expect(distance([0, 0], [1, 1])).toBeNaN();
    expect(distance([7], [3])).toBe(0);
    expect(distance([1e308, 1e308], [1, 1])).toBe(0);
    expect(distance([5e-324, 0], [1, 0])).toBe(0);
    const many = Array.from({ length: 100_000 }, (_unused, i) => 1 + (i % 3));
    expect(distance(many, many)).toBe(0);
    expect(distance(many, many.toReversed())).toBeLessThan(2);
  });
});

type Metric = (labels: readonly number[], scores: readonly number[]) => unknown;
const rankings: Readonly<Record<string, Metric>> = {
  areaUnderRoc,
  averagePrecision,
  curve: (labels, scores) => curve(labels, scores),
  averagePrecisionEstimate: (labels, scores) => averagePrecisionEstimate(labels, scores),
  pairedAuc: (labels, scores) => pairedAuc(labels, scores, scores),
};
const probabilities: Readonly<Record<string, Metric>> = {
  logLoss,
  brierScore,
  accuracy: (labels, scores) => accuracy(labels, scores),
  calibrationBins: (labels, scores) => calibrationBins(labels, scores),
  calibrationError: (labels, scores) => calibrationError(labels, scores),
};

describe("metrics of scores", () => {
  it.each(Object.entries({ ...rankings, ...probabilities }))(
    "%s: scores that are missing or do not pair with the labels are a named error",
    (_, metric) => {
      expect(() => metric([1, 0], [NaN, 0.5])).toThrow(/entry 0 is NaN/);
      expect(() => metric([1, 0, 1], [0.2, 0.5])).toThrow(/cannot be paired/);
    },
  );

  it.each(Object.entries(probabilities))("%s: an infinite probability is one too", (_, metric) => {
    expect(() => metric([1, 0], [0.2, -Infinity])).toThrow(/entry 1 is -Infinity/);
  });

  it("infinite scores have their place in a ranking", () => {
    expect(areaUnderRoc([1, 0, 0], [Infinity, 0, -Infinity])).toBe(1);
    expect(pairedAuc([1, 0, 0], [0.5, 0.5, 0.5], [1e308, 0, -1e308]).difference).toBe(0.5);
  });

  it("no row, one row and one class cannot be measured, and a constant is worth one half", () => {
    for (const [labels, scores] of [
      [[], []],
      [[1], [0.5]],
      [
        [1, 1],
        [0.5, 0.6],
      ],
    ] as const) {
      expect(areaUnderRoc(labels, scores)).toBeNaN();
      expect(pairedAuc(labels, scores, scores).difference).toBeNaN();
    }
    expect(areaUnderRoc([1, 0, 1, 0], [0.3, 0.3, 0.3, 0.3])).toBe(0.5);
  });

  it("estimated quality of a missing score is a named error, of no score not a number", () => {
    expect(() => estimatePerformance([0.2, NaN])).toThrow(/entry 1 is NaN/);
    expect(estimatePerformance([]).auc).toBeNaN();
  });
});

const twoSamples = {
  kolmogorovSmirnov,
  mannWhitney,
  wassersteinDistance,
  energyDistance,
  hodgesLehmann,
  welchTest,
};

describe("two samples", () => {
  it.each(Object.entries(twoSamples))(
    "%s: empty and missing values are a named error",
    (_, test) => {
      expect(() => test([], [1, 2])).toThrow(RangeError);
      expect(() => test([1, 2], [])).toThrow(RangeError);
      expect(() => test([1, NaN], [1, 2])).toThrow(/is NaN/);
      expect(() => test([1, 2], [NaN, 3])).toThrow(/is NaN/);
    },
  );

  it("what is infinite has a rank, and no distance", () => {
    expect(mannWhitney([-Infinity, 0], [1, Infinity]).effect).toBe(1);
    expect(kolmogorovSmirnov([-Infinity, 0], [1, Infinity]).statistic).toBe(1);
    for (const distance of [wassersteinDistance, energyDistance, hodgesLehmann, welchTest]) {
      expect(() => distance([1, Infinity], [1, 2])).toThrow(/Infinity/);
    }
  });

  it("constants are equal or not, without doubt", () => {
    expect(welchTest([3, 3], [3, 3])).toMatchObject({ t: 0, pValue: 1 });
    expect(welchTest([3, 3], [4, 4])).toMatchObject({ t: Infinity, pValue: 0 });
    expect(welchTest([4, 4, 4], [3, 3])).toMatchObject({ t: -Infinity, pValue: 0 });
    expect(mannWhitney([1, 1], [1, 1])).toMatchObject({ pTwoSided: 1, effect: 0.5 });
    expect(kolmogorovSmirnov([1, 1], [1, 1]).statistic).toBe(0);
    expect(() => welchTest([1], [1, 2])).toThrow(/a sample of 1 has no variance/);
  });

  it("counts of a chi-square test are counts", () => {
    expect(() => chiSquareTest([1, -2], [1, 2])).toThrow(/entry 1 is -2/);
    expect(() => chiSquareTest([1], [1, 2])).toThrow(/cannot be paired/);
    expect(chiSquareTest([], [])).toEqual({ statistic: 0, degreesOfFreedom: 0, pValue: 1 });
  });
});

describe("evidence and corrections", () => {
  it.each([
    [5, 3],
    [-1, 3],
    [NaN, 3],
    [1, NaN],
    [1, Infinity],
  ])("%d of %d errors are no evidence but a named error", (challengerErrors, errors) => {
    const run = () => logEProcess([{ share: 0.1, challengerErrors, errors }], { rho0: 1 });
    expect(run).toThrow(/no part of a whole/);
    expect(() => errorDispersion([{ challengerErrors, errors }])).toThrow(/no part of a whole/);
    expect(() => logSigns(errors, challengerErrors)).toThrow(/no part of a whole/);
  });

  it("no traffic for one version is no evidence", () => {
    for (const share of [0, 1, NaN]) {
      expect(logEProcess([{ share, challengerErrors: 1, errors: 3 }], { rho0: 1 })).toBe(0);
    }
  });

  it.each([
    [[1, 2], [1], /cannot be paired/],
    [[1, NaN], [1, 2], /entry 1 is NaN/],
    [[1, 2], [-1, 2], /entry 0 is -1/],
    [[1, 2], [1, Infinity], /entry 1 is Infinity/],
  ])("latency counts %j beside %j are a named error", (champion, challenger, message) => {
    expect(() => sumLatencyRanks([{ champion, challenger }], { ratioMax: 1 })).toThrow(message);
  });

  it("request counts, discordant rows, batches and p-values that are none are a named error", () => {
    expect(() => sampleRatioMismatch([NaN, 1], [0.5, 0.5])).toThrow(/entry 0 is NaN/);
    expect(() => sampleRatioMismatch([-1, 5], [0.5, 0.5])).toThrow(/entry 0 is -1/);
    expect(() => sampleRatioMismatch([1, 5], [0.5])).toThrow(/cannot be paired/);
    expect(() => mcNemar(-1, 3)).toThrow(/entry 0 is -1/);
    expect(() => mcNemar(1, NaN)).toThrow(/entry 1 is NaN/);
    expect(() => lowerConfidenceSequence([1, NaN, 2], { rho: 0.5, alpha: 0.05 })).toThrow(/is NaN/);
    for (const adjust of [benjaminiHochberg, benjaminiYekutieli, holm]) {
      expect(() => adjust([0.1, NaN])).toThrow(/entry 1 is NaN/);
      expect(adjust([])).toEqual([]);
    }
  });
});

describe("100,000 categories", () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `category ${i}`);

  it("are counted to two per cent, and none of them is frequent", () => {
    expect(distinctCount(distinctRegisters(names)) / names.length).toBeCloseTo(1, 1);
    const { uncertainty } = heavyHitters(names, 100);
    expect(uncertainty).toBeGreaterThan(0);
  });
});
