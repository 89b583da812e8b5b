import { describe, expect, it } from "vitest";
import { evaluation as evaluationSchema } from "../../../events/artifacts.js";
import { evaluationSettings } from "../../../infra/images/configuration.js";
import { assess, recomputeVerdict } from "../../../infra/images/evaluator/assess.js";
import {
  formatScores,
  parseScores,
  type ScoredRows,
} from "../../../infra/images/evaluator/scored-rows.js";
import type { Task } from "../../../shared/manifest/metrics.js";
import { normalDraw, seededRandom } from "../../../shared/statistics/random.js";

/** Scored lines of a task; the smaller the noise, the better the version. */
const lines: Readonly<
  Record<
    Exclude<Task, "binary-classification">,
    (
      count: number,
      noise: { readonly champion: number; readonly challenger: number },
      seed?: number,
    ) => readonly Readonly<Record<string, unknown>>[]
  >
> = {
  "multi-class-classification": (count, noise, seed = 1) => {
    const random = seededRandom(seed);
    const names = ["ant", "bee", "cat"];
    return Array.from({ length: count }, () => {
      const truth = Math.floor(3 * random());
      const scores = (spread: number) => {
        const logits = names.map((_, c) => (c === truth ? 2 : 0) + spread * normalDraw(random));
        const all = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
        return Object.fromEntries(names.map((name, c) => [name, Math.exp(logits[c] ?? 0) / all]));
      };
      return {
        label: names[truth],
        challenger: scores(noise.challenger),
        champion: scores(noise.champion),
      };
    });
  },
  regression: (count, noise, seed = 1) => {
    const random = seededRandom(seed);
    return Array.from({ length: count }, () => {
      const label = 100 + 20 * normalDraw(random);
      return {
        label,
        challenger: label + 10 * noise.challenger * normalDraw(random),
        champion: label + 10 * noise.champion * normalDraw(random),
        slices: { shop: random() < 0.2 ? "north" : "south" },
      };
    });
  },
  ranking: (count, noise, seed = 1) => {
    const random = seededRandom(seed);
    return Array.from({ length: count }, (_, row) => {
      const label = Math.floor(3 * random());
      return {
        label,
        query: `q${Math.floor(row / 8)}`,
        challenger: label + noise.challenger * normalDraw(random),
        champion: label + noise.champion * normalDraw(random),
      };
    });
  },
};
const tasks = ["multi-class-classification", "regression", "ranking"] as const;

const read = (rows: readonly unknown[], task: Task): ScoredRows =>
  parseScores(rows.map((row) => JSON.stringify(row)).join("\n"), task);

const context = (task: Task, overrides: object = {}) => ({
  settings: evaluationSettings.parse({
    task,
    queryColumn: "query",
    comparison: { mode: "superiority", margin: 0, alpha: 0.05 },
    ...overrides,
  }),
  models: { challenger: "b" },
});

