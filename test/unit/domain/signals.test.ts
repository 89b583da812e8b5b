import { describe, expect, it } from "vitest";
import { deployedModelId } from "../../../events/ids.js";
import { assess } from "../../../shared/domain/analysis.js";
import {
  businessWindows,
  cellsOf,
  cellText,
  countAnswers,
  labelledLosses,
  type Answer,
} from "../../../shared/domain/signals.js";
import type { Segment, Verdict } from "../../../shared/domain/state.js";
import { sumsOf } from "../../../shared/statistics/mean-excess.js";
import { seededRandom } from "../../../shared/statistics/random.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { armOf, nowMs, segmentOf } from "./situations.js";

const random = seededRandom(21);
const champion = deployedModelId.parse("1");
const challenger = deployedModelId.parse("2");
const healthy = { champion: armOf(900), challenger: armOf(100) };

const { analysis } = manifestOf({
  rollout: {
    analysis: {
      requestsMin: 50,
      predictions: {},
      quality: { labelsMin: 30 },
      business: { metric: "custom.googleapis.com/shop/conversion", better: "higher" },
    },
  },
  monitoring: {
    predictionLog: "gs://demo/predictions",
    quality: { labels: "gs://demo/labels/" },
  },
}).rollout;

/** Squares of uniform numbers, so that most scores are low; `lift` moves them up. */
const scores = (count: number, lift = 0): readonly number[] =>
  Array.from({ length: count }, () => lift + (1 - lift) * random() ** 2);

const cells = cellsOf(scores(2000));

const answersOf = (own: readonly Answer[], others: readonly Answer[] = scores(900)) => ({
  ...cells,
  challenger: countAnswers(cells, own),
  champion: countAnswers(cells, others),
});

const pointsOf = (values: readonly number[], stepMs = 60_000) =>
  values.map((value, index) => ({ atMs: (index + 1) * stepMs, value }));

const conversion = (values: readonly number[], others: readonly number[]) =>
  businessWindows(
    { challenger: pointsOf(values), champion: pointsOf(others) },
    { sinceMs: 0, untilMs: 60_000 * values.length },
    { better: "higher", worseShareMax: 0.05, windowSeconds: 60 },
  );

const about = (mean: number, count: number): readonly number[] =>
  Array.from({ length: count }, () => mean + 0.01 * (random() - 0.5));

const lossesOf = (mean: number, count: number) =>
  sumsOf(Array.from({ length: count }, () => mean * 2 * random()));

const fine = (): Segment =>
  segmentOf(healthy, {
    answers: answersOf(scores(100)),
    business: conversion(about(0.05, 20), about(0.05, 20)),
    losses: [{ challenger: lossesOf(0.2, 60), champion: lossesOf(0.2, 500) }],
  });

const look = (changes: Partial<Segment>): Verdict =>
  assess({
    earlier: [],
    current: { ...fine(), ...changes },
    stepStartedAtMs: nowMs - 61_000,
    bakeMs: 60_000,
    policy: analysis,
  });

