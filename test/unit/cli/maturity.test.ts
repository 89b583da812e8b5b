import { describe, expect, it } from "vitest";
import { maturityOf, type Evidence } from "../../../infra/cli/maturity.js";
import { manifestSchema } from "../../../shared/manifest/schema.js";

const digest = `@sha256:${"a".repeat(64)}`;

const bare = manifestSchema.parse({
  apiVersion: "continuo/v1",
  kind: "Model",
  name: "churn",
  dataset: { name: "customers", label: "left", features: [{ name: "age", type: "numeric" }] },
  promotion: { environments: [{ name: "production", endpoint: "churn-production" }] },
});

const whole = manifestSchema.parse({
  ...bare,
  owner: "retention team",
  dataset: {
    ...bare.dataset,
    timeColumn: "date",
    schema: { columns: { age: { type: "number" } } },
  },
  training: { template: "gs://bucket/train.json", image: `trainer${digest}` },
  serving: { image: `predictor${digest}` },
  evaluation: { slices: [{ column: "plan" }] },
  promotion: {
    environments: [
      { name: "qa", endpoint: "churn-qa" },
      { name: "production", endpoint: "churn-production" },
    ],
  },
  monitoring: { predictionLog: "gs://bucket/log", quality: { labels: "gs://bucket/labels" } },
});

const nothing: Evidence = { manifest: bare, hasChampion: false, runs: [], rollouts: [] };
const everything: Evidence = {
  manifest: whole,
  hasChampion: true,
  runs: [
    { trigger: "new-data", outcome: "registered" },
    { trigger: "new-pipeline", outcome: "registered" },
  ],
  rollouts: [{ outcome: "promoted" }, { outcome: "rolled-back" }],
};

describe("the maturity of a model", () => {
  it("is below level 0 before anything serves, and level 2 when every line is done", () => {
    expect(maturityOf(nothing).level).toBeNull();
    expect(maturityOf(everything).level).toBe(2);
  });

  it("is no higher than the lowest level with an open line", () => {
    const noSlices = { ...whole, evaluation: { ...whole.evaluation, slices: [] } };
    expect(maturityOf({ ...everything, manifest: noSlices }).level).toBe(0);
    expect(maturityOf({ ...everything, rollouts: [{ outcome: "promoted" }] }).level).toBe(1);
    expect(maturityOf({ ...everything, hasChampion: false }).level).toBeNull();
  });

  it("does not count runs that a person asked for as automated", () => {
    const runs = [{ trigger: "request", outcome: "registered" }];
    const open = maturityOf({ ...everything, runs }).items.filter(({ isDone }) => !isDone);
    expect(open.map(({ level }) => level)).toEqual([1, 2]);
  });

  it("says what to do about every line that is open", () => {
    for (const { isDone, advice } of maturityOf(nothing).items) {
      expect(isDone || advice.length > 10).toBe(true);
    }
  });
});
