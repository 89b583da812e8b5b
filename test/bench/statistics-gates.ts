/** Simulated promotions and drift windows: wrong decisions, right ones, and how long they take. */
import { evaluationSettings, type EvaluationSettings } from "../../infra/images/configuration.js";
import { assess } from "../../infra/images/evaluator/assess.js";
import { compare } from "../../infra/images/evaluator/compare.js";
import { sideOf } from "../../infra/images/evaluator/metrics.js";
import type { ScoredRows } from "../../infra/images/evaluator/scored-rows.js";
import { chiSquareTest, kolmogorovSmirnov } from "../../shared/statistics/two-sample.js";
import {
  columnDrift,
  distributionEdges,
  numericDistribution,
  type Drift,
} from "../../shared/statistics/drift.js";
import { normalQuantile } from "../../shared/statistics/distributions.js";
import { normalDraw, seededRandom, type Random } from "../../shared/statistics/random.js";

/** A count of decisions. */
export interface Share {
  readonly count: number;
  readonly repetitions: number;
}

/** Rows of which the champion has 80 % right and the challenger `gain` more, 10 % being judged differently. */
function discordantRows(random: Random, rows: number, gain: number): ScoredRows {
  const [wins, losses] = [(0.1 + gain) / 2, (0.1 - gain) / 2];
  const labels = new Uint8Array(rows);
  const [challenger, champion] = [new Float64Array(rows), new Float64Array(rows)];
  const score = (isRight: boolean, label: number): number =>
    isRight === (label === 1) ? 0.9 : 0.1;
  for (let row = 0; row < rows; row += 1) {
    const label = random() < 0.3 ? 1 : 0;
    const draw = random();
    const isWon = draw < wins;
    const isLost = !isWon && draw < wins + losses;
    const isBoth = random() < 0.75 / 0.9;
    labels[row] = label;
    challenger[row] = score(isWon || (!isLost && isBoth), label);
    champion[row] = score(isLost || (!isWon && isBoth), label);
  }
  const slices = new Map();
  return { task: "binary-classification", labels, classes: [], challenger, champion, slices };
}

/** What a promotion asks for. */
export type Comparison = Pick<EvaluationSettings["comparison"], "mode" | "margin">;

const settingsOf = (primaryMetric: "accuracy" | "auc", comparison: Comparison) =>
  evaluationSettings.parse({ primaryMetric, comparison: { ...comparison, alpha: 0.05 } });

/** How often a challenger with this gain of accuracy is promoted: by the paired test, and by a stored score. */
export function simulatePromotion(options: {
  readonly comparison: Comparison;
  readonly gain: number;
  readonly rows: number;
  readonly repetitions: number;
  readonly seed: number;
}): { readonly paired: Share; readonly stored: Share } {
  const random = seededRandom(options.seed);
  const settings = settingsOf("accuracy", options.comparison);
  // A stored score knows no uncertainty: it asks for the margin in what was seen.
  const { mode, margin } = options.comparison;
  const wanted = options.rows * (mode === "superiority" ? margin : -margin);
  let [paired, stored] = [0, 0];
  for (let i = 0; i < options.repetitions; i += 1) {
    const rows = discordantRows(random, options.rows, options.gain);
    const champion = sideOf(rows, rows.champion ?? rows.challenger);
    const found = compare(champion, sideOf(rows, rows.challenger), settings, "champion");
    if (found?.isAccepted === true) paired += 1;
    // The stored score was measured on other rows of the same kind.
    const other = discordantRows(random, options.rows, options.gain);
    const right = (scores: Float64Array | undefined, { labels }: ScoredRows): number =>
      scores?.reduce(
        (sum, score, row) => sum + (score >= 0.5 === (labels[row] === 1) ? 1 : 0),
        0,
      ) ?? 0;
    if (right(rows.challenger, rows) - right(other.champion, other) > wanted) stored += 1;
  }
  const { repetitions } = options;
  return {
    paired: { count: paired, repetitions },
    stored: { count: stored, repetitions },
  };
}

const commonNoise = 0.9;

/** How often a challenger with this gain of the area under the ROC curve is promoted (DeLong); the champion's is 0.8. */
export function simulateAuc(options: {
  readonly comparison: Comparison;
  readonly gain: number;
  readonly rows: number;
  readonly repetitions: number;
  readonly seed: number;
}): Share {
  const random = seededRandom(options.seed);
  const settings = settingsOf("auc", options.comparison);
  // Two normal scores whose means are this far apart have this area.
  const signalOf = (area: number): number => Math.SQRT2 * normalQuantile(area);
  const signals = { champion: signalOf(0.8), challenger: signalOf(0.8 + options.gain) };
  let promoted = 0;
  for (let i = 0; i < options.repetitions; i += 1) {
    const labels = Uint8Array.from({ length: options.rows }, () => (random() < 0.3 ? 1 : 0));
    const common = Float64Array.from(labels, () => Math.sqrt(commonNoise) * normalDraw(random));
    const scores = (signal: number): Float64Array =>
      Float64Array.from(
        labels,
        (label, row) =>
          signal * label + (common[row] ?? 0) + Math.sqrt(1 - commonNoise) * normalDraw(random),
      );
    const rows: ScoredRows = {
      task: "binary-classification",
      labels,
      classes: [],
      challenger: scores(signals.challenger),
      champion: undefined,
      slices: new Map(),
    };
    const champion = sideOf(rows, scores(signals.champion));
    const found = compare(champion, sideOf(rows, rows.challenger), settings, "champion");
    if (found?.isAccepted === true) promoted += 1;
  }
  return { count: promoted, repetitions: options.repetitions };
}

