import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { configurationSchema } from "../../../infra/images/configuration.js";
import { scoreTable } from "../../../infra/images/model/score.js";
import type { Model } from "../../../infra/images/model/schema.js";
import { tableOfObjects } from "../../../infra/images/table/read-table.js";
import { trainModel } from "../../../infra/images/trainer/train.js";
import { areaUnderRoc } from "../../../shared/statistics/auc.js";
import { logLoss } from "../../../shared/statistics/classification.js";
import { syntheticRows } from "../../fixtures/trainer/synthetic-rows.js";

const boosted = z.object({
  auc: z.number(),
  logLoss: z.number(),
  trainLogLoss: z.number(),
  first: z.array(z.number()),
});
const reference = z
  .object({
    boosting: z.object({ defaults: boosted, few: boosted, small: boosted }),
    logistic: z.object({
      intercept: z.number(),
      numeric: z.array(z.number()),
      missingWind: z.number(),
      carrier: z.array(z.number()),
      airport: z.array(z.number()),
      auc: z.number(),
      logLoss: z.number(),
    }),
  })
  .parse(
    JSON.parse(
      readFileSync(new URL("../../fixtures/trainer/reference.json", import.meta.url), "utf8"),
    ),
  );

const training = tableOfObjects(syntheticRows(8000, 1).map((row) => ({ ...row })));
const testRows = syntheticRows(4000, 2);
const test = tableOfObjects(testRows.map((row) => ({ ...row })));
const labels = testRows.map(({ late }) => (late === "yes" ? 1 : 0));

const train = (algorithm: string, parameters: Readonly<Record<string, number>>): Model =>
  trainModel(
    training,
    configurationSchema.parse({
      label: "late",
      positiveClass: "yes",
      features: [
        { name: "distance", type: "numeric" },
        { name: "wind", type: "numeric" },
        { name: "noise", type: "numeric" },
        { name: "carrier", type: "categorical" },
        { name: "airport", type: "categorical" },
      ],
      trainer: { algorithm, parameters },
    }),
    { datasets: ["synthetic"], before: undefined },
  );

// Splits of equal gain are broken by the last bit of a sum, and scikit-learn sums in single precision: after
// many large trees both are different draws of the same quality, so the tolerance grows with the trees.
describe("gradient boosting against scikit-learn's HistGradientBoostingClassifier", () => {
  it.each([
    ["few", 0.0005, { iterations: 6 }],
    [
      "small",
      0.002,
      { iterations: 40, learningRate: 0.2, maxLeaves: 8, minSamplesLeaf: 50, l2: 5, bins: 64 },
    ],
    ["defaults", 0.008, {}],
  ] as const)("%s: area under the curve and log loss within %d", (name, tolerance, parameters) => {
    const model = train("gradient-boosting", parameters);
    const scores = scoreTable(model, test);
    const wanted = reference.boosting[name];
    expect(Math.abs(areaUnderRoc(labels, scores) - wanted.auc)).toBeLessThan(tolerance);
    expect(Math.abs(logLoss(labels, scores) - wanted.logLoss)).toBeLessThan(tolerance);
    expect(Math.abs(model.training.metrics.logLoss - wanted.trainLogLoss)).toBeLessThan(0.001);
  });
});

describe("logistic regression against scikit-learn's LogisticRegression", () => {
  it("the same coefficients to 1e-4 and the same scores", () => {
    const model = train("logistic-regression", {});
    const wanted = reference.logistic;
    const { predictor } = model;
    const weights = predictor.algorithm === "logistic-regression" ? predictor.weights : [];
    const numeric = weights.flatMap((weight) => (weight.type === "numeric" ? [weight] : []));
    const categorical = weights.flatMap((w) => (w.type === "categorical" ? [w.byCategory] : []));
    const found = [
      ...numeric.map(({ weight }) => weight),
      numeric[1]?.missing ?? NaN,
      ...categorical.flat(),
    ];
    const expected = [...wanted.numeric, wanted.missingWind, ...wanted.carrier, ...wanted.airport];
    expect(found).toHaveLength(expected.length);
    const distances = found.map((value, i) => Math.abs(value - (expected[i] ?? NaN)));
    expect(Math.max(...distances)).toBeLessThan(1e-4);
    const scores = scoreTable(model, test);
    expect(areaUnderRoc(labels, scores)).toBeCloseTo(wanted.auc, 5);
    expect(logLoss(labels, scores)).toBeCloseTo(wanted.logLoss, 5);
  });
});

describe("training", () => {
  it("gives the same model for the same rows and parameters", () => {
    const parameters = { iterations: 5 };
    const [a, b] = [train("gradient-boosting", parameters), train("gradient-boosting", parameters)];
    expect(JSON.stringify(a)).toBe(JSON.stringify(b));
  });

  it("names a feature of numbers that no square holds, which trees take in their order", () => {
    const huge = tableOfObjects(
      Array.from({ length: 400 }, (_, i) => ({
        x: i === 7 ? 1e200 : i % 10,
        late: i % 3 === 0 ? "yes" : "no",
      })),
    );
    const trained = (algorithm: "gradient-boosting" | "logistic-regression") =>
      trainModel(
        huge,
        configurationSchema.parse({
          label: "late",
          positiveClass: "yes",
          features: [{ name: "x", type: "numeric" }],
          trainer: { algorithm },
        }),
        { datasets: ["huge"], before: undefined },
      );
    expect(() => trained("logistic-regression")).toThrow(/feature x cannot .* as large as 1e\+200/);
    expect(JSON.stringify(trained("gradient-boosting"))).not.toContain("null");
  });

  it("refuses an unknown parameter with the ones that it knows", () => {
    expect(() => train("gradient-boosting", { trees: 5 })).toThrow(/trees.*iterations/);
  });
});
