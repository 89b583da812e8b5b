import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../shared/statistics/random.js";
import { logRecords } from "../../../shared/statistics/records.js";

const permutations = (items: readonly number[]): readonly (readonly number[])[] =>
  items.length <= 1
    ? [items]
    : items.flatMap((item, index) =>
        permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
      );

describe("growth seen from records", () => {
  it.each([2, 3, 6])("E over all orders of %i values has mean one: an e-value", (size) => {
    const orders = permutations(Array.from({ length: size }, (_, index) => index));
    const mean =
      orders.reduce((sum, order) => sum + Math.exp(logRecords(order)), 0) / orders.length;
    expect(mean).toBeCloseTo(1, 10);
  });

  it("steady growth is found after seven values, and growth behind a garbage collector soon", () => {
    const steady = Array.from({ length: 40 }, (_, index) => index);
    expect(logRecords(steady.slice(0, 7))).toBeGreaterThan(Math.log(200));
    const sawtooth = steady.map((value) => (value % 2 === 0 ? value : value - 5));
    expect(logRecords(sawtooth)).toBeGreaterThan(Math.log(200));
  });

  it("a constant, falling, empty or fluctuating series does not grow", () => {
    expect(logRecords([])).toBe(0);
    expect(logRecords([5])).toBe(0);
    expect(logRecords(Array.from({ length: 50 }, () => 7))).toBeLessThan(0);
    expect(logRecords(Array.from({ length: 50 }, (_, index) => -index))).toBeLessThan(0);
    const random = seededRandom(2);
    const repetitions = 400;
    let alarms = 0;
    for (let repetition = 0; repetition < repetitions; repetition += 1) {
      const values = Array.from({ length: 60 }, () => random());
      if (values.some((_, look) => logRecords(values.slice(0, look + 1)) >= Math.log(20))) {
        alarms += 1;
      }
    }
    expect(alarms / repetitions).toBeLessThanOrEqual(0.05);
  });
});
