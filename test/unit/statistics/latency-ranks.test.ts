import { describe, expect, it } from "vitest";
import {
  logLatency,
  logRankExcess,
  sumLatencyRanks,
} from "../../../shared/statistics/latency-ranks.js";
import type { LatencyWindow } from "../../../shared/statistics/latency-windows.js";
import { multinomialDraw, normalDraw, seededRandom } from "../../../shared/statistics/random.js";
import { logStudentExcess } from "../../../shared/statistics/student-e-process.js";

const limit = Math.log(20);

/** Chance that one of `own` is larger than one of `other`, ties for a half, pair by pair. */
const byPairs = (own: readonly number[], other: readonly number[]): number => {
  const pairs = own.flatMap((x) => other.map((y) => (x > y ? 1 : x === y ? 0.5 : 0)));
  return pairs.reduce<number>((sum, pair) => sum + pair, 0) / pairs.length;
};

const bucketsOf = (values: readonly number[]): number[] =>
  Array.from({ length: 5 }, (_, bucket) => values.filter((value) => value === bucket).length);

describe("latency by the windows' rank sums", () => {
  it("counts the chance that the challenger was slower, and how much windows differ", () => {
    const drawn = [
      { champion: [0, 1, 1, 2, 3], challenger: [1, 1, 4] },
      { champion: [0, 0, 1], challenger: [] },
      { champion: [2, 2, 3, 0], challenger: [2, 3] },
      { champion: [1, 2], challenger: [0, 0, 0] },
    ];
    const windows = drawn.map(({ champion, challenger }) => ({
      champion: bucketsOf(champion),
      challenger: bucketsOf(challenger),
    }));
    const excess = drawn
      .filter(({ challenger }) => challenger.length > 0)
      .map(({ champion, challenger }) => byPairs(challenger, champion) - (1 - 1 / 3));
    const sums = sumLatencyRanks(windows, { ratioMax: 1.5 });
    expect(sums.count).toBe(3);
    expect(sums.sum).toBeCloseTo(
      excess.reduce((all, one) => all + one, 0),
      12,
    );
    expect(sums.sumSquares).toBeCloseTo(
      excess.reduce((all, one) => all + one * one, 0),
      12,
    );
    const [first = 0, second = 0, third = 0] = excess;
    expect(sums.stepSquares).toBeCloseTo((second - first) ** 2 + (third - second) ** 2, 12);
    expect(sums.variance).toBeCloseTo((9 / 15 + 7 / 8 + 6 / 6) / 12, 12);
  });

  it("a challenger that exceeds every latency as often as allowed is at the boundary", () => {
    // Beyond each of 60 equally frequent latencies of the champion lie 1.5 times as many of the challenger's, or all.
    const champion = Array.from({ length: 60 }, () => 2);
    const challenger = champion.map((_, bucket) => (bucket < 20 ? 0 : 3));
    const { sum } = sumLatencyRanks([{ champion, challenger }], { ratioMax: 1.5 });
    expect(sum).toBeCloseTo(0, 12);
    expect(sumLatencyRanks([{ champion: [5, 5], challenger: [5, 5] }], { ratioMax: 1 }).sum).toBe(
      0,
    );
  });

  it("windows that are all slow are found after four, and three say nothing", () => {
    const window = { champion: [90, 8, 1, 1, 0], challenger: [0, 2, 8, 0, 0] };
    const after = (count: number): number =>
      logRankExcess([
        sumLatencyRanks(
          Array.from({ length: count }, () => window),
          { ratioMax: 1 },
        ),
      ]);
    expect(after(3)).toBe(0);
    expect(after(4)).toBeGreaterThan(limit);
    expect(after(5)).toBeGreaterThan(after(4));
  });

  it("few requests cannot be found by all being slow", () => {
    const window = { champion: [1, 0], challenger: [0, 1] };
    const sums = sumLatencyRanks(
      Array.from({ length: 4 }, () => window),
      { ratioMax: 1 },
    );
    expect(logRankExcess([sums])).toBeLessThan(limit);
  });

  it.each([
    ["nothing", []],
    ["no window", [sumLatencyRanks([], { ratioMax: 1 })]],
    [
      "one version alone",
      [sumLatencyRanks([{ champion: [3, 1], challenger: [0, 0] }], { ratioMax: 1 })],
    ],
  ])("%s says nothing", (_, stretches) => {
    expect(logRankExcess(stretches)).toBe(0);
    expect(logLatency(stretches.map((ranks) => ({ slower: [], ranks })))).toBe(0);
  });

  it("equal windows say that the challenger is no slower, whatever their number", () => {
    const window = { champion: [0, 90, 0], challenger: [0, 10, 0] };
    for (const count of [4, 60, 5000]) {
      const sums = sumLatencyRanks(
        Array.from({ length: count }, () => window),
        { ratioMax: 1.5 },
      );
      const log = logRankExcess([sums]);
      expect(log).toBeLessThan(0);
      expect(Number.isFinite(log)).toBe(true);
    }
  });

  /** Windows of a version whose median moves by `factor`; `own` is the spread of each arm's own noise. */
  const windowsOf = (
    random: () => number,
    own: number,
    factor: number,
  ): readonly LatencyWindow[] => {
    const draw = (requests: number, shift: number): number[] => {
      const weights = Array.from({ length: 16 }, (_, i) =>
        Math.exp(-(((i - 7) / 2 - shift) ** 2) / 2),
      );
      const all = weights.reduce((sum, weight) => sum + weight, 0);
      return [
        ...multinomialDraw(
          random,
          requests,
          weights.map((weight) => weight / all),
        ),
      ];
    };
    return Array.from({ length: 40 }, () => ({
      champion: draw(900, (own * normalDraw(random)) / 0.5),
      challenger: draw(100, (Math.log(factor) + own * normalDraw(random)) / 0.5),
    }));
  };

  /** In how many rollouts evidence ever reaches 1 / alpha. */
  const found = (own: number, factor: number): number => {
    const random = seededRandom(17);
    return Array.from({ length: 200 }, () => windowsOf(random, own, factor)).filter((windows) =>
      windows.some(
        (_, look) =>
          logRankExcess([sumLatencyRanks(windows.slice(0, look + 1), { ratioMax: 1 })]) >= limit,
      ),
    ).length;
  };

  it("rarely blames an equal challenger, with noise of its own or without", () => {
    expect(found(0, 1)).toBeLessThanOrEqual(10);
    expect(found(0.2, 1)).toBeLessThanOrEqual(14);
  });

  it("finds a challenger that is a fifth slower", () => {
    expect(found(0.1, 1.2)).toBeGreaterThanOrEqual(190);
  });
});

