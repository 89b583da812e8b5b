import { describe, expect, it } from "vitest";
import { byQuery, normalizedGain, reciprocalRank } from "../../../shared/statistics/ranking.js";
import { seededRandom } from "../../../shared/statistics/random.js";

interface Row {
  readonly relevance: number;
  readonly score: number;
}

/** All orders of a list. */
const orders = (rows: readonly Row[]): readonly (readonly Row[])[] =>
  rows.length < 2
    ? [rows]
    : rows.flatMap((first, i) => orders(rows.toSpliced(i, 1)).map((rest) => [first, ...rest]));

/** The mean of a metric over every order that the scores allow. */
const byEnumeration = (rows: readonly Row[], metric: (rows: readonly Row[]) => number): number => {
  const allowed = orders(rows).filter((order) =>
    order.every((row, i) => i === 0 || row.score <= (order[i - 1]?.score ?? Infinity)),
  );
  return allowed.reduce((sum, order) => sum + metric(order), 0) / allowed.length;
};

const gain = (rows: readonly Row[], k: number): number =>
  rows
    .slice(0, k)
    .reduce((sum, { relevance }, i) => sum + (2 ** relevance - 1) / Math.log2(i + 2), 0);

describe("ranked lists", () => {
  const random = seededRandom(4);
  const lists = Array.from({ length: 12 }, () =>
    Array.from({ length: 6 }, () => ({
      relevance: Math.floor(3 * random()),
      score: Math.floor(3 * random()),
    })),
  );

  it("gain and reciprocal rank are the means over every order of the ties", () => {
    for (const rows of lists) {
      const ideal = gain(
        rows.toSorted((a, b) => b.relevance - a.relevance),
        4,
      );
      const wanted = ideal === 0 ? 0 : byEnumeration(rows, (order) => gain(order, 4)) / ideal;
      expect(normalizedGain(rows, 4)).toBeCloseTo(wanted, 12);
      const first = (order: readonly Row[]): number =>
        1 / (1 + order.findIndex(({ relevance }) => relevance > 0));
      const isAny = rows.some(({ relevance }) => relevance > 0);
      expect(reciprocalRank(rows)).toBeCloseTo(isAny ? byEnumeration(rows, first) : 0, 12);
    }
  });

  it("a perfect order gains 1, and nothing relevant gains 0", () => {
    const perfect = [3, 2, 0].map((relevance) => ({ relevance, score: relevance }));
    expect(normalizedGain(perfect, 10)).toBeCloseTo(1, 12);
    expect(reciprocalRank(perfect)).toBe(1);
    expect(normalizedGain([{ relevance: 0, score: 1 }], 10)).toBe(0);
  });

  it("every query has its own value, in any order of the rows", () => {
    const queries = Int32Array.of(0, 1, 0, 1);
    const values = byQuery(queries, [1, 0, 0, 1], [2, 2, 1, 1], reciprocalRank);
    expect([...values]).toEqual([1, 0.5]);
  });
});
