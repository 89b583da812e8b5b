/** The paired comparison of challenger and champion on the same rows. */
import type { Comparison } from "../../../events/artifacts.js";
import { bootstrap } from "../../../shared/statistics/bootstrap.js";
import {
  normalInterval,
  nonInferiorityPValue,
  pairedAuc,
} from "../../../shared/statistics/delong.js";
import { binomialCdf } from "../../../shared/statistics/distributions.js";
import { pairedStandardError } from "../../../shared/statistics/influence.js";
import { predictedClasses } from "../../../shared/statistics/multi-class.js";
import {
  detectableEffect,
  pairedPower,
  pairedRowsNeeded,
} from "../../../shared/statistics/power.js";
import {
  weightedAveragePrecision,
  weightedMacroF1,
  weightedRootMean,
  weightedRSquared,
  type WeightedMetric,
} from "../../../shared/statistics/weighted.js";
import type { EvaluationSettings } from "../configuration.js";
import type { MetricName } from "../../../shared/manifest/metrics.js";
import { directionOf, estimateOf, isShare, unitValues, type Side } from "./metrics.js";

/** An estimated improvement: positive when the challenger is better, whatever the metric's direction. */
export interface PairedEstimate {
  readonly test: Comparison["test"];
  readonly champion: number;
  readonly challenger: number;
  readonly improvement: number;
  readonly standardError: number;
  /** Rows, or queries of a ranking. */
  readonly units: number;
  /** Exact one-sided p-value for no improvement, where the normal one is too rough. */
  readonly pExact?: number;
}

const discordantExactMax = 25;
/** Above this many rows the influence of the rows gives the standard error, quicker and as well. */
const bootstrapRowsMax = 50_000;
const bootstrapRepetitions = 200;

/** Rows that only one version has right decide; few of them are counted exactly. */
function exactMcNemar(champion: Float64Array, challenger: Float64Array): number | undefined {
  let [wins, losses] = [0, 0];
  for (const [row, own] of challenger.entries()) {
    const difference = own - (champion[row] ?? 0);
    if (difference > 0) wins += 1;
    if (difference < 0) losses += 1;
  }
  const discordant = wins + losses;
  return discordant >= discordantExactMax ? undefined : 1 - binomialCdf(wins - 1, discordant, 0.5);
}

/** The metric of resampled rows, for the metrics that are no mean of rows. */
function weighted(metric: MetricName, side: Side): WeightedMetric | undefined {
  const { labels, scores, classes } = side;
  switch (metric) {
    case "average-precision":
      return weightedAveragePrecision(labels, scores);
    case "macro-f1":
      return weightedMacroF1(labels, predictedClasses(scores, classes.length), classes.length);
    case "rmse":
      return weightedRootMean(unitValues("rmse", side) ?? new Float64Array());
    case "r-squared":
      return weightedRSquared(labels, scores);
    case "auc":
    case "accuracy":
    case "log-loss":
    case "brier":
    case "mae":
    case "ndcg":
    case "mrr":
      return undefined;
  }
}

function bootstrapError(metric: MetricName, champion: Side, challenger: Side): number | undefined {
  if (challenger.labels.length > bootstrapRowsMax) return undefined;
  const [before, after] = [weighted(metric, champion), weighted(metric, challenger)];
  if (before === undefined || after === undefined) return undefined;
  const isClasses = metric === "average-precision" || metric === "macro-f1";
  const strata = isClasses ? challenger.labels : new Uint8Array(challenger.labels.length);
  const difference: WeightedMetric = (weights) => after(weights) - before(weights);
  return bootstrap(strata, difference, { repetitions: bootstrapRepetitions }).standardError;
}

/** How much better the challenger is by a metric, and how sure that is. `isQuick` never resamples. */
export function pairedEstimate(
  metric: MetricName,
  champion: Side,
  challenger: Side,
  options: { readonly isQuick?: boolean } = {},
): PairedEstimate {
  const direction = directionOf(metric);
  if (metric === "auc") {
    const found = pairedAuc(challenger.labels, champion.scores, challenger.scores, {
      champion: champion.order(),
      challenger: challenger.order(),
    });
    return {
      test: "delong",
      champion: found.champion,
      challenger: found.challenger,
      improvement: found.difference,
      standardError: found.standardError,
      units: challenger.labels.length,
    };
  }
  const [before, after] = [estimateOf(metric, champion), estimateOf(metric, challenger)];
  const values = {
    champion: before.value,
    challenger: after.value,
    improvement: direction * (after.value - before.value),
    units: after.influence.length,
  };
  const byInfluence = pairedStandardError(before, after);
  if (metric === "accuracy") {
    const pExact = exactMcNemar(
      unitValues(metric, champion) ?? new Float64Array(),
      unitValues(metric, challenger) ?? new Float64Array(),
    );
    const exact = pExact === undefined ? {} : { pExact };
    return { ...values, test: "mcnemar", standardError: byInfluence, ...exact };
  }
  const isMean = metric !== "rmse" && unitValues(metric, challenger) !== undefined;
  if (isMean) return { ...values, test: "paired-z", standardError: byInfluence };
  const resampled =
    options.isQuick === true ? undefined : bootstrapError(metric, champion, challenger);
  return resampled === undefined
    ? { ...values, test: "influence", standardError: byInfluence }
    : { ...values, test: "paired-bootstrap", standardError: resampled };
}

/** The true improvement that power is stated for: a hundredth, or 1 % of the rival's value where the scale is the data's. */
export const powerStep = (metric: MetricName, rival: number): number =>
  isShare(metric) ? 0.01 : 0.01 * Math.abs(rival);

const powerWanted = 0.8;

/** Compares the challenger with the champion, or with a constant prediction, by the primary metric. */
export function compare(
  champion: Side,
  challenger: Side,
  settings: EvaluationSettings,
  against: Comparison["against"],
): Comparison | undefined {
  const metric = settings.primaryMetric;
  const { alpha } = settings.comparison;
  // A first version has to beat the constant prediction outright.
  const { mode, margin } =
    against === "champion" ? settings.comparison : ({ mode: "superiority", margin: 0 } as const);
  const found = pairedEstimate(metric, champion, challenger);
  const { improvement, standardError, units } = found;
  if (!Number.isFinite(improvement) || !Number.isFinite(standardError)) return undefined;
  const boundary = mode === "superiority" ? margin : -margin;
  const normal = nonInferiorityPValue(improvement, standardError, -boundary);
  const pValue = boundary === 0 ? (found.pExact ?? normal) : normal;
  const powerEffect =
    mode === "non-inferiority" && margin > 0 ? 0 : margin + powerStep(metric, found.champion);
  const effect = powerEffect - boundary;
  const needed = pairedRowsNeeded({
    effect,
    standardError,
    rows: units,
    alpha,
    power: powerWanted,
  });
  const [low, high] = normalInterval(improvement, standardError, 0.95);
  return {
    against,
    test: found.test,
    metric,
    mode,
    margin,
    alpha,
    improvement,
    standardError,
    interval: [low, high],
    pValue,
    isAccepted: pValue < alpha,
    power: pairedPower(effect, standardError, alpha),
    powerEffect,
    ...(Number.isFinite(needed) ? { rowsNeeded: needed } : {}),
    detectable: detectableEffect(standardError, alpha, powerWanted),
  };
}
