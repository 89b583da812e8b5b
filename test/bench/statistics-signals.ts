/** Rules of what a manifest may ask for beside errors and latency: answers, a metric of the user's own, delayed quality. */
import { businessWindows, cellsOf, countAnswers } from "../../shared/domain/signals.js";
import { manifestSchema } from "../../shared/manifest/schema.js";
import { chiSquareUpper, normalUpper } from "../../shared/statistics/distributions.js";
import {
  excessOfMean,
  excessOverRatio,
  type Excess,
  type Sums,
} from "../../shared/statistics/mean-excess.js";
import { normalDraw, type Random } from "../../shared/statistics/random.js";
import {
  canary,
  isRolledBack,
  playCanaries,
  type Outcome,
  type PlayOptions,
  type Rule,
} from "./canaries.js";

/** One case of a signal, under the shipped rule and under a test that takes each look for the only one. */
export interface SignalScenario {
  readonly name: string;
  readonly isNull: boolean;
  readonly play: (options: PlayOptions) => readonly Outcome[];
}

/** What all cases of one signal share. */
export interface Signal {
  readonly name: string;
  /** What is simulated, in sentences. */
  readonly about: string;
  readonly rules: readonly string[];
  readonly scenarios: readonly SignalScenario[];
}

const { alpha, share } = canary;
const shippedName = "shipped";
const analysisOf = (asked: unknown) =>
  manifestSchema.shape.rollout.parse({ analysis: asked }).analysis;

const requests = { requests: 0, errors: 0, latencies: [] };
const served = {
  champion: { ...requests, requests: 900 },
  challenger: { ...requests, requests: 100 },
};

const sums = (values: readonly number[]): Sums => {
  let [sum, sumSquares] = [0, 0];
  for (const value of values) {
    sum += value;
    sumSquares += value * value;
  }
  return { count: values.length, sum, sumSquares };
};

const joined = (all: readonly Sums[]): Sums => {
  let [count, sum, sumSquares] = [0, 0, 0];
  for (const one of all) {
    count += one.count;
    sum += one.sum;
    sumSquares += one.sumSquares;
  }
  return { count, sum, sumSquares };
};

const isSignificant = (excess: Excess | null): boolean =>
  excess !== null && normalUpper(excess.value / excess.standardError) < alpha;

/** Logged answers a minute, a fifth of the requests. */
const answersPerMinute = { champion: 180, challenger: 20 } as const;
const predictions = analysisOf({ predictions: {} });

/** Scores in standard deviations of the champion's; only their order matters to cells that are quantiles. */
function answers({ shift = 0, own = 0, shared = 0, constant = 0 }): SignalScenario["play"] {
  interface Minute {
    readonly champion: readonly number[];
    readonly challenger: readonly number[];
  }
  return (options) => {
    let cells = cellsOf([]);
    const next = (random: Random, minute: number): Minute => {
      if (minute === 0) cells = cellsOf(Array.from({ length: 2000 }, () => normalDraw(random)));
      const both = shared * normalDraw(random);
      const draw = (count: number, mean: number, stuck: number): readonly number[] => {
        const moved = both + mean + own * normalDraw(random);
        const values = Array.from({ length: count }, () =>
          random() < stuck ? 0 : moved + normalDraw(random),
        );
        return countAnswers(cells, values);
      };
      return {
        champion: draw(answersPerMinute.champion, 0, 0),
        challenger: draw(answersPerMinute.challenger, shift, constant),
      };
    };
    const counted = (minutes: readonly Minute[], version: "champion" | "challenger"): number[] => {
      const all = Array.from({ length: minutes[0]?.champion.length ?? 0 }, () => 0);
      for (const minute of minutes) {
        for (const [cell, count] of minute[version].entries()) all[cell] = (all[cell] ?? 0) + count;
      }
      return all;
    };
    const rules: Record<string, Rule<Minute>> = {
      [shippedName]: (minutes) =>
        isRolledBack(
          [
            {
              ...served,
              answers: {
                ...cells,
                champion: counted(minutes, "champion"),
                challenger: counted(minutes, "challenger"),
              },
            },
          ],
          predictions,
        ),
      [naiveAnswers]: (minutes) => {
        const [a, b] = [counted(minutes, "champion"), counted(minutes, "challenger")];
        let [statistic, used] = [0, 0];
        for (const [cell, count] of a.entries()) {
          const all = count + (b[cell] ?? 0);
          if (all === 0) continue;
          used += 1;
          statistic += ((b[cell] ?? 0) - share * all) ** 2 / (share * (1 - share) * all);
        }
        return chiSquareUpper(statistic, used - 1) < alpha;
      },
    };
    return playCanaries(rules, next, options);
  };
}
const naiveAnswers = "chi-square p < 0.05 at each look";

