/** Assesses a challenger from scores alone: pure, so that every verdict can be computed again. */
import type { Evaluation, Metrics } from "../../../events/artifacts.js";
import { curve } from "../../../shared/statistics/auc.js";
import { calibrationBins, confusion } from "../../../shared/statistics/classification.js";
import {
  confidence,
  confusionMatrix,
  predictedClasses,
  regressionCalibration,
} from "../../../shared/statistics/multi-class.js";
import { explain, ImageError } from "../arguments.js";
import { evaluationSettings, type EvaluationSettings } from "../configuration.js";
import { metricsOfTask, type MetricName } from "../../../shared/manifest/metrics.js";
import { compare } from "./compare.js";
import { bestConstant, constantScores, type ConstantScore } from "./constant.js";
import { keyOf, metricsOf, sideOf } from "./metrics.js";
import { formatScores, parseScores, scoresDigest, type ScoredRows } from "./scored-rows.js";
import { slicesOf } from "./slices.js";
import { unmeasurable } from "./unmeasurable.js";
import { decideVerdict } from "./verdict.js";

/** What the scores alone do not say. */
export interface AssessmentContext {
  readonly settings: EvaluationSettings;
  /** The constant prediction of the challenger's training rows; the best one for the scored rows when absent. */
  readonly constantScore?: ConstantScore;
  readonly models: Evaluation["models"];
  readonly resources?: Evaluation["resources"];
  /** Digest of the stored scores where it is known already. */
  readonly digest?: string;
}

const classesShownMax = 50;

function thresholdResults(
  metrics: Metrics,
  settings: EvaluationSettings,
): Evaluation["thresholds"] {
  return metricsOfTask[settings.task].flatMap((metric: MetricName) => {
    const limits = settings.thresholds[metric];
    if (limits === undefined) return [];
    const { min, max } = limits;
    const value = metrics[keyOf(metric)];
    const isMet =
      value !== undefined &&
      (min === undefined || value >= min) &&
      (max === undefined || value <= max);
    return {
      metric,
      // JSON has no NaN: a metric that cannot be measured meets nothing, and reads 0.
      value: value ?? 0,
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
      isMet,
    };
  });
}

/** What the plots of a report show. */
function plotsOf(
  scored: ScoredRows,
  order: () => Uint32Array,
): Pick<Evaluation, "calibration" | "curve" | "confusion" | "confusionMatrix"> {
  const { task, labels, classes, challenger } = scored;
  switch (task) {
    case "binary-classification":
      return {
        calibration: [...calibrationBins(labels, challenger)],
        curve: [...curve(labels, challenger, { order: order() })],
        confusion: confusion(labels, challenger),
      };
    case "multi-class-classification": {
      const width = classes.length;
      const top = confidence(labels, challenger, width);
      const counts = confusionMatrix(labels, predictedClasses(challenger, width), width);
      return {
        calibration: [...calibrationBins(top.isRight, top.scores)],
        curve: [],
        ...(width > classesShownMax
          ? {}
          : {
              confusionMatrix: {
                classes: [...classes],
                counts: counts.map((line) => [...line]),
              },
            }),
      };
    }
    case "regression":
      return {
        // A mean beyond what a number holds cannot be drawn, nor written.
        calibration: regressionCalibration(labels, challenger, order()).filter(
          ({ meanScore, positiveRate }) => Number.isFinite(meanScore + positiveRate),
        ),
        curve: [],
      };
    case "ranking":
      return { calibration: [], curve: [] };
  }
}

/** Metrics, comparison, slices and verdict of a challenger. */
export function assess(scored: ScoredRows, context: AssessmentContext): Evaluation {
  const { settings, models, resources = { challenger: {} } } = context;
  const { constantScore = bestConstant(scored, settings.primaryMetric) } = context;
  const { task, labels, champion } = scored;
  const rows = labels.length;
  const problem = unmeasurable(scored);
  const challengerSide = sideOf(scored, scored.challenger);
  const constantSide = sideOf(scored, constantScores(constantScore, rows));
  const championSide = champion === undefined ? undefined : sideOf(scored, champion);
  const challenger = metricsOf(challengerSide);
  const constant = metricsOf(constantSide);
  const thresholds = thresholdResults(challenger, settings);
  const comparison =
    problem === undefined
      ? compare(
          championSide ?? constantSide,
          challengerSide,
          settings,
          champion === undefined ? "constant" : "champion",
        )
      : undefined;
  const slices =
    problem === undefined ? slicesOf(scored, settings) : { judged: [], skipped: 0, unjudged: [] };
  const key = keyOf(settings.primaryMetric);
  const championMetrics = championSide === undefined ? undefined : metricsOf(championSide);
  const verdict = decideVerdict({
    task,
    rows,
    problem,
    thresholds,
    metrics: challenger,
    comparison,
    values: {
      challenger: challenger[key] ?? NaN,
      rival: (championMetrics ?? constant)[key] ?? NaN,
    },
    slices,
    resources,
    settings,
  });
  return {
    formatVersion: 1,
    task,
    rows,
    ...(task === "binary-classification"
      ? { positives: Array.from(labels).filter(Boolean).length }
      : {}),
    challenger,
    ...(championMetrics === undefined ? {} : { champion: championMetrics }),
    constant,
    thresholds,
    ...(comparison === undefined ? {} : { comparison }),
    slices: [...slices.judged],
    slicesSkipped: slices.skipped,
    resources,
    ...plotsOf(scored, challengerSide.order),
    verdict,
    constantScore: typeof constantScore === "number" ? constantScore : [...constantScore],
    settings: { ...settings },
    scoresDigest: context.digest ?? scoresDigest(formatScores(scored)),
    models,
    sample: [],
  };
}

/**
 * Computes an evaluation again from its stored scores (the text of scores.jsonl). Throws when the
 * scores are not the ones that the evaluation names.
 */
export function recomputeVerdict(scores: string, evaluation: Evaluation): Evaluation["verdict"] {
  const digest = scoresDigest([scores]);
  if (digest !== evaluation.scoresDigest) {
    throw new ImageError(
      `these are not the scores of this evaluation: digest ${digest}, expected ${evaluation.scoresDigest}`,
    );
  }
  const settings = evaluationSettings.safeParse(evaluation.settings);
  if (!settings.success) throw new ImageError(`the settings: ${explain(settings.error)}`);
  const { constantScore, models, resources, task } = evaluation;
  return assess(parseScores(scores, task), {
    settings: settings.data,
    constantScore,
    models,
    resources,
    digest,
  }).verdict;
}
