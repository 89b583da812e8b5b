/** The paired comparison of challenger and champion on the same rows. */
import type { Comparison } from "../../../events/artifacts.js";
import { averagePrecision } from "../../../shared/statistics/auc.js";
import { pairedBootstrap } from "../../../shared/statistics/bootstrap.js";
import { rowLogLoss } from "../../../shared/statistics/classification.js";
import {
  normalInterval,
  nonInferiorityPValue,
  pairedAuc,
} from "../../../shared/statistics/delong.js";
import { binomialCdf } from "../../../shared/statistics/distributions.js";
import {
  detectableEffect,
  pairedPower,
  pairedRowsNeeded,
} from "../../../shared/statistics/power.js";
import { meanAndVariance } from "../../../shared/statistics/two-sample.js";
import type { EvaluationSettings, MetricName } from "../configuration.js";

/** An estimated improvement: positive when the challenger is better, whatever the metric's direction. */
interface Estimate {
  readonly test: Comparison["test"];
  readonly improvement: number;
  readonly standardError: number;
  /** Exact one-sided p-value for no improvement, where the normal one is too rough. */
  readonly pExact?: number;
}

const discordantExactMax = 25;

/** Mean of per-row improvements with its standard error. */
function meanEstimate(improvements: Float64Array): Estimate {
  const { mean, variance } = meanAndVariance(improvements);
  const standardError = Math.sqrt(variance / improvements.length);
  return { test: "paired-z", improvement: mean, standardError };
}

/** Whether the decision at one half is right. */
const isRight = (score: number, label: number): boolean => score >= 0.5 === (label === 1);

/** Rows that only one version has right decide; few of them are counted exactly. */
function accuracyEstimate(
  labels: Uint8Array,
  champion: Float64Array,
  challenger: Float64Array,
): Estimate {
  const differences = Float64Array.from(
    labels,
    (label, row) =>
      Number(isRight(challenger[row] ?? 0, label)) - Number(isRight(champion[row] ?? 0, label)),
  );
  const wins = differences.filter((value) => value > 0).length;
  const losses = differences.filter((value) => value < 0).length;
  const normal = { ...meanEstimate(differences), test: "mcnemar" as const };
  const discordant = wins + losses;
  if (discordant >= discordantExactMax) return normal;
  return { ...normal, pExact: 1 - binomialCdf(wins - 1, discordant, 0.5) };
}

function estimate(
  metric: MetricName,
  labels: Uint8Array,
  champion: Float64Array,
  challenger: Float64Array,
): Estimate {
  const byRow = (loss: (label: number, score: number) => number): Estimate =>
    meanEstimate(
      Float64Array.from(
        labels,
        (label, row) => loss(label, champion[row] ?? 0) - loss(label, challenger[row] ?? 0),
      ),
    );
  switch (metric) {
    case "auc": {
      const { difference, standardError } = pairedAuc(labels, champion, challenger);
      return { test: "delong", improvement: difference, standardError };
    }
    case "average-precision": {
      const options = { repetitions: 200 };
      const found = pairedBootstrap(labels, champion, challenger, averagePrecision, options);
      const { difference, standardError } = found;
      return { test: "paired-bootstrap", improvement: difference, standardError };
    }
    case "log-loss":
      return byRow(rowLogLoss);
    case "brier":
      return byRow((label, score) => (score - label) ** 2);
    case "accuracy":
      return accuracyEstimate(labels, champion, challenger);
  }
}

/** The true improvement that power is stated for when the margin alone does not say it. */
const powerStep = 0.01;
const powerWanted = 0.8;

/** Compares the challenger with the champion, or with a constant score, by the primary metric. */
export function compare(
  labels: Uint8Array,
  champion: Float64Array,
  challenger: Float64Array,
  settings: EvaluationSettings,
  against: Comparison["against"],
): Comparison {
  const metric = settings.primaryMetric;
  const { alpha } = settings.comparison;
  // A first version has to beat the constant prediction outright.
  const { mode, margin } =
    against === "champion" ? settings.comparison : ({ mode: "superiority", margin: 0 } as const);
  const found = estimate(metric, labels, champion, challenger);
  const { improvement, standardError } = found;
  const boundary = mode === "superiority" ? margin : -margin;
  const normal = nonInferiorityPValue(improvement, standardError, -boundary);
  const pValue = boundary === 0 ? (found.pExact ?? normal) : normal;
  const powerEffect = mode === "non-inferiority" && margin > 0 ? 0 : margin + powerStep;
  const effect = powerEffect - boundary;
  const rows = labels.length;
  const needed = pairedRowsNeeded({ effect, standardError, rows, alpha, power: powerWanted });
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