const business = analysisOf({
  business: { metric: "custom.googleapis.com/shop/conversion", better: "higher" },
});
const rule = { better: "higher", worseShareMax: 0.05, windowSeconds: 60 } as const;
const naiveMean = "z-test p < 0.05 at each look, from the tenth minute on";
const naiveMinutesMin = 10;

/** A mean of 100 a minute; the challenger has a tenth of the requests, and so three times the noise. */
function businessMetric({ worse = 0, shared = 0, tails = 0 }): SignalScenario["play"] {
  interface Minute {
    readonly champion: number;
    readonly challenger: number;
  }
  return (options) => {
    const next = (random: Random): Minute => {
      const both = shared * normalDraw(random);
      // Of the same mean and spread, with a tail to the right where asked for.
      const noise = (): number =>
        tails === 0
          ? normalDraw(random)
          : (Math.exp(tails * normalDraw(random)) - Math.exp(tails ** 2 / 2)) /
            Math.sqrt(Math.exp(tails ** 2) * (Math.exp(tails ** 2) - 1));
      return {
        champion: (100 + both) * (1 + 0.05 * noise()),
        challenger: (100 + both) * (1 - worse) * (1 + 0.15 * noise()),
      };
    };
    const windows = (minutes: readonly Minute[]) =>
      businessWindows(
        {
          champion: minutes.map(({ champion }, i) => ({ atMs: 60_000 * (i + 1), value: champion })),
          challenger: minutes.map(({ challenger }, i) => ({
            atMs: 60_000 * (i + 1),
            value: challenger,
          })),
        },
        { sinceMs: 0, untilMs: 60_000 * minutes.length },
        rule,
      );
    const rules: Record<string, Rule<Minute>> = {
      [shippedName]: (minutes) =>
        isRolledBack([{ ...served, business: windows(minutes) }], business),
      [naiveMean]: (minutes) =>
        minutes.length >= naiveMinutesMin &&
        isSignificant(excessOfMean(windows(minutes).excess, naiveMinutesMin)),
    };
    return playCanaries(rules, next, options);
  };
}

/** Labels a minute, in tenths of the traffic. */
const labelsPerMinute = { champion: 180, challenger: 20 } as const;
const quality = analysisOf({ quality: {} });
const { lossRatioMax } = quality.quality ?? { lossRatioMax: 1 };
/** Squared error of a calibrated probability that is uniform on (0, 1), and what an error of the score of 0.1 adds. */
const championLoss = 1 / 6 + 0.1 ** 2;

