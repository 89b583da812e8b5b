import { describe, expect, it } from "vitest";
import {
  excessOfMean,
  excessOverRatio,
  logMeanExcess,
  sumsOf,
  type Excess,
  type Sums,
} from "../../../shared/statistics/mean-excess.js";
import { seededRandom } from "../../../shared/statistics/random.js";

const random = seededRandom(11);
const normal = (): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

const excessOf = (values: readonly number[], countMin = 10): readonly Excess[] => {
  const found = excessOfMean(sumsOf(values), countMin);
  return found === null ? [] : [found];
};

/** The mixture of a known spread, by numerical integration over the half-normal prior. */
const byIntegration = (count: number, scaled: number, rho: number): number => {
  const step = rho / 2000;
  let total = 0;
  for (let theta = step / 2; theta < 12 * rho; theta += step) {
    const prior = (2 / (rho * Math.sqrt(2 * Math.PI))) * Math.exp(-(theta ** 2) / (2 * rho ** 2));
    total += step * prior * Math.exp(theta * scaled - (theta ** 2 * count) / 2);
  }
  return Math.log(total);
};

describe("evidence that a mean lies above what is allowed", () => {
  it.each([
    { count: 40_000, z: 0, rho: 0.01 },
    { count: 40_000, z: 2.5, rho: 0.01 },
    { count: 40_000, z: -2, rho: 0.01 },
    { count: 40_000, z: 6, rho: 0.01 },
  ])("tends to that of a known spread: $count observations and z $z", ({ count, z, rho }) => {
    const log = logMeanExcess([{ count, value: z, standardError: 1 }], { rho });
    expect(log).toBeCloseTo(byIntegration(count, z * Math.sqrt(count), rho), 1);
  });

  it("is finite and falls far below what is allowed", () => {
    const at = (z: number): number =>
      logMeanExcess([{ count: 1e6, value: z, standardError: 1 }], { rho: 1 });
    expect(at(-500)).toBeGreaterThan(-30);
    expect(at(-29)).toBeGreaterThan(at(-31));
  });

  it("is found in at most 5 % of the series that are as good as allowed, whenever one looks", () => {
    const limit = -Math.log(0.05);
    const isEverFound = (shift: number): boolean => {
      const values: number[] = [];
      for (let look = 0; look < 120; look += 1) {
        values.push(shift + normal());
        if (logMeanExcess(excessOf(values), { rho: 0.5 }) >= limit) return true;
      }
      return false;
    };
    const share = (shift: number): number =>
      Array.from({ length: 300 }, () => isEverFound(shift)).filter(Boolean).length / 300;
    expect(share(0)).toBeLessThan(0.08);
    expect(share(0.8)).toBeGreaterThan(0.95);
  });

  it("of five observations holds its level too, as the sequential t-test does", () => {
    const isEverFound = (): boolean => {
      const values: number[] = [];
      for (let look = 0; look < 60; look += 1) {
        values.push(normal());
        if (logMeanExcess(excessOf(values, 5), { rho: 0.5 }) >= -Math.log(0.05)) return true;
      }
      return false;
    };
    const found = Array.from({ length: 400 }, isEverFound).filter(Boolean).length;
    expect(found / 400).toBeLessThan(0.06);
  });

  it("is found in at most 5 % of the pairs of equal arms, one with a tenth of the rows", () => {
    const limit = -Math.log(0.05);
    const add = ({ count, sum, sumSquares }: Sums, value: number): Sums => ({
      count: count + 1,
      sum: sum + value,
      sumSquares: sumSquares + value * value,
    });
    const isEverFound = (ownMean: number): boolean => {
      let [own, other] = [sumsOf([]), sumsOf([])];
      for (let row = 1; row <= 6000; row += 1) {
        const isOwn = random() < 0.1;
        // Squared errors of probabilities: skewed, as losses are.
        const loss = (isOwn ? ownMean : 0.2) * 3 * random() ** 2;
        if (isOwn) own = add(own, loss);
        else other = add(other, loss);
        const found =
          row % 100 === 0 ? excessOverRatio(own, other, { ratioMax: 1, countMin: 30 }) : null;
        if (found !== null && logMeanExcess([found], { rho: 0.1 }) >= limit) return true;
      }
      return false;
    };
    const share = (ownMean: number): number =>
      Array.from({ length: 150 }, () => isEverFound(ownMean)).filter(Boolean).length / 150;
    expect(share(0.2)).toBeLessThan(0.08);
    expect(share(0.28)).toBeGreaterThan(0.95);
  });

  it("says nothing on few observations, and of constant ones counts the sign alone", () => {
    expect(excessOf([1, 2, 3])).toEqual([]);
    expect(logMeanExcess([], { rho: 0.5 })).toBeCloseTo(0, 12);
    const [worse] = excessOf(Array.from({ length: 20 }, () => 0.1));
    expect(worse).toMatchObject({ count: 20, standardError: 0 });
    // 2^20 / 21, the value of a sign test whose signs are all the same.
    expect(logMeanExcess(worse === undefined ? [] : [worse], { rho: 0.5 })).toBeCloseTo(
      20 * Math.LN2 + Math.log(2 / 21) + Math.log(1 - 2 ** -21),
      9,
    );
    const fine = excessOf(Array.from({ length: 20 }, () => -0.1));
    expect(logMeanExcess(fine, { rho: 0.5 })).toBeLessThan(0);
  });

  it("compares one mean with a multiple of another", () => {
    const own = Array.from({ length: 500 }, () => 0.3 + 0.1 * normal());
    const other = Array.from({ length: 5000 }, () => 0.2 + 0.1 * normal());
    const excess = (ratioMax: number): readonly Excess[] => {
      const found = excessOverRatio(sumsOf(own), sumsOf(other), { ratioMax, countMin: 50 });
      return found === null ? [] : [found];
    };
    expect(excess(1)[0]?.value).toBeCloseTo(0.1, 1);
    expect(excess(1)[0]?.standardError).toBeCloseTo(0.1 * Math.sqrt(1 / 500 + 1 / 5000), 3);
    expect(logMeanExcess(excess(1), { rho: 0.1 })).toBeGreaterThan(20);
    expect(logMeanExcess(excess(1.6), { rho: 0.1 })).toBeLessThan(0);
    expect(excessOverRatio(sumsOf(own), sumsOf([1]), { ratioMax: 1, countMin: 50 })).toBeNull();
  });
});