describe("a step that is looked at for more than errors and latency", () => {
  it("advances when nothing speaks against the challenger, and says every number and limit", () => {
    const { result, numbers } = look({});
    expect(result).toBe("successful");
    expect(numbers).toMatchObject({
      predictions: 100,
      championPredictions: 900,
      predictionRatioMax: 1.5,
      businessWindows: 20,
      businessWorseShareMax: 0.05,
      labelled: 60,
      championLabelled: 500,
      lossRatioMax: 1.1,
      alpha: 0.05,
      errorRatioMax: analysis.errorRatioMax,
    });
    for (const name of ["Predictions", "Business", "Quality"]) {
      expect(numbers[`logEvidence${name}`]).toBeLessThan(3);
    }
  });

  it.each<{ what: string; changes: Partial<Segment>; reason: RegExp }>([
    {
      what: "higher scores",
      changes: { answers: answersOf(scores(100, 0.5)) },
      reason:
        /^prediction distribution of the challenger differs: evidence .*; scores above 0\.\d+.*: \d+\.\d % of 100 logged requests, the champion's \d+\.\d % of 900 \(allowed 1\.5 times as many\)$/,
    },
    {
      what: "one score for every request",
      changes: { answers: answersOf(Array.from({ length: 100 }, () => 0.123)) },
      reason: /prediction distribution of the challenger differs/,
    },
    {
      what: "answers that hold no score",
      changes: { answers: answersOf(Array.from({ length: 100 }, () => null)) },
      reason: /answers that hold no score: 100\.0 % of 100 logged requests, the champion's 0\.0 %/,
    },
    {
      what: "a worse conversion",
      changes: { business: conversion(about(0.04, 30), about(0.05, 30)) },
      reason:
        /^business metric of the challenger is worse: .*; custom\.googleapis\.com\/shop\/conversion 0\.0\d+ against the champion's 0\.0\d+ over 30 windows \(higher is better, 5 % worse is allowed\)$/,
    },
    {
      what: "a worse conversion that never varies",
      changes: {
        business: conversion(
          Array.from({ length: 20 }, () => 4),
          Array.from({ length: 20 }, () => 5),
        ),
      },
      reason: /business metric of the challenger is worse/,
    },
    {
      what: "larger losses",
      changes: { losses: [{ challenger: lossesOf(0.35, 300), champion: lossesOf(0.2, 2000) }] },
      reason:
        /^quality of the challenger is worse: .*; mean loss 0\.3\d+ on 300 labelled predictions, the champion's 0\.\d+ on 2000 \(allowed 1\.1 times as much\)$/,
    },
  ])("fails for $what", ({ changes, reason }) => {
    const { result, reasons } = look(changes);
    expect(reasons.join("\n")).toMatch(reason);
    expect(result).toBe("failed");
  });

  it.each<{ what: string; changes: Partial<Segment>; reason: string }>([
    {
      what: "few logged requests",
      changes: { answers: answersOf(scores(99)) },
      reason:
        "99 logged requests of the challenger and 900 of the champion, 100 of each are needed",
    },
    {
      what: "few windows of the metric",
      changes: { business: conversion(about(0.05, 9), about(0.05, 9)) },
      reason: "9 of 10 windows in which both have custom.googleapis.com/shop/conversion",
    },
    {
      what: "few labels where some are asked for",
      changes: { losses: [{ challenger: lossesOf(0.2, 29), champion: lossesOf(0.2, 500) }] },
      reason: "labels came for 29 of 30 predictions of the challenger",
    },
  ])("is inconclusive with $what", ({ changes, reason }) => {
    expect(look(changes)).toMatchObject({ result: "inconclusive", reasons: [reason] });
  });

  it("is inconclusive when nothing of it was measured at all", () => {
    const { answers: _a, business: _b, losses: _l, ...bare } = fine();
    const verdict = assess({
      earlier: [],
      current: bare,
      stepStartedAtMs: nowMs - 61_000,
      bakeMs: 60_000,
      policy: analysis,
    });
    expect(verdict.result).toBe("inconclusive");
    expect(verdict.reasons).toHaveLength(3);
    expect(Object.values(verdict.numbers).every(Number.isFinite)).toBe(true);
  });

  it("is an error when one of them cannot be read, unless what can be read fails it", () => {
    const problems = ["the prediction distribution could not be measured: no such table"];
    expect(look({ problems })).toMatchObject({ result: "error", reasons: problems });
    const failing = { champion: armOf(900), challenger: armOf(100, 30) };
    expect(look({ problems, ...failing }).result).toBe("failed");
  });

  it("keeps what it measured, and makes the same verdict of it again", () => {
    const first = look({ answers: answersOf(scores(100, 0.5)) });
    const kept = JSON.parse(JSON.stringify(first.measured)) as Segment;
    const again = assess({
      earlier: [],
      current: kept,
      stepStartedAtMs: nowMs - 61_000,
      bakeMs: 60_000,
      policy: analysis,
    });
    expect(again).toEqual(first);
  });
});

