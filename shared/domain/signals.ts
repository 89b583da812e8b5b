/** What a rollout is looked at for when its manifest asks: answers, a metric of the user's own, losses under late labels. */
import type { DeployedModelId } from "../../events/ids.js";
import { sumsOf } from "../statistics/mean-excess.js";
import type { ArrivedLabel } from "./quality.js";
import type { AnswerCounts, BusinessWindows, LabelledLosses } from "./state.js";

/** A score or a class; null for an answer that holds neither. */
export type Answer = number | string | null;

/** The champion's answers that the cells are made from, at least. */
export const referenceAnswersMin = 200;
const classesMax = 20;
const parts = 10;

type Cells = Pick<AnswerCounts, "scores" | "classes">;

const isScore = (answer: Answer): answer is number =>
  typeof answer === "number" && !Number.isNaN(answer);

/** Cells from the champion's earlier answers: tenths of its scores, and its most frequent classes. O(n log n). */
export const cellsOf = (answers: readonly Answer[]): Cells => {
  const scores = answers.filter(isScore).toSorted((a, b) => a - b);
  const cuts = Array.from({ length: parts - 1 }, (_, index) =>
    scores.at(Math.floor(((index + 1) * scores.length) / parts)),
  ).filter((cut) => cut !== undefined);
  const counts = new Map<string, number>();
  for (const answer of answers) {
    if (typeof answer === "string") counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  const classes = [...counts]
    .toSorted(([a, many], [b, few]) => few - many || (a < b ? -1 : 1))
    .slice(0, classesMax)
    .map(([name]) => name);
  return { scores: [...new Set(cuts)], classes };
};

/** Below each cut, at it, and above the last; then each class, other classes, and what is neither. */
const cellCount = ({ scores, classes }: Cells): number =>
  2 * scores.length + 1 + classes.length + 2;

const cellIndex = (cells: Cells, answer: Answer): number => {
  const numeric = 2 * cells.scores.length + 1;
  if (typeof answer === "string") {
    const known = cells.classes.indexOf(answer);
    return numeric + (known < 0 ? cells.classes.length : known);
  }
  if (!isScore(answer)) return cellCount(cells) - 1;
  const cut = cells.scores.findIndex((score) => answer <= score);
  if (cut < 0) return numeric - 1;
  // A score that is given again and again is a cell of its own: a constant one would hide in a wider cell.
  return cells.scores[cut] === answer ? 2 * cut + 1 : 2 * cut;
};

/** Answers by cell. O(answers x cells). */
export const countAnswers = (cells: Cells, answers: readonly Answer[]): readonly number[] => {
  const counts = Array.from({ length: cellCount(cells) }, () => 0);
  for (const answer of answers) {
    const index = cellIndex(cells, answer);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
};

/** A cell in words. */
export const cellText = (cells: Cells, index: number): string => {
  const { scores, classes } = cells;
  const cut = index >> 1;
  if (index < 2 * scores.length) {
    const above = index % 2 === 1 || cut === 0 ? "" : ` above ${scores[cut - 1] ?? 0} and`;
    return index % 2 === 1
      ? `scores of ${scores[cut] ?? 0}`
      : `scores${above} below ${scores[cut] ?? 0}`;
  }
  if (index === 2 * scores.length) {
    return scores.length === 0 ? "scores" : `scores above ${scores.at(-1) ?? 0}`;
  }
  const place = index - 2 * scores.length - 1;
  if (place < classes.length) return `class ${JSON.stringify(classes[place])}`;
  return place === classes.length ? "other classes" : "answers that hold no score";
};

/** One point of a time series; NaN where its writer had no value. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
}

/** What a business metric may do in one stretch of time. */
export interface BusinessRule {
  readonly better: "higher" | "lower";
  readonly worseShareMax: number;
  readonly windowSeconds: number;
}

/** Beyond this size a square is no number any more: such values are left out like those that are none. */
const sizeMax = 1e150;
const isUsable = (value: number): boolean => Math.abs(value) <= sizeMax;

/** The mean of each whole window that holds a point. */
const windowMeans = (
  points: readonly Point[],
  span: { readonly sinceMs: number; readonly untilMs: number },
  windowMs: number,
): ReadonlyMap<number, number> => {
  const windows = new Map<number, { sum: number; count: number }>();
  for (const { atMs, value } of points) {
    const index = Math.ceil((atMs - span.sinceMs) / windowMs) - 1;
    const isWhole = index >= 0 && span.sinceMs + (index + 1) * windowMs <= span.untilMs;
    if (!isWhole || !isUsable(value)) continue;
    const { sum, count } = windows.get(index) ?? { sum: 0, count: 0 };
    windows.set(index, { sum: sum + value, count: count + 1 });
  }
  return new Map([...windows].map(([index, { sum, count }]) => [index, sum / count]));
};

const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * How much worse than allowed the challenger's metric was in each window in which both arms have it. A point that is no
 * number is left out and counted; a window that is not over yet does not count.
 */
export const businessWindows = (
  points: { readonly champion: readonly Point[]; readonly challenger: readonly Point[] },
  span: { readonly sinceMs: number; readonly untilMs: number },
  { better, worseShareMax, windowSeconds }: BusinessRule,
): BusinessWindows => {
  const means = windowMeans(points.champion, span, windowSeconds * 1000);
  const own = windowMeans(points.challenger, span, windowSeconds * 1000);
  const both = [...own].flatMap(([index, challenger]) => {
    const champion = means.get(index);
    return champion === undefined ? [] : [{ champion, challenger }];
  });
  const direction = better === "higher" ? 1 : -1;
  return {
    excess: sumsOf(
      both.map(
        ({ champion, challenger }) =>
          direction * (champion - challenger) - worseShareMax * Math.abs(champion),
      ),
    ),
    champion: meanOf(both.map(({ champion }) => champion)),
    challenger: meanOf(both.map(({ challenger }) => challenger)),
    unreadable: [...points.champion, ...points.challenger].filter(({ value }) => !isUsable(value))
      .length,
  };
};

/** A prediction that labels can be joined with. */
export interface ArmPrediction {
  readonly id: string;
  readonly timeMs: number;
  readonly deployedModelId: DeployedModelId;
  /** The positive class's probability, or the predicted number; NaN for any other answer. */
  readonly score: number;
}

/** Squared distance of a probability from what came true; of a predicted number, its absolute error. */
const lossOf = (score: number, label: string, positiveClass: string | undefined): number => {
  if (positiveClass === undefined) return Math.abs(score - Number(label));
  return (score - (label === positiveClass ? 1 : 0)) ** 2;
};

/**
 * Losses of each arm in each stretch of constant weight, for the predictions whose label has come. As for realised
 * quality, a prediction that was logged twice counts once, as it was first, and of labels for one id the newest counts;
 * a label that is no number where numbers are predicted counts as not come. O(predictions x stretches + labels).
 */
export const labelledLosses = (
  predictions: readonly ArmPrediction[],
  arrived: readonly ArrivedLabel[],
  look: {
    readonly champion: DeployedModelId | null;
    readonly challenger: DeployedModelId;
    readonly stretches: readonly { readonly sinceMs: number; readonly untilMs: number }[];
    readonly positiveClass: string | undefined;
  },
): readonly LabelledLosses[] => {
  const labelOf = new Map(arrived.map(({ id, label }) => [id, label]));
  const first = new Map<string, ArmPrediction>();
  for (const prediction of predictions) {
    if (!first.has(prediction.id)) first.set(prediction.id, prediction);
  }
  const known = [...first.values()].flatMap(({ id, timeMs, deployedModelId, score }) => {
    const label = labelOf.get(id);
    const loss = label === undefined ? NaN : lossOf(score, label, look.positiveClass);
    return isUsable(loss) ? [{ timeMs, deployedModelId, loss }] : [];
  });
  return look.stretches.map(({ sinceMs, untilMs }) => {
    const lossesOf = (id: DeployedModelId | null) =>
      sumsOf(
        known.flatMap(({ timeMs, deployedModelId, loss }) =>
          deployedModelId === id && timeMs >= sinceMs && timeMs < untilMs ? [loss] : [],
        ),
      );
    return { champion: lossesOf(look.champion), challenger: lossesOf(look.challenger) };
  });
};