describe("the sequential t-test", () => {
  it("is the same in every unit, and grows with the mean", () => {
    const observed = { count: 9, sum: 4, squaredDeviations: 3 };
    const scaled = { count: 9, sum: 4000, squaredDeviations: 3e6 };
    expect(logStudentExcess(scaled, { rho: 2 })).toBeCloseTo(
      logStudentExcess(observed, { rho: 2 }),
      12,
    );
    const logs = [-30, -4, 0, 4, 30].map((sum) =>
      logStudentExcess({ ...observed, sum }, { rho: 2 }),
    );
    expect(logs).toEqual(logs.toSorted((a, b) => a - b));
  });

  it("is 1 on average over normal observations of any spread, and less below zero", () => {
    const random = seededRandom(4);
    const mean = (shift: number): number => {
      const evidence = Array.from({ length: 20_000 }, () => {
        const values = Array.from({ length: 4 }, () => 7 * (shift + normalDraw(random)));
        const sum = values.reduce((all, value) => all + value, 0);
        const squaredDeviations = values.reduce((all, value) => all + (value - sum / 4) ** 2, 0);
        return Math.exp(logStudentExcess({ count: 4, sum, squaredDeviations }, { rho: 0.5 }));
      });
      return evidence.reduce((all, e) => all + e, 0) / evidence.length;
    };
    expect(mean(0)).toBeGreaterThan(0.95);
    expect(mean(0)).toBeLessThan(1.05);
    expect(mean(-0.5)).toBeLessThan(0.7);
  });

  it("says nothing without an observation or a deviation from zero", () => {
    expect(logStudentExcess({ count: 0, sum: 0, squaredDeviations: 0 }, { rho: 1 })).toBe(0);
    expect(logStudentExcess({ count: 3, sum: 0, squaredDeviations: 0 }, { rho: 1 })).toBe(0);
  });
});