const squash = (value: number): number => 1 / (1 + Math.exp(-value));

/** Rows with 20 slices of 400; the challenger's signal is `fall` weaker in the first one only. */
export function simulateSlices(options: {
  readonly fall: number;
  readonly repetitions: number;
  readonly seed: number;
}): Share {
  const settings = evaluationSettings.parse({
    comparison: { mode: "non-inferiority", margin: 0.01, alpha: 0.05 },
    slices: [{ column: "airport", rowsMin: 300 }],
  });
  const random = seededRandom(options.seed);
  let refused = 0;
  for (let i = 0; i < options.repetitions; i += 1) {
    const airports = Array.from({ length: 8000 }, (_, row) => `a${row % 20}`);
    const labels = Uint8Array.from(airports, () => (random() < 0.3 ? 1 : 0));
    const [challenger, champion] = [new Float64Array(8000), new Float64Array(8000)];
    for (const [row, label] of labels.entries()) {
      const common = 1.5 * label + normalDraw(random);
      const weaker = airports[row] === "a0" ? options.fall * label : 0;
      challenger[row] = squash(common - weaker + 0.3 * normalDraw(random));
      champion[row] = squash(common + 0.3 * normalDraw(random));
    }
    const slices = new Map([["airport", airports]]);
    const found = assess(
      { task: "binary-classification", labels, classes: [], challenger, champion, slices },
      { settings, constantScore: 0.3, models: { challenger: "b" }, digest: "" },
    );
    if (found.slices.some(({ isWorse }) => isWorse === true)) refused += 1;
  }
  return { count: refused, repetitions: options.repetitions };
}

/** Alarms of the detectors on windows of a numeric column. */
type Detector = (sides: {
  readonly reference: Float64Array;
  readonly current: Float64Array;
  readonly counts: readonly [readonly number[], readonly number[]];
  readonly found: Drift;
}) => boolean;

/** The detectors that are compared. */
export const detectors: Readonly<Record<string, Detector>> = {
  "shipped: JSD above 0.03 bits and its null 99 % quantile": ({ found }) =>
    found.value > 0.03 && found.value > found.nullQuantile,
  "JSD above 0.03 bits": ({ found }) => found.value > 0.03,
  "PSI above 0.2": ({ found }) => found.stability > 0.2,
  "Kolmogorov-Smirnov p < 0.01": ({ reference, current }) =>
    kolmogorovSmirnov(reference, current).pAsymptotic < 0.01,
  "chi-square p < 0.01": ({ counts: [before, now] }) => chiSquareTest(before, now).pValue < 0.01,
};

const windowsMax = 20;

/** Share of windows with an alarm, and the mean number of windows to the first one (at most 20 are looked at). */
export function simulateDrift(options: {
  readonly rows: number;
  readonly shift: number;
  readonly repetitions: number;
  readonly seed: number;
}): readonly (Share & { readonly detector: string; readonly delay: number })[] {
  const random = seededRandom(options.seed);
  const draw = (shift: number): Float64Array =>
    Float64Array.from({ length: options.rows }, () => shift + normalDraw(random));
  const names = Object.keys(detectors);
  const alarms = new Map<string, boolean[]>(names.map((name) => [name, []]));
  for (let i = 0; i < options.repetitions; i += 1) {
    const reference = draw(0);
    const current = draw(options.shift);
    const edges = distributionEdges(reference.toSorted());
    const sides = [reference, current].map((values) => numericDistribution(values, edges));
    const [before, now] = sides;
    if (before === undefined || now === undefined) continue;
    const window = {
      reference,
      current,
      counts: [before.counts, now.counts] as const,
      found: columnDrift(before, now),
    };
    for (const name of names) {
      alarms.get(name)?.push(detectors[name]?.(window) === true);
    }
  }
  return [...alarms].map(([detector, found]) => {
    const waits: number[] = [];
    let waited = 0;
    for (const isAlarm of found) {
      waited += 1;
      if (!isAlarm && waited < windowsMax) continue;
      waits.push(waited);
      waited = 0;
    }
    return {
      detector,
      count: found.filter(Boolean).length,
      repetitions: options.repetitions,
      delay: waits.reduce((sum, wait) => sum + wait, 0) / Math.max(1, waits.length),
    };
  });
}
