import { describe, expect, test } from "vitest";
import { parseManifest, problemText } from "../../../shared/manifest/parse.js";
import { exampleManifest } from "./example.js";

const withAnalysis = (analysis: string, more = ""): string =>
  exampleManifest.replace(/^rollout:\n/m, `rollout:\n  analysis: ${analysis}\n`) + more;

const problems = (text: string): readonly string[] => {
  const parsed = parseManifest(text);
  return parsed.ok ? [] : parsed.problems.map((problem) => problemText("m.yaml", problem));
};

const logged = "monitoring: { predictionLog: gs://bucket/log }\n";
const labelled =
  "monitoring: { predictionLog: gs://bucket/log, quality: { labels: gs://bucket/labels/ } }\n";

describe("what a rollout's analysis looks at beside errors and latency", () => {
  test("is off unless it is asked for, and has limits of its own", () => {
    const parsed = parseManifest(
      withAnalysis(
        "{ predictions: {}, quality: {}, business: { metric: custom.googleapis.com/shop/conversion, better: higher } }",
        labelled,
      ),
    );
    expect(parsed).toMatchObject({
      ok: true,
      manifest: {
        rollout: {
          analysis: {
            predictions: { ratioMax: 1.5, requestsMin: 100 },
            quality: { lossRatioMax: 1.1, labelsMin: 0 },
            business: { label: "deployed_model_id", worseShareMax: 0.05, windowsMin: 10 },
          },
        },
      },
    });
    const plain = parseManifest(exampleManifest);
    if (!plain.ok) throw new Error("the example must be right");
    expect(Object.keys(plain.manifest.rollout.analysis)).not.toContain("predictions");
  });

  test.each([
    {
      what: "predictions without a log",
      text: withAnalysis("{ predictions: {} }"),
      problem: "rollout.analysis.predictions: needs monitoring.predictionLog",
    },
    {
      what: "predictions of a log without samples",
      text: withAnalysis("{ predictions: {} }", logged.replace(" }", ", samplingRate: 0 }")),
      problem: "rollout.analysis.predictions: needs monitoring.predictionLog",
    },
    {
      what: "quality without labels",
      text: withAnalysis("{ quality: {} }", logged),
      problem: "rollout.analysis.quality: needs monitoring.quality.labels: where do the labels",
    },
    {
      what: "quality of a ranking",
      text: withAnalysis(
        "{ quality: {} }",
        `${labelled}evaluation: { task: ranking, queryColumn: query }\n`,
      ),
      problem: "rollout.analysis.quality: has no loss for ranking",
    },
    {
      what: "skew without a log",
      text: `${exampleManifest}monitoring: { skew: {} }\n`,
      problem: "monitoring.skew: needs monitoring.predictionLog",
    },
    {
      what: "a log that is neither a table nor a folder",
      text: `${exampleManifest}monitoring: { predictionLog: "bq://project" }\n`,
      problem: "monitoring.predictionLog: must be bq://project.dataset.table, or a gs:// folder",
    },
    {
      what: "a metric without a domain",
      text: withAnalysis("{ business: { metric: conversion, better: higher } }"),
      problem: "must be a metric type, for example custom.googleapis.com/shop/conversion",
    },
    {
      what: "a metric without a direction",
      text: withAnalysis("{ business: { metric: custom.googleapis.com/a/b } }"),
      problem: "rollout.analysis.business.better: is missing; must be one of higher, lower",
    },
  ])("is refused for $what", ({ text, problem }) => {
    expect(problems(text).join("\n")).toContain(problem);
  });
});