describe.each(tasks)("the evaluation gate of %s", (task) => {
  const better = { champion: 1.5, challenger: 0.8 };

  it("accepts a better challenger, and its verdict is computed again from the scores", () => {
    const rows = read(lines[task](1600, better), task);
    const found = assess(rows, context(task));
    expect(found.verdict.outcome).toBe("accept");
    expect(found.comparison?.improvement).toBeGreaterThan(0);
    const stored = evaluationSchema.parse(JSON.parse(JSON.stringify(found)));
    expect(recomputeVerdict([...formatScores(rows)].join(""), stored)).toEqual(found.verdict);
  });

  it("refuses a worse challenger and an equal one that had to be better", () => {
    const worse = read(lines[task](1600, { champion: 0.8, challenger: 1.5 }), task);
    expect(assess(worse, context(task)).verdict.outcome).toBe("reject");
    const equal = assess(
      read(lines[task](800, { champion: 1, challenger: 1 }, 3), task),
      context(task),
    );
    expect(equal.verdict.outcome).toBe("reject");
    expect(equal.verdict.reasons[0]).toMatch(/not shown to be better .* would give 80 %/);
  });

  it("a first version must beat the constant prediction", () => {
    const first = (noise: number): ScoredRows => ({
      ...read(lines[task](800, { champion: 1, challenger: noise }), task),
      champion: undefined,
    });
    const good = assess(first(0.5), context(task));
    expect(good.verdict.outcome).toBe("accept");
    expect(good.comparison).toMatchObject({ against: "constant", mode: "superiority" });
    expect(assess(first(50), context(task)).verdict.outcome).toBe("reject");
  });

  it("accepts an equal challenger in about 5 % of 200 comparisons", () => {
    const accepted = Array.from({ length: 200 }, (_, seed) =>
      assess(read(lines[task](160, { champion: 1, challenger: 1 }, seed), task), context(task)),
    ).filter(({ comparison }) => comparison?.isAccepted === true).length;
    expect(accepted).toBeGreaterThanOrEqual(2);
    expect(accepted).toBeLessThanOrEqual(20);
  });
});

describe("metrics of the tasks", () => {
  it.each([
    ["multi-class-classification", ["log-loss", "accuracy", "macro-f1", "brier"]],
    ["regression", ["rmse", "mae", "r-squared"]],
    ["ranking", ["ndcg", "mrr"]],
  ] as const)("of %s all prefer the better version: %j", (task, metrics) => {
    const rows = read(lines[task](800, { champion: 2, challenger: 0.7 }), task);
    for (const primaryMetric of metrics) {
      const found = assess(rows, context(task, { primaryMetric }));
      expect(found.comparison?.improvement).toBeGreaterThan(0);
      expect(found.verdict.outcome).toBe("accept");
    }
  });

  it("a regression worse in one shop only is refused with the shop named", () => {
    const rows = lines.regression(4000, { champion: 1.2, challenger: 0.7 }).map((row) => {
      const isNorth = JSON.stringify(row["slices"]) === '{"shop":"north"}';
      const label = Number(row["label"]);
      return isNorth
        ? { ...row, challenger: label + 1.5 * (Number(row["champion"]) - label) }
        : row;
    });
    const slices = [{ column: "shop", margin: 0.5, guards: ["north"] }];
    const found = assess(read(rows, "regression"), context("regression", { slices }));
    expect(found.comparison?.isAccepted).toBe(true);
    expect(found.verdict.outcome).toBe("reject");
    expect(found.verdict.reasons[0]).toMatch(
      /^slice worse by more than the 0\.5 allowed where shop is "north".*; adjusted for 1 guard by Holm p < /,
    );
    expect(found.slices[0]).toMatchObject({ value: "north", adjustment: "holm", isWorse: true });
  });

  it("keeps what the plots need", () => {
    const several = assess(
      read(
        lines["multi-class-classification"](600, { champion: 1, challenger: 1 }),
        "multi-class-classification",
      ),
      context("multi-class-classification"),
    );
    const all = several.confusionMatrix?.counts.flat().reduce((sum, count) => sum + count, 0);
    expect(all).toBe(600);
    expect(several.calibration.length).toBeGreaterThan(2);
    const numbers = assess(
      read(lines.regression(600, { champion: 1, challenger: 1 }), "regression"),
      context("regression"),
    );
    expect(numbers.calibration).toHaveLength(10);
  });

  it("refuses a challenger that takes more than its limits", () => {
    const limits = { modelBytesMax: 1000, scoringTimeRatioMax: 1.5, usdPerMillionRowsMax: 0.0001 };
    const rows = read(lines.regression(400, { champion: 1.5, challenger: 0.8 }), "regression");
    const resources = {
      challenger: { modelBytes: 5000, microsecondsPerRow: 4, usdPerMillionRows: 0.00012 },
      champion: { modelBytes: 900, microsecondsPerRow: 2, usdPerMillionRows: 0.00006 },
      machineType: "n1-standard-2",
    };
    const found = assess(rows, { ...context("regression", { limits }), resources });
    expect(found.verdict.outcome).toBe("reject");
    expect(found.verdict.reasons.slice(0, 3)).toEqual([
      "the model takes 5,000 bytes, the champion's 900: not at most 1,000",
      "a row takes 4 microseconds to score here, 2 times the champion's 2: not at most 1.5 times",
      "a million rows take 0.00012 USD of n1-standard-2 at that speed, the champion's 0.00006: not at most 0.0001 USD",
    ]);
  });
});

