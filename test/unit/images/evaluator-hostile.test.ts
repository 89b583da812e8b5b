/** Scored rows that nobody should be promoted by: each is an error that names it, or a rejection that says why. */
import { describe, expect, it } from "vitest";
import { evaluation as evaluationSchema, type Evaluation } from "../../../events/artifacts.js";
import { evaluationSettings } from "../../../infra/images/configuration.js";
import { assess } from "../../../infra/images/evaluator/assess.js";
import { parseScores } from "../../../infra/images/evaluator/scored-rows.js";
import type { Task } from "../../../shared/manifest/metrics.js";

type Line = Readonly<Record<string, unknown>>;

/** Scores that know nothing, the same for everybody. */
const lines = (count: number, change: (index: number) => Line = () => ({})): readonly Line[] =>
  Array.from({ length: count }, (_, i) => ({
    label: i % 2,
    challenger: ((i * 7919) % 100) / 100,
    champion: ((i * 7919) % 100) / 100,
    ...change(i),
  }));

const judged = (rows: readonly Line[], task: Task, overrides: object = {}): Evaluation => {
  const settings = evaluationSettings.parse({
    task,
    ...(task === "ranking" ? { queryColumn: "query" } : {}),
    comparison: { mode: "non-inferiority", margin: 0.3 },
    ...overrides,
  });
  const scored = parseScores(rows.map((row) => JSON.stringify(row)).join("\n"), task);
  const found = assess(scored, { settings, models: { challenger: "b", champion: "a" } });
  // What cannot be written and read again would end the run.
  expect(evaluationSchema.parse(JSON.parse(JSON.stringify(found)))).toEqual(found);
  return found;
};

const classes = (label: (i: number) => string, scores: Line): readonly Line[] =>
  lines(200, (i) => ({ label: label(i), challenger: scores, champion: { a: 0.5, b: 0.5 } }));
const aOrB = (i: number): string => (i % 2 === 0 ? "a" : "b");

describe("scores that are no probabilities", () => {
  it.each([
    [
      "above 1",
      "binary-classification",
      lines(40, (i) => ({ challenger: i })),
      /challenger's score of row 2 is 2/,
    ],
    [
      "below 0",
      "binary-classification",
      lines(40, () => ({ champion: -0.1 })),
      /champion's score of row 0 is -0\.1: .* between 0 and 1/,
    ],
    [
      "above 1 for a class",
      "multi-class-classification",
      classes(aOrB, { a: 5, b: 7 }),
      /challenger's score of row 0 is 5/,
    ],
    [
      "that sum to more than 1",
      "multi-class-classification",
      classes(aOrB, { a: 1, b: 1 }),
      /challenger's scores of row 0 sum to 2/,
    ],
  ] as const)("%s are an error, because a loss would reward them", (_what, task, rows, message) => {
    expect(() => judged(rows, task)).toThrow(message);
  });

  it("may leave classes out", () => {
    const found = judged(classes(aOrB, { a: 0.7 }), "multi-class-classification");
    expect(found.challenger["logLoss"]).toBeGreaterThan(1);
  });
});

describe("rows that cannot tell one version from another", () => {
  it.each([
    ["few", "regression", lines(19), /19 rows: at least 20/],
    [
      "few of one class",
      "binary-classification",
      lines(2000, (i) => ({ label: i < 9 ? 1 : 0 })),
      /2,000 rows, 9 of them positive: at least 10 of both classes/,
    ],
    [
      "of classes that nobody knows",
      "multi-class-classification",
      classes((i) => `z${i % 2}`, { a: 0.5, b: 0.5 }),
      /no row's class is one that a version gives a probability/,
    ],
    [
      "that are all irrelevant",
      "ranking",
      lines(200, (i) => ({ label: 0, query: i % 40 })),
      /0 queries with rows of different relevance: at least 20/,
    ],
    [
      "alone in their query",
      "ranking",
      lines(200, (i) => ({ query: i })),
      /0 queries with rows of different relevance/,
    ],
    [
      "of a size that no square holds",
      "regression",
      lines(40, (i) => ({ label: i % 2 === 0 ? 1e200 : -1e200 })),
      /rmse of these rows is beyond what a number holds/,
    ],
    [
      "of a size that no sum holds",
      "regression",
      lines(40, (i) => ({ label: i % 2 === 0 ? 1e308 : -1e308, challenger: 1e308 })),
      /beyond what a number holds/,
    ],
  ] as const)("%s: rejected, with the reason", (_what, task, rows, message) => {
    const { verdict } = judged(rows, task);
    expect(verdict.outcome).toBe("reject");
    expect(verdict.reasons[0]).toMatch(message);
  });

  it("meet no threshold of a metric that they do not have, and the sentence says that", () => {
    const rows = lines(40, (i) => ({ label: i, challenger: i + 1e160, champion: i }));
    const thresholds = { rmse: { max: 3 } };
    const { verdict } = judged(rows, "regression", { primaryMetric: "mae", thresholds });
    expect(verdict.reasons).toContain(
      "rmse cannot be measured on these rows: at most 3 is asked for",
    );
  });
});

describe("slices that are not judged", () => {
  const slices = [{ column: "shop", rowsMin: 300, guards: ["north", "moon"] }];
  const sliced = (value: (i: number) => string | undefined) =>
    judged(
      lines(2000, (i) => ({
        // Neither even nor odd rows alone, so that both classes are in each shop.
        slices: value(i) === undefined ? {} : { shop: value(i) },
      })),
      "binary-classification",
      { slices },
    ).verdict.reasons.join("\n");

  it("are told by name where they are guards", () => {
    const said = sliced((i) => (i % 20 < 2 ? "north" : "south"));
    expect(said).toContain('guard shop = "north" was not judged: it has 200 of 300 rows');
    expect(said).toContain('guard shop = "moon" was not judged: it is in no row');
  });

  it("are told where no row has their column", () => {
    expect(sliced(() => undefined)).toContain("no row has the slice column shop");
  });

  it("are told where all of them are too small", () => {
    expect(sliced((i) => `shop ${i}`)).toContain(
      "none of 2,000 slices is large enough to be judged",
    );
  });

  it("are found although the first row has none", () => {
    expect(sliced((i) => (i === 0 ? undefined : "south"))).toContain(
      'where shop is "south" (1,999',
    );
  });
});
