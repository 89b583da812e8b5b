import { describe, expect, it } from "vitest";
import { evaluation as evaluationSchema } from "../../../events/artifacts.js";
import {
  evaluationSettings,
  type EvaluationSettings,
} from "../../../infra/images/configuration.js";
import { assess, recomputeVerdict } from "../../../infra/images/evaluator/assess.js";
import { compare } from "../../../infra/images/evaluator/compare.js";
import { sideOf } from "../../../infra/images/evaluator/metrics.js";
import { formatScores, type ScoredRows } from "../../../infra/images/evaluator/scored-rows.js";
import { normalDraw, seededRandom } from "../../../shared/statistics/random.js";

const settings = (overrides: object = {}): EvaluationSettings =>
  evaluationSettings.parse({
    primaryMetric: "auc",
    thresholds: { auc: { min: 0.6 } },
    comparison: { mode: "superiority", margin: 0, alpha: 0.05 },
    slices: [{ column: "origin", rowsMin: 100 }],
    ...overrides,
  });

const squash = (value: number): number => 1 / (1 + Math.exp(-value));

/** Rows whose challenger and champion see the truth with the given strength. */
function scoredRows(
  rows: number,
  strength: { readonly champion?: number; readonly challenger: number },
  seed = 1,
): ScoredRows {
  const random = seededRandom(seed);
  const labels = Uint8Array.from({ length: rows }, () => (random() < 0.3 ? 1 : 0));
  const noise = Float64Array.from(labels, () => normalDraw(random));
  const scores = (signal: number): Float64Array =>
    Float64Array.from(labels, (label, i) =>
      squash(signal * label - 1 + (noise[i] ?? 0) + 0.3 * normalDraw(random)),
    );
  return {
    task: "binary-classification",
    classes: [],
    labels,
    challenger: scores(strength.challenger),
    champion: strength.champion === undefined ? undefined : scores(strength.champion),
    slices: new Map([["origin", Array.from(labels, (_, i) => (i % 3 === 0 ? "ORD" : "LAX"))]]),
  };
}

const context = (overrides?: object) => ({
  settings: settings(overrides),
  constantScore: 0.3,
  models: { challenger: "b", champion: "a" },
});