/** Squared errors of probabilities: the challenger's scores err so much more that its mean loss is `ratio` times as large. */
function delayedQuality({ ratio = 1, own = 0 }): SignalScenario["play"] {
  interface Minute {
    readonly champion: Sums;
    readonly challenger: Sums;
  }
  return (options) => {
    const next = (random: Random): Minute => {
      const draw = (count: number, loss: number): Sums => {
        // The mean of the error's square stays what the ratio asks for.
        const error = Math.sqrt(loss - 1 / 6) * Math.exp(own * normalDraw(random) - own ** 2);
        return sums(
          Array.from({ length: count }, () => {
            const probability = random();
            const label = random() < probability ? 1 : 0;
            return (probability + error * normalDraw(random) - label) ** 2;
          }),
        );
      };
      return {
        champion: draw(labelsPerMinute.champion, championLoss),
        challenger: draw(labelsPerMinute.challenger, ratio * championLoss),
      };
    };
    const losses = (minutes: readonly Minute[]) => ({
      champion: joined(minutes.map(({ champion }) => champion)),
      challenger: joined(minutes.map(({ challenger }) => challenger)),
    });
    const rules: Record<string, Rule<Minute>> = {
      [shippedName]: (minutes) => isRolledBack([{ ...served, losses: [losses(minutes)] }], quality),
      [naiveMean]: (minutes) => {
        const { challenger, champion } = losses(minutes);
        const excess = excessOverRatio(challenger, champion, {
          ratioMax: lossRatioMax,
          countMin: 2,
        });
        return minutes.length >= naiveMinutesMin && isSignificant(excess);
      },
    };
    return playCanaries(rules, next, options);
  };
}

/** The signals, each with equal or tolerated challengers and with worse ones. */
export const signals: readonly Signal[] = [
  {
    name: "prediction distribution",
    about:
      "180 logged answers of the champion and 20 of the challenger a minute, in tenths of 2,000 answers from before; a tenth may be 1.5 times as frequent (`ratioMax`). Shared swings move both versions' scores (spread 0.5 of their own), own noise each for itself (spread 0.1)",
    rules: [shippedName, naiveAnswers],
    scenarios: [
      { name: "equal", isNull: true, play: answers({}) },
      { name: "equal, shared swings", isNull: true, play: answers({ shared: 0.5 }) },
      { name: "equal, own noise", isNull: true, play: answers({ own: 0.1 }) },
      {
        name: "top tenth 1.5 times as frequent, as allowed",
        isNull: true,
        play: answers({ shift: 0.245 }),
      },
      { name: "mean moved by 0.5 deviations", isNull: false, play: answers({ shift: 0.5 }) },
      { name: "by 1 deviation", isNull: false, play: answers({ shift: 1 }) },
      { name: "a fifth of the answers constant", isNull: false, play: answers({ constant: 0.2 }) },
    ],
  },
  {
    name: "business metric",
    about:
      "a mean of 100 a minute with noise of 5 % for the champion and 15 % for the challenger, which may be 5 % worse (`worseShareMax`). Shared swings: spread 10; long tails: lognormal noise (spread 0.8) of the same size",
    rules: [shippedName, naiveMean],
    scenarios: [
      { name: "equal", isNull: true, play: businessMetric({}) },
      { name: "5 % worse, as allowed", isNull: true, play: businessMetric({ worse: 0.05 }) },
      {
        name: "5 % worse, shared swings",
        isNull: true,
        play: businessMetric({ worse: 0.05, shared: 10 }),
      },
      {
        name: "5 % worse, long tails",
        isNull: true,
        play: businessMetric({ worse: 0.05, tails: 0.8 }),
      },
      { name: "10 % worse", isNull: false, play: businessMetric({ worse: 0.1 }) },
      { name: "20 % worse", isNull: false, play: businessMetric({ worse: 0.2 }) },
    ],
  },
  {
    name: "delayed quality",
    about:
      "180 labels of the champion's predictions and 20 of the challenger's a minute, whose mean squared error may be 1.1 times as large (`lossRatioMax`); minutes count from the first label. Own noise: the scores' error swings from minute to minute, for each version by itself (spread 0.5 of its logarithm)",
    rules: [shippedName, naiveMean],
    scenarios: [
      { name: "equal", isNull: true, play: delayedQuality({}) },
      {
        name: "1.1 times the loss, as allowed",
        isNull: true,
        play: delayedQuality({ ratio: 1.1 }),
      },
      {
        name: "1.1 times, own noise",
        isNull: true,
        play: delayedQuality({ ratio: 1.1, own: 0.5 }),
      },
      { name: "1.3 times the loss", isNull: false, play: delayedQuality({ ratio: 1.3 }) },
      { name: "1.5 times", isNull: false, play: delayedQuality({ ratio: 1.5 }) },
    ],
  },
];
