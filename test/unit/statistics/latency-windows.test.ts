import { describe, expect, it } from "vitest";
import {
  compareLatencyWindows,
  logWindowSigns,
} from "../../../shared/statistics/latency-windows.js";
import { seededRandom } from "../../../shared/statistics/random.js";

const bounds = [10, 20, 40, 80];

/** E of the sign test by summing the integral on a fine grid. */
const byIntegration = (compared: number, slower: number): number => {
  const steps = 200_000;
  let sum = 0;
  for (let step = 0; step < steps; step += 1) {
    const theta = 0.5 + (0.5 * (step + 0.5)) / steps;
    sum += theta ** slower * (1 - theta) ** (compared - slower);
  }
  return (2 * (sum * 0.5)) / steps / 0.5 ** compared;
};

describe("latency by windows", () => {
  it.each([
    [1, 1],
    [6, 6],
    [12, 9],
    [20, 4],
  ])("E of %i windows, %i slower, is the integral of its mixture", (compared, slower) => {
    const signs = [0.5, 0.9, 0.99].map((quantile) => ({ quantile, compared, slower }));
    expect(Math.exp(logWindowSigns([signs]))).toBeCloseTo(byIntegration(compared, slower), 6);
  });

  it("a challenger that is slow in every window is found after seven", () => {
    const window = { champion: [90, 8, 1, 1, 0], challenger: [0, 2, 8, 0, 0] };
    const after = (count: number): number =>
      logWindowSigns([
        compareLatencyWindows(
          Array.from({ length: count }, () => window),
          bounds,
          { ratioMax: 1.5 },
        ),
      ]);
    expect(after(5)).toBeLessThan(Math.log(20));
    expect(after(7)).toBeGreaterThan(Math.log(20));
  });

  it("a champion whose requests all lie in one bucket is compared by the bound above it", () => {
    const compare = (challenger: readonly number[]) =>
      compareLatencyWindows([{ champion: [0, 100, 0, 0, 0], challenger }], bounds, {
        ratioMax: 1.5,
      });
    expect(compare([0, 0, 10, 0, 0]).map(({ slower }) => slower)).toEqual([1, 1, 1]);
    expect(compare([0, 10, 0, 0, 0]).map(({ slower }) => slower)).toEqual([0, 0, 0]);
    expect(compareLatencyWindows([], bounds, { ratioMax: 1.5 })).toEqual([]);
  });

  it("bursts that hit one arm at a time roll back at most one equal pair in twenty", () => {
    const random = seededRandom(11);
    const draw = (requests: number, isBurst: boolean): number[] => {
      const counts = [0, 0, 0, 0, 0];
      for (let index = 0; index < requests; index += 1) {
        const u = random();
        const bucket = isBurst ? (u < 0.5 ? 3 : 4) : u < 0.6 ? 0 : u < 0.92 ? 1 : u < 0.99 ? 2 : 3;
        counts[bucket] = (counts[bucket] ?? 0) + 1;
      }
      return counts;
    };
    const repetitions = 200;
    let alarms = 0;
    for (let repetition = 0; repetition < repetitions; repetition += 1) {
      const windows = Array.from({ length: 30 }, () => ({
        champion: draw(90, random() < 0.1),
        challenger: draw(10, random() < 0.1),
      }));
      let isAlarm = false;
      for (let look = 1; look <= windows.length && !isAlarm; look += 1) {
        const signs = compareLatencyWindows(windows.slice(0, look), bounds, { ratioMax: 1.5 });
        isAlarm = logWindowSigns([signs]) >= Math.log(20);
      }
      if (isAlarm) alarms += 1;
    }
    expect(alarms / repetitions).toBeLessThanOrEqual(0.05);
  });

  it("says nothing without a window in which both arms served", () => {
    const windows = [{ champion: [5, 0, 0, 0, 0], challenger: [0, 0, 0, 0, 0] }];
    expect(logWindowSigns([compareLatencyWindows(windows, bounds, { ratioMax: 1.5 })])).toBe(0);
    expect(logWindowSigns([])).toBe(0);
  });
});
