import { describe, expect, it } from "vitest";
import { formatScores, type ScoredRows } from "../../../infra/images/evaluator/scored-rows.js";

/** The lines as an object a row writes them. */
const plainLines = (rows: ScoredRows): string => {
  const { classes, labels, queries, challenger, champion } = rows;
  const score = (scores: Float64Array, row: number) =>
    classes.length === 0
      ? scores[row]
      : Object.fromEntries(classes.map((name, c) => [name, scores[row * classes.length + c]]));
  const slices = (row: number) =>
    Object.fromEntries([...rows.slices].map(([name, values]) => [name, values[row]]));
  return Array.from(labels, (label, row) => {
    const line = {
      row,
      label: classes.length === 0 ? label : (classes[label] ?? "(unknown class)"),
      query: queries?.[row],
      challenger: score(challenger, row),
      champion: champion === undefined ? undefined : score(champion, row),
      slices: rows.slices.size === 0 ? undefined : slices(row),
    };
    return `${JSON.stringify(line)}\n`;
  }).join("");
};

const numbers = [0, -0, 1, 1 / 3, -2.5e-7, 1e21, 1e308, 5e-324, NaN, Infinity, -Infinity];
const scores = Float64Array.from(numbers);
const texts = numbers.map(
  (_, i) => ["", 'a "quote"', "line\nbreak", "é\u2028", "\ud800"][i % 5] ?? "",
);
const binary: ScoredRows = {
  task: "binary-classification",
  labels: numbers.map((_, i) => i % 2),
  classes: [],
  challenger: scores,
  champion: scores.toReversed(),
  slices: new Map([
    ['the "port"', texts],
    ["10", texts.toReversed()],
    ["9", texts],
  ]),
};

describe("stored scores", () => {
  it.each<readonly [string, ScoredRows]>([
    ["a binary classifier's", binary],
    ["a first version's", { ...binary, champion: undefined, slices: new Map() }],
    ["a regression's", { ...binary, task: "regression", labels: scores }],
    [
      "a ranking's",
      { ...binary, task: "ranking", queries: Int32Array.from(numbers, (_, i) => i >> 1) },
    ],
    [
      "several classes'",
      {
        ...binary,
        task: "multi-class-classification",
        classes: ['the "a"', "2", "1"],
        labels: [0, 2, -1],
        challenger: scores.slice(0, 9),
        champion: scores.slice(2),
      },
    ],
  ])("%s are the JSON of an object a row, byte for byte", (_, rows) => {
    expect([...formatScores(rows)].join("")).toBe(plainLines(rows));
  });
});
