/** What the measurements that a manifest asks for say about a challenger: evidence against it, and what is missing. */
import { logEProcess } from "../statistics/e-process.js";
import { evidenceShares } from "../statistics/evidence-shares.js";
import { logMeanExp } from "../statistics/latency.js";
import {
  excessOfMean,
  excessOverRatio,
  logMeanExcess,
  type Sums,
} from "../statistics/mean-excess.js";
import type { Manifest } from "../manifest/schema.js";
import { cellText, referenceAnswersMin } from "./signals.js";
import type { AnswerCounts, Segment } from "./state.js";

type AnalysisPolicy = Manifest["rollout"]["analysis"];

/** What a challenger may be worse in, its log evidence, and its share of the type I error. */
export interface Evidence {
  readonly about:
    | "error rate"
    | "latency"
    | "memory"
    | "processor use"
    | "prediction distribution"
    | "business metric"
    | "quality";
  readonly log: number;
  readonly share: number;
}

/** One signal's part of a verdict. */
export interface SignalJudgement {
  readonly evidence: Evidence;
  readonly numbers: Readonly<Record<string, number>>;
  /** What was seen, in words, for a verdict that rests on it. */
  readonly seen: string;
  /** What the step still waits for; null when nothing. */
  readonly lacks: string | null;
}

const share = evidenceShares.signal;
/** Stretches with less than this have no spread worth the name. */
const windowsOfStretchMin = 5;
const labelsOfStretchMin = 30;
/** Sharpest at about 35 windows, and at about 900 labelled predictions. */
const rhoOfWindows = 0.5;
const rhoOfLabels = 0.1;

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

type Answered = Segment & { readonly answers: AnswerCounts };

const hasAnswers = (segment: Segment): segment is Answered => segment.answers !== undefined;

const cellsKey = ({ answers: { scores, classes } }: Answered): string =>
  JSON.stringify([scores, classes]);

/**
 * Log evidence that some cell holds more than `ratioMax` times the champion's share of it: the conditional-binomial
 * process of each cell (an answer in it is the challenger's with at most the probability that the split gives), and
 * their mean. Stretches whose cells differ are independent of each other, so their values multiply.
 */
const logAnswers = (segments: readonly Answered[], ratioMax: number) => {
  const groups = new Map<string, Answered[]>();
  for (const segment of segments) {
    const key = cellsKey(segment);
    groups.set(key, [...(groups.get(key) ?? []), segment]);
  }
  let log = 0;
  let worst = { log: -Infinity, cell: 0 };
  for (const group of groups.values()) {
    const cells = group[0]?.answers.challenger.length ?? 0;
    const logs = Array.from({ length: cells }, (_, cell) =>
      logEProcess(
        group.map(({ weight, answers }) => {
          const challengerErrors = answers.challenger[cell] ?? 0;
          const errors = challengerErrors + (answers.champion[cell] ?? 0);
          return { share: weight / 100, challengerErrors, errors };
        }),
        { rho0: ratioMax },
      ),
    );
    log += logMeanExp(logs);
    worst = logs.reduce((most, one, cell) => (one > most.log ? { log: one, cell } : most), {
      log: -Infinity,
      cell: 0,
    });
  }
  return { log, cell: worst.cell };
};

const percent = (part: number, whole: number): string =>
  whole === 0 ? "none" : `${((100 * part) / whole).toFixed(1)} %`;

const judgeAnswers = (
  concurrent: readonly Segment[],
  current: Segment,
  { ratioMax, requestsMin }: NonNullable<AnalysisPolicy["predictions"]>,
): SignalJudgement => {
  const { log, cell } = logAnswers(concurrent.filter(hasAnswers), ratioMax);
  const own = current.answers?.challenger ?? [];
  const champion = current.answers?.champion ?? [];
  const [requests, championRequests] = [total(own), total(champion)];
  const where = current.answers === undefined ? "" : cellText(current.answers, cell);
  // At 100 % nobody answers beside the challenger.
  const isShort = current.weight < 100 && Math.min(requests, championRequests) < requestsMin;
  const short =
    current.answers === undefined
      ? `fewer than ${referenceAnswersMin} logged answers of the champion, from before the rollout or in this step, to compare by`
      : `${requests} logged requests of the challenger and ${championRequests} of the champion, ${requestsMin} of each are needed`;
  return {
    evidence: { about: "prediction distribution", log, share },
    numbers: {
      predictions: requests,
      championPredictions: championRequests,
      predictionRatioMax: ratioMax,
      logEvidencePredictions: log,
    },
    seen: `${where}: ${percent(own[cell] ?? 0, requests)} of ${requests} logged requests, the champion's ${percent(champion[cell] ?? 0, championRequests)} of ${championRequests} (allowed ${ratioMax} times as many)`,
    lacks: isShort ? short : null,
  };
};

