/** The metrics of a version by name, and how each reads. */
import type { Metrics } from "../../../events/artifacts.js";
import { areaUnderRoc, averagePrecision } from "../../../shared/statistics/auc.js";
import {
  accuracy,
  brierScore,
  calibrationError,
  logLoss,
} from "../../../shared/statistics/classification.js";
import type { MetricName } from "../configuration.js";

/** Metrics of one version's scores. */
export function metricsOf(labels: Uint8Array, scores: Float64Array): Metrics {
  return {
    auc: areaUnderRoc(labels, scores),
    averagePrecision: averagePrecision(labels, scores),
    logLoss: logLoss(labels, scores),
    brier: brierScore(labels, scores),
    accuracy: accuracy(labels, scores),
    calibrationError: calibrationError(labels, scores),
  };
}

/** The value of a metric that a manifest names. */
export function metricValue(metrics: Metrics, name: MetricName): number {
  switch (name) {
    case "auc":
      return metrics.auc;
    case "average-precision":
      return metrics.averagePrecision;
    case "log-loss":
      return metrics.logLoss;
    case "brier":
      return metrics.brier;
    case "accuracy":
      return metrics.accuracy;
  }
}