describe("answers", () => {
  it("of two equal arms are told apart in at most 5 % of the rollouts, looked at 20 times", () => {
    const isEverFound = (): boolean => {
      const own: number[] = [];
      const others: number[] = [];
      for (let step = 0; step < 20; step += 1) {
        own.push(...scores(20));
        others.push(...scores(180));
        const { numbers } = look({ answers: answersOf(own, others) });
        if ((numbers["logEvidencePredictions"] ?? 0) >= -Math.log(0.05)) return true;
      }
      return false;
    };
    const found = Array.from({ length: 100 }, isEverFound).filter(Boolean).length;
    expect(found).toBeLessThanOrEqual(5);
  });

  it("that are classes have cells of their own, and unknown ones share one", () => {
    const byClass = cellsOf([...Array.from({ length: 9 }, () => "cat"), "dog"]);
    expect(byClass).toEqual({ scores: [], classes: ["cat", "dog"] });
    const counts = countAnswers(byClass, ["dog", "dog", "cow", null, Number.NaN, 0.5]);
    expect(counts).toEqual([1, 0, 2, 1, 2]);
    expect(counts.map((_, cell) => cellText(byClass, cell))).toEqual([
      "scores",
      'class "cat"',
      'class "dog"',
      "other classes",
      "answers that hold no score",
    ]);
  });

  it("that are all one score leave it a cell, with others below and above", () => {
    const constant = cellsOf(Array.from({ length: 500 }, () => 0.5));
    expect(countAnswers(constant, [0.4, 0.5, 0.5, 0.6, Infinity])).toEqual([1, 2, 2, 0, 0]);
    expect([0, 1, 2].map((cell) => cellText(constant, cell))).toEqual([
      "scores below 0.5",
      "scores of 0.5",
      "scores above 0.5",
    ]);
  });
});

describe("a business metric", () => {
  const span = { sinceMs: 0, untilMs: 180_000 };
  const rule = { better: "lower", worseShareMax: 0, windowSeconds: 60 } as const;

  it("is the mean of whole windows that both arms have, without what is no number", () => {
    const measured = businessWindows(
      {
        champion: pointsOf([1, 3, 5, 5, 2, 2], 30_000),
        challenger: [
          { atMs: 30_000, value: Number.NaN },
          { atMs: 60_000, value: 4 },
          { atMs: 179_000, value: 6 },
          // Of a window that is not over.
          { atMs: 200_000, value: 1000 },
        ],
      },
      span,
      rule,
    );
    expect(measured).toEqual({
      excess: { count: 2, sum: 2 + 4, sumSquares: 4 + 16 },
      champion: 2,
      challenger: 5,
      unreadable: 1,
    });
  });

  it("of nobody is no window", () => {
    expect(businessWindows({ champion: [], challenger: [] }, span, rule)).toEqual({
      excess: { count: 0, sum: 0, sumSquares: 0 },
      champion: 0,
      challenger: 0,
      unreadable: 0,
    });
  });
});

describe("losses under late labels", () => {
  const prediction = (id: string, score: number, timeMs = 10, own = true) => ({
    id,
    timeMs,
    deployedModelId: own ? challenger : champion,
    score,
  });
  const stretches = [
    { sinceMs: 0, untilMs: 100 },
    { sinceMs: 100, untilMs: 200 },
  ];
  const at = { champion, challenger, stretches, positiveClass: "yes" };

  it("belong to the stretch and the arm that predicted, once an id, by the newest label", () => {
    const [first, second] = labelledLosses(
      [
        prediction("a", 0.5),
        prediction("a", 0.9, 20, false),
        prediction("b", 0.25, 150, false),
        prediction("c", Number.NaN),
        prediction("late", 0.5),
      ],
      [
        { id: "a", label: "no" },
        { id: "a", label: "yes" },
        { id: "b", label: "no" },
        { id: "c", label: "yes" },
        { id: "stranger", label: "yes" },
      ],
      at,
    );
    expect(first?.challenger).toEqual({ count: 1, sum: 0.25, sumSquares: 0.0625 });
    expect(first?.champion.count).toBe(0);
    expect(second?.champion).toEqual({ count: 1, sum: 0.0625, sumSquares: 0.0625 ** 2 });
  });

  it("of numbers are absolute errors, and labels that are no number have not come", () => {
    const [losses] = labelledLosses(
      [prediction("a", 3), prediction("b", 4)],
      [
        { id: "a", label: "5" },
        { id: "b", label: "many" },
      ],
      { ...at, positiveClass: undefined },
    );
    expect(losses?.challenger).toEqual({ count: 1, sum: 2, sumSquares: 4 });
  });
});
