/** Assesses a challenger from scores alone: pure, so that every verdict can be computed again. */
import type { Evaluation, Metrics } from "../../../events/artifacts.js";
import { curve } from "../../../shared/statistics/auc.js";
import { calibrationBins, confusion } from "../../../shared/statistics/classification.js";
import { explain, ImageError } from "../arguments.js";
import { evaluationSettings, metricNames, type EvaluationSettings } from "../configuration.js";
import { compare } from "./compare.js";
import { metricsOf, metricValue } from "./metrics.js";
import { formatScores, parseScores, scoresDigest, type ScoredRows } from "./scored-rows.js";
import { slicesOf } from "./slices.js";
import { decideVerdict } from "./verdict.js";

/** What the scores alone do not say. */
export interface AssessmentContext {
  readonly settings: EvaluationSettings;
  /** Positive rate of the challenger's training rows. */
  readonly constantScore: number;
  readonly models: Evaluation["models"];
}

function thresholdResults(
  metrics: Metrics,
  settings: EvaluationSettings,
): Evaluation["thresholds"] {
  return metricNames.flatMap((metric) => {
    const limits = settings.thresholds[metric];
    if (limits === undefined) return [];
    const { min, max } = limits;
    const value = metricValue(metrics, metric);
    const isMet = (min === undefined || value >= min) && (max === undefined || value <= max);
    return {
      metric,
      value,
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
      isMet,
    };
  });
}

/** JSON has no NaN: a metric that cannot be measured reads 0 beside a verdict that says so. */
const finite = (metrics: Metrics): Metrics => ({
  auc: metrics.auc || 0,
  averagePrecision: metrics.averagePrecision || 0,
  logLoss: metrics.logLoss || 0,
  brier: metrics.brier || 0,
  accuracy: metrics.accuracy || 0,
  calibrationError: metrics.calibrationError || 0,
});

/** Metrics, comparison, slices and verdict of a challenger. */
export function assess(scored: ScoredRows, context: AssessmentContext): Evaluation {
  const { settings, constantScore, models } = context;
  const { labels, challenger, champion } = scored;
  const rows = labels.length;
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const isMeasurable = positives > 0 && positives < rows;
  const constantScores = new Float64Array(rows).fill(constantScore);
  const challengerMetrics = finite(metricsOf(labels, challenger));
  const constant = finite(metricsOf(labels, constantScores));
  const championMetrics = champion === undefined ? undefined : finite(metricsOf(labels, champion));
  const against = champion === undefined ? "constant" : "champion";
  const comparison = isMeasurable
    ? compare(labels, champion ?? constantScores, challenger, settings, against)
    : undefined;
  const thresholds = thresholdResults(challengerMetrics, settings);
  const slices = isMeasurable ? slicesOf(scored, settings) : [];
  const verdict = decideVerdict({
    rows,
    positives,
    thresholds,
    comparison,
    values: {
      challenger: metricValue(challengerMetrics, settings.primaryMetric),
      rival: metricValue(championMetrics ?? constant, settings.primaryMetric),
    },
    slices,
    alpha: settings.comparison.alpha,
  });
  return {
    formatVersion: 1,
    rows,
    positives,
    challenger: challengerMetrics,
    ...(championMetrics === undefined ? {} : { champion: championMetrics }),
    constant,
    thresholds,
    ...(comparison === undefined ? {} : { comparison }),
    slices: [...slices],
    calibration: [...calibrationBins(labels, challenger)],
    curve: [...curve(labels, challenger)],
    confusion: confusion(labels, challenger),
    verdict,
    constantScore,
    settings: { ...settings },
    scoresDigest: scoresDigest(formatScores(scored)),
    models,
    sample: [],
  };
}

/**
 * Computes an evaluation again from its stored scores (the text of scores.jsonl). Throws when the
 * scores are not the ones that the evaluation names.
 */
export function recomputeVerdict(scores: string, evaluation: Evaluation): Evaluation["verdict"] {
  const digest = scoresDigest(scores);
  if (digest !== evaluation.scoresDigest) {
    throw new ImageError(
      `these are not the scores of this evaluation: digest ${digest}, expected ${evaluation.scoresDigest}`,
    );
  }
  const settings = evaluationSettings.safeParse(evaluation.settings);
  if (!settings.success) throw new ImageError(`the settings: ${explain(settings.error)}`);
  const { constantScore, models } = evaluation;
  return assess(parseScores(scores), { settings: settings.data, constantScore, models }).verdict;
}