describe("scored rows that cannot be judged", () => {
  const good = { label: 1, challenger: 0.5, champion: 0.4 };
  it.each([
    ["a score that is no number", [{ ...good, challenger: null }], "regression", /line 1/],
    ["a score in words", [good, { ...good, challenger: "high" }], "regression", /line 2/],
    [
      "a champion that scored some rows",
      [good, { label: 1, challenger: 1 }],
      "regression",
      /1 of 2/,
    ],
    [
      "a label that is neither 0 nor 1",
      [{ ...good, label: 7 }],
      "binary-classification",
      /also seen: 7/,
    ],
    [
      "a label in words",
      [{ ...good, label: "yes" }],
      "binary-classification",
      /not a finite number/,
    ],
    [
      "a row told twice",
      [
        { ...good, id: "a" },
        { ...good, id: "a" },
      ],
      "regression",
      /id a is there twice/,
    ],
    ["a ranking without queries", [good], "ranking", /row 0 names no query/],
    ["a negative relevance", [{ ...good, label: -1, query: "a" }], "ranking", /at least 0/],
    ["one score for several classes", [good], "multi-class-classification", /"class": probability/],
  ] as const)("%s: the error names it", (_name, rows, task, message) => {
    expect(() => read(rows, task)).toThrow(message);
  });

  it("a label of a class that no version knows counts as probability 0", () => {
    const rows = lines["multi-class-classification"](50, { champion: 1, challenger: 1 });
    const found = read([...rows, { ...rows[0], label: "dog" }], "multi-class-classification");
    expect([...found.labels].at(-1)).toBe(-1);
    const stored = parseScores([...formatScores(found)].join(""), "multi-class-classification");
    expect([...stored.labels]).toEqual([...found.labels]);
    const judged = assess(found, context("multi-class-classification"));
    expect(Number.isFinite(judged.challenger["logLoss"])).toBe(true);
  });

  it.each([
    ["no row", [], /0 rows: at least 20/],
    ["one row", [good], /1 rows: at least 20/],
    ["one label only", Array.from({ length: 20 }, () => good), /one and the same label/],
    [
      "numbers of extreme size",
      Array.from({ length: 20 }, (_, i) => ({ ...good, label: i % 2 === 0 ? 1e308 : -1e308 })),
      /beyond what a number holds/,
    ],
  ] as const)("%s: rejected with the reason, and no number is NaN", (_name, rows, message) => {
    const found = assess(read(rows, "regression"), context("regression"));
    expect(found.verdict.outcome).toBe("reject");
    expect(found.verdict.reasons[0]).toMatch(message);
    expect(evaluationSchema.safeParse(JSON.parse(JSON.stringify(found))).success).toBe(true);
  });

  it("a constant challenger is rejected, not an error", () => {
    const rows = lines.regression(200, { champion: 1, challenger: 1 });
    const constant = read(
      rows.map((row) => ({ ...row, challenger: 3 })),
      "regression",
    );
    expect(assess(constant, context("regression")).verdict.outcome).toBe("reject");
  });

  it("says which metrics a task has", () => {
    const parsed = evaluationSettings.safeParse({ task: "regression", primaryMetric: "auc" });
    expect(parsed.error?.issues[0]?.message).toMatch(
      /auc is no metric of regression: use one of rmse/,
    );
  });
});
