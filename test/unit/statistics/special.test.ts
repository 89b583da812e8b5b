import { describe, expect, it } from "vitest";
import { averagePrecision, areaUnderRoc, curve } from "../../../shared/statistics/auc.js";
import { bootstrap } from "../../../shared/statistics/bootstrap.js";
import { pairedAuc } from "../../../shared/statistics/delong.js";
import {
  binomialCdf,
  binomialMass,
  chiSquareQuantile,
  chiSquareUpper,
  normalCdf,
  normalQuantile,
} from "../../../shared/statistics/distributions.js";
import {
  detectableEffect,
  pairedPower,
  pairedRowsNeeded,
} from "../../../shared/statistics/power.js";
import { oneSampleKolmogorovUpper } from "../../../shared/statistics/kolmogorov.js";
import { binomialDraw, normalDraw, seededRandom } from "../../../shared/statistics/random.js";
import { kolmogorovSmirnov } from "../../../shared/statistics/two-sample.js";
import {
  betaTails,
  logBeta,
  logGamma,
  regularizedBeta,
} from "../../../shared/statistics/special.js";

const relative = (actual: number, wanted: number): number => Math.abs(actual / wanted - 1);

describe("special functions", () => {
  it("log-gamma equals the sum of logs at integers and satisfies reflection at one half", () => {
    let sum = Math.log(2);
    for (let n = 3; n <= 170; n += 1) {
      expect(relative(logGamma(n), sum)).toBeLessThan(1e-13);
      sum += Math.log(n);
    }
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 14);
  });

  it("log-beta keeps its digits for large arguments", () => {
    // B(a, 1) = 1 / a and B(a, 2) = 1 / (a (a + 1)) hold exactly.
    for (const a of [0.3, 5, 40, 1e6, 1e12]) {
      expect(relative(logBeta(a, 1), -Math.log(a))).toBeLessThan(1e-12);
      expect(relative(logBeta(2, a), -Math.log(a) - Math.log(a + 1))).toBeLessThan(1e-12);
    }
    const step = logBeta(1e6 + 1, 2e6) - logBeta(1e6, 2e6);
    expect(step).toBeCloseTo(Math.log(1 / 3), 8);
  });

  it("the incomplete beta function equals binomial tails", () => {
    for (const [k, n, p] of [
      [3, 10, 0.2],
      [50, 100, 0.5],
      [700, 1000, 0.68],
    ] as const) {
      let sum = 0;
      for (let i = 0; i <= k; i += 1) sum += binomialMass(i, n, p);
      expect(relative(binomialCdf(k, n, p), sum)).toBeLessThan(1e-10);
    }
  });

  it("the tails of the incomplete beta function stay accurate where they are tiny", () => {
    // I_x(1, b) = 1 - (1 - x)^b.
    const { logUpper, logLower } = betaTails(0.5, 1, 5000);
    expect(relative(logUpper, 5000 * Math.log(0.5))).toBeLessThan(1e-12);
    expect(logLower).toBeCloseTo(0, 12);
    expect(regularizedBeta(0.3, 2, 3)).toBeCloseTo(0.3483, 10);
  });

  it("quantiles invert distribution functions", () => {
    for (const p of [1e-12, 1e-4, 0.025, 0.5, 0.8, 0.999]) {
      expect(relative(normalCdf(normalQuantile(p)), p)).toBeLessThan(1e-12);
      expect(relative(1 - chiSquareUpper(chiSquareQuantile(p, 7), 7), p)).toBeLessThan(1e-4);
    }
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 13);
    expect(normalCdf(-10)).toBeCloseTo(7.61985302416047e-24, 36);
  });
});

describe("seeded draws", () => {
  it("have the mean and variance of their distribution", () => {
    const random = seededRandom(3);
    for (const [n, p] of [
      [20, 0.1],
      [1000, 0.4],
      [50, 0.97],
    ] as const) {
      const draws = Array.from({ length: 20_000 }, () => binomialDraw(random, n, p));
      const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
      const variance = draws.reduce((sum, draw) => sum + (draw - mean) ** 2, 0) / draws.length;
      expect(Math.abs(mean - n * p)).toBeLessThan(4 * Math.sqrt((n * p * (1 - p)) / 20_000));
      expect(relative(variance, n * p * (1 - p))).toBeLessThan(0.05);
    }
  });
});