describe("the evaluation gate", () => {
  it("accepts a better challenger with its numbers", () => {
    const found = assess(scoredRows(4000, { champion: 1, challenger: 1.3 }), context());
    expect(found.verdict.outcome).toBe("accept");
    expect(found.verdict.reasons[0]).toMatch(
      /auc 0\.\d{4} against the champion's 0\.\d{4} on 4,000 rows/,
    );
    expect(found.comparison).toMatchObject({ against: "champion", test: "delong" });
    expect(evaluationSchema.parse(JSON.parse(JSON.stringify(found)))).toEqual(found);
  });

  it("refuses an equal challenger that had to be better, and says how many rows would tell", () => {
    const found = assess(scoredRows(4000, { champion: 1, challenger: 1 }, 3), context());
    expect(found.verdict.outcome).toBe("reject");
    expect(found.verdict.reasons[0]).toMatch(
      /not shown to be better than the champion .*power .* rows would give 80 %/,
    );
  });

  it("accepts an equal challenger within a margin", () => {
    const comparison = { mode: "non-inferiority", margin: 0.02, alpha: 0.05 };
    const rows = scoredRows(4000, { champion: 1, challenger: 1 }, 3);
    expect(assess(rows, context({ comparison })).verdict.outcome).toBe("accept");
  });

  it("refuses a worse challenger even within a margin", () => {
    const comparison = { mode: "non-inferiority", margin: 0.02, alpha: 0.05 };
    const rows = scoredRows(4000, { champion: 1.4, challenger: 1 });
    expect(assess(rows, context({ comparison })).verdict.outcome).toBe("reject");
  });

  it("compares a first version with the constant prediction", () => {
    const good = assess(scoredRows(1000, { challenger: 1 }), context());
    expect(good.verdict.outcome).toBe("accept");
    expect(good.comparison).toMatchObject({ against: "constant", mode: "superiority", margin: 0 });
    const useless = assess(scoredRows(1000, { challenger: 0 }), context());
    expect(useless.verdict.outcome).toBe("reject");
    expect(useless.verdict.reasons.join()).toMatch(/is not at least 0\.6/);
  });

  it("refuses by a threshold alone, naming it first", () => {
    const thresholds = { auc: { min: 0.6 }, "log-loss": { max: 0.01 } };
    const found = assess(
      scoredRows(4000, { champion: 1, challenger: 1.5 }),
      context({ thresholds }),
    );
    expect(found.verdict.outcome).toBe("reject");
    expect(found.verdict.reasons[0]).toMatch(/^log-loss .* is not at most 0\.01$/);
  });

  it("cannot judge rows of one class", () => {
    const rows = scoredRows(500, { champion: 1, challenger: 1 });
    const found = assess({ ...rows, labels: new Uint8Array(500) }, context());
    expect(found.verdict.outcome).toBe("reject");
    expect(found.verdict.reasons[0]).toMatch(/both classes are needed/);
    expect(evaluationSchema.safeParse(JSON.parse(JSON.stringify(found))).success).toBe(true);
  });

  it.each(["auc", "log-loss", "brier", "accuracy", "average-precision"])(
    "prefers a much better challenger by %s, in the metric's own direction",
    (primaryMetric) => {
      const rows = scoredRows(400, { champion: 0.5, challenger: 3 });
      const found = assess(rows, context({ primaryMetric, thresholds: {} }));
      expect(found.comparison?.improvement).toBeGreaterThan(0);
      expect(found.verdict.outcome).toBe("accept");
    },
  );

  it("refuses a challenger that is clearly worse on one slice only, and names it", () => {
    const { champion, challenger, ...rows } = scoredRows(6000, { champion: 1, challenger: 1.8 });
    const random = seededRandom(9);
    const origins = Array.from(rows.labels, (_, i) => (i % 10 === 0 ? "ORD" : "LAX"));
    const worse = challenger.map((score, i) => (origins[i] === "ORD" ? random() / 3 : score));
    const slices = new Map([["origin", origins]]);
    const found = assess({ ...rows, champion, challenger: worse, slices }, context());
    expect(found.slices[0]).toMatchObject({ column: "origin", value: "ORD", rows: 600 });
    expect(found.comparison?.isAccepted).toBe(true);
    expect(found.verdict.outcome).toBe("reject");
    expect(found.verdict.reasons[0]).toMatch(
      /^slice worse where origin is "ORD" \(600 rows\): auc 0\.\d+ against the champion's 0\.\d+, .* adjusted for 2 slices p < 0\.0001, power to find a fall of 0\.05 here is \d+ %$/,
    );
    const honest = assess({ ...rows, champion, challenger, slices }, context());
    expect(honest.verdict.outcome).toBe("accept");
    expect(honest.verdict.reasons.join()).toMatch(
      /no slice of 2 is clearly worse; the worst is where/,
    );
  });

  it("is computed again from its stored scores, and only from them", () => {
    const rows = scoredRows(2000, { champion: 1, challenger: 1.2 });
    const found = assess(rows, context());
    const stored = evaluationSchema.parse(JSON.parse(JSON.stringify(found)));
    const text = [...formatScores(rows)].join("");
    expect(recomputeVerdict(text, stored)).toEqual(found.verdict);
    expect(() => recomputeVerdict(text.replace('"label":1', '"label":0'), stored)).toThrow(
      /digest/,
    );
  });
});

describe("error control of the gate", () => {
  it("accepts an equal challenger in about 5 % of 200 comparisons", () => {
    const accepted = Array.from({ length: 200 }, (_, seed) => {
      const rows = scoredRows(250, { champion: 1, challenger: 1 }, seed);
      const champion = sideOf(rows, rows.champion ?? rows.challenger);
      return compare(champion, sideOf(rows, rows.challenger), settings(), "champion");
    }).filter((found) => found?.isAccepted === true);
    expect(accepted.length / 200).toBeLessThan(0.09);
    expect(accepted.length / 200).toBeGreaterThan(0.015);
  });
});