const judgeBusiness = (
  concurrent: readonly Segment[],
  current: Segment,
  { metric, windowsMin, worseShareMax, better }: NonNullable<AnalysisPolicy["business"]>,
): SignalJudgement => {
  const log = logMeanExcess(
    concurrent.flatMap(({ business }) =>
      business === undefined ? [] : (excessOfMean(business.excess, windowsOfStretchMin) ?? []),
    ),
    { rho: rhoOfWindows },
  );
  const windows = current.business?.excess.count ?? 0;
  const { champion = 0, challenger = 0, unreadable = 0 } = current.business ?? {};
  return {
    evidence: { about: "business metric", log, share },
    numbers: {
      businessWindows: windows,
      businessValue: challenger,
      championBusinessValue: champion,
      businessPointsUnreadable: unreadable,
      businessWorseShareMax: worseShareMax,
      logEvidenceBusiness: log,
    },
    seen: `${metric} ${challenger.toPrecision(4)} against the champion's ${champion.toPrecision(4)} over ${windows} windows (${better} is better, ${100 * worseShareMax} % worse is allowed)`,
    lacks:
      current.weight < 100 && windows < windowsMin
        ? `${windows} of ${windowsMin} windows in which both have ${metric}`
        : null,
  };
};

const joined = (sums: readonly Sums[]): Sums =>
  sums.reduce(
    (all, { count, sum, sumSquares }) => ({
      count: all.count + count,
      sum: all.sum + sum,
      sumSquares: all.sumSquares + sumSquares,
    }),
    { count: 0, sum: 0, sumSquares: 0 },
  );

const mean = ({ count, sum }: Sums): number => (count === 0 ? 0 : sum / count);

const judgeQuality = (
  current: Segment,
  { lossRatioMax, labelsMin }: NonNullable<AnalysisPolicy["quality"]>,
): SignalJudgement => {
  const losses = current.losses ?? [];
  const log = logMeanExcess(
    losses.flatMap(
      ({ champion, challenger }) =>
        excessOverRatio(challenger, champion, {
          ratioMax: lossRatioMax,
          countMin: labelsOfStretchMin,
        }) ?? [],
    ),
    { rho: rhoOfLabels },
  );
  const own = joined(losses.map(({ challenger }) => challenger));
  const champion = joined(losses.map((one) => one.champion));
  return {
    evidence: { about: "quality", log, share },
    numbers: {
      labelled: own.count,
      championLabelled: champion.count,
      loss: mean(own),
      championLoss: mean(champion),
      lossRatioMax,
      logEvidenceQuality: log,
    },
    seen: `mean loss ${mean(own).toPrecision(4)} on ${own.count} labelled predictions, the champion's ${mean(champion).toPrecision(4)} on ${champion.count} (allowed ${lossRatioMax} times as much)`,
    lacks:
      own.count < labelsMin
        ? `labels came for ${own.count} of ${labelsMin} predictions of the challenger`
        : null,
  };
};

/** The judgements of all signals that the manifest asks for, of a step and those before it. */
export const judgeSignals = (
  earlier: readonly Segment[],
  current: Segment,
  { predictions, business, quality }: AnalysisPolicy,
): readonly SignalJudgement[] => {
  const concurrent = [...earlier, current].filter(({ weight }) => weight < 100);
  return [
    ...(predictions === undefined ? [] : [judgeAnswers(concurrent, current, predictions)]),
    ...(business === undefined ? [] : [judgeBusiness(concurrent, current, business)]),
    ...(quality === undefined ? [] : [judgeQuality(current, quality)]),
  ];
};