describe("paired comparison", () => {
  const random = seededRandom(11);
  const rows = 400;
  const labels = Array.from({ length: rows }, () => (random() < 0.3 ? 1 : 0));
  const champion = labels.map((label) => label + 1.5 * normalDraw(random));
  const challenger = champion.map(
    (score, i) => score + 0.4 * (labels[i] ?? 0) + 0.5 * normalDraw(random),
  );

  it("agrees with the paired bootstrap on the standard error to 15 %", () => {
    const exact = pairedAuc(labels, champion, challenger);
    // A row drawn twice is there twice: the areas of the resampled rows themselves.
    const drawn = (weights: Float64Array, values: ArrayLike<number>): number[] =>
      [...weights].flatMap((weight, row) =>
        Array.from({ length: weight }, () => values[row] ?? NaN),
      );
    const difference = (weights: Float64Array): number =>
      areaUnderRoc(drawn(weights, labels), drawn(weights, challenger)) -
      areaUnderRoc(drawn(weights, labels), drawn(weights, champion));
    const resampled = bootstrap(labels, difference, { repetitions: 600 });
    expect(relative(resampled.standardError, exact.standardError)).toBeLessThan(0.15);
  });

  it("of identical scores has no difference and no doubt", () => {
    const same = pairedAuc(labels, champion, champion);
    expect([same.difference, same.standardError, same.z, same.pTwoSided]).toEqual([0, 0, 0, 1]);
  });

  it("against a constant score starts from one half", () => {
    const paired = pairedAuc(
      labels,
      labels.map(() => 0.3),
      challenger,
    );
    expect(paired.champion).toBe(0.5);
    expect(paired.difference).toBeCloseTo(areaUnderRoc(labels, challenger) - 0.5, 12);
  });

  it("cannot be measured with one class alone", () => {
    expect(pairedAuc([1, 1], [0.1, 0.2], [0.3, 0.4]).difference).toBeNaN();
  });
});

describe("power", () => {
  it("and the rows needed for it agree", () => {
    const options = { effect: 0.02, standardError: 0.01, rows: 1000, alpha: 0.05 };
    const needed = pairedRowsNeeded({ ...options, power: 0.8 });
    const errorThen = 0.01 * Math.sqrt(1000 / needed);
    expect(pairedPower(0.02, errorThen, 0.05)).toBeCloseTo(0.8, 3);
    expect(pairedPower(detectableEffect(0.01, 0.05, 0.8), 0.01, 0.05)).toBeCloseTo(0.8, 10);
    expect(pairedRowsNeeded({ ...options, effect: 0, power: 0.8 })).toBe(Infinity);
  });
});

describe("ranking metrics", () => {
  it("of a small example by hand", () => {
    const labels = [1, 0, 1, 0];
    const scores = [0.9, 0.8, 0.7, 0.1];
    expect(areaUnderRoc(labels, scores)).toBe(0.75);
    expect(averagePrecision(labels, scores)).toBeCloseTo(0.5 + 0.5 * (2 / 3), 12);
    expect(areaUnderRoc(labels, [1, 1, 1, 1])).toBe(0.5);
    expect(curve(labels, scores)).toHaveLength(4);
    expect(curve([], [])).toEqual([]);
  });
});

describe("the one-sample Kolmogorov-Smirnov distribution", () => {
  it.each([0.5, 0.6, 0.83, 0.99])("is the closed form for one and two observations at %d", (d) => {
    expect(oneSampleKolmogorovUpper(1, d)).toBeCloseTo(2 * (1 - d), 12);
    expect(oneSampleKolmogorovUpper(2, d)).toBeCloseTo(2 * (1 - d) ** 2, 12);
  });

  it("falls as the statistic grows, from 1 to 0", () => {
    const tail = Array.from({ length: 40 }, (_, i) => oneSampleKolmogorovUpper(50, i / 39));
    expect(tail[0]).toBe(1);
    expect(tail.at(-1)).toBe(0);
    for (const [i, p] of tail.entries()) expect(p).toBeLessThanOrEqual(tail[i - 1] ?? 1);
  });
});

describe("Kolmogorov-Smirnov of large samples", () => {
  it("leaves out what would take long, and answers with the limit", () => {
    const [a, b] = [0, 0.5].map((shift) =>
      Float64Array.from({ length: 6000 }, (_, i) => i / 6000 + shift),
    );
    const found = kolmogorovSmirnov(a ?? [], b ?? []);
    expect(found).toMatchObject({ pEffective: undefined, pExact: undefined });
    expect(found.statistic).toBeCloseTo(0.5, 3);
    expect(found.pAsymptotic).toBeLessThan(1e-12);
  });
});
