import { describe, expect, it } from "vitest";
import { logEProcess } from "../../../shared/statistics/e-process.js";
import {
  errorDispersion,
  overDispersion,
  type ErrorWindow,
} from "../../../shared/statistics/over-dispersion.js";
import { seededRandom } from "../../../shared/statistics/random.js";

/** Errors of a canary with 10 % of 1,000 requests a minute, 1 % of which fail; each arm's rate swings by `sigma`. */
const minutes = (random: () => number, count: number, sigma: number): readonly ErrorWindow[] => {
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const poisson = (mean: number): number => {
    let product = random();
    let drawn = 0;
    for (const limit = Math.exp(-mean); product > limit; drawn += 1) product *= random();
    return drawn;
  };
  return Array.from({ length: count }, () => {
    const challengerErrors = poisson(Math.exp(sigma * normal()));
    return { challengerErrors, errors: challengerErrors + poisson(9 * Math.exp(sigma * normal())) };
  });
};

/** The windows' errors, of a canary with a tenth of the traffic. */
const stretchOf = (windows: readonly ErrorWindow[]) => ({
  share: 0.1,
  challengerErrors: windows.reduce((sum, { challengerErrors }) => sum + challengerErrors, 0),
  errors: windows.reduce((sum, { errors }) => sum + errors, 0),
  dispersion: errorDispersion(windows),
});

const evidence = (windows: readonly ErrorWindow[], dispersion?: number): number =>
  logEProcess([stretchOf(windows)], {
    rho0: 1,
    ...(dispersion === undefined ? {} : { dispersion }),
  });

describe("over-dispersion of errors", () => {
  it("is Pearson's chi-squared of the two rows, window by window", () => {
    const windows = [
      { challengerErrors: 1, errors: 10 },
      { challengerErrors: 5, errors: 20 },
      { challengerErrors: 0, errors: 0 },
    ];
    // The same statistic from the table of observed and expected counts of both arms.
    const share = 6 / 30;
    const cells = windows
      .slice(0, 2)
      .flatMap(({ challengerErrors: k, errors: n }) => [
        [k, share * n] as const,
        [n - k, (1 - share) * n] as const,
      ]);
    const chiSquared = cells.reduce((sum, [seen, due]) => sum + (seen - due) ** 2 / due, 0);
    const { statistic, degrees } = errorDispersion(windows);
    expect(statistic).toBeCloseTo(chiSquared, 12);
    expect(degrees).toBe(1);
  });

  it.each([
    ["no window", []],
    ["one window", [{ challengerErrors: 1, errors: 9 }]],
    ["errors of one version alone", [4, 5].map((errors) => ({ challengerErrors: 0, errors }))],
  ])("%s says nothing", (_, windows) => {
    expect(errorDispersion(windows)).toEqual({ statistic: 0, degrees: 0 });
    expect(overDispersion([stretchOf(windows)])).toBe(1);
  });

  it("is near one for independent errors, however much worse the challenger is", () => {
    const random = seededRandom(3);
    const steady = minutes(random, 400, 0);
    expect(overDispersion([stretchOf(steady)])).toBeLessThan(1.15);
    const worse = steady.map(({ challengerErrors, errors }) => ({
      challengerErrors: 4 * challengerErrors,
      errors: errors + 3 * challengerErrors,
    }));
    expect(overDispersion([stretchOf(worse)])).toBeLessThan(3);
  });

  it("keeps equal versions with bad minutes of their own from being rolled back", () => {
    const random = seededRandom(5);
    const repetitions = 200;
    let raw = 0;
    let tempered = 0;
    for (let repetition = 0; repetition < repetitions; repetition += 1) {
      const all = minutes(random, 60, 0.5);
      const looks = all.map((_, look) => {
        const seen = all.slice(0, look + 1);
        const log = evidence(seen);
        return { log, tempered: evidence(seen, overDispersion([stretchOf(seen)])) };
      });
      if (looks.some(({ log }) => log >= Math.log(20))) raw += 1;
      if (looks.some((look) => look.tempered >= Math.log(20))) tempered += 1;
    }
    expect(tempered / repetitions).toBeLessThanOrEqual(0.08);
    expect(tempered).toBeLessThan(raw);
  });
});
