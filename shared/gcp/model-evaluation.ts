/** A run's report as a ModelEvaluation, so that Vertex AI's own pages show how a version was judged. */
import { z } from "zod";
import { evaluation } from "../../events/artifacts.js";

/** What a ModelEvaluation is made of; of a user's own evaluator only the metrics can be counted on. */
export const shownReport = evaluation.pick({ task: true, rows: true, challenger: true }).extend({
  ...evaluation.pick({ curve: true, confusion: true, confusionMatrix: true }).partial().shape,
  verdict: evaluation.shape.verdict,
  scoresDigest: z.string().optional(),
});
type Report = z.infer<typeof shownReport>;

const folder = "gs://google-cloud-aiplatform/schema/modelevaluation";

type Metrics = Readonly<Record<string, unknown>>;

/** Those of the metrics that were measured, under Vertex AI's names. */
const renamed = (metrics: Report["challenger"], names: Readonly<Record<string, string>>): Metrics =>
  Object.fromEntries(
    Object.entries(names).flatMap(([own, theirs]) => {
      const value = metrics[own];
      return value === undefined ? [] : [[theirs, value] as const];
    }),
  );

const confidenceMetrics = (curve: Report["curve"] = []): readonly Metrics[] =>
  curve
    .filter(({ threshold }) => threshold >= 0 && threshold <= 1)
    .map(({ threshold, truePositiveRate: recall, falsePositiveRate, precision }) => ({
      confidenceThreshold: threshold,
      recall,
      precision,
      falsePositiveRate,
      f1Score: recall + precision === 0 ? 0 : (2 * recall * precision) / (recall + precision),
    }));

const named = (classes: readonly string[], rows: readonly (readonly number[])[]): Metrics => ({
  confusionMatrix: {
    annotationSpecs: classes.map((displayName, id) => ({ id: String(id), displayName })),
    rows,
  },
});

/** The counts at one half, or of every class; rows are the true classes. */
const confusionMatrix = ({ confusion, confusionMatrix: matrix }: Report): Metrics => {
  if (matrix !== undefined) return named(matrix.classes, matrix.counts);
  if (confusion === undefined) return {};
  const { trueNegatives, falsePositives, falseNegatives, truePositives } = confusion;
  return named(
    ["negative", "positive"],
    [
      [trueNegatives, falsePositives],
      [falseNegatives, truePositives],
    ],
  );
};

/** The form that Vertex AI has for a task's metrics; null for a ranking, which it has none for. */
const metricsOf = (
  report: Report,
): { readonly schema: string; readonly metrics: Metrics } | null => {
  const { task, challenger } = report;
  switch (task) {
    case "binary-classification":
    case "multi-class-classification":
      return {
        schema: "classification",
        metrics: {
          ...renamed(challenger, { averagePrecision: "auPrc", auc: "auRoc", logLoss: "logLoss" }),
          ...(report.curve === undefined || report.curve.length === 0
            ? {}
            : { confidenceMetrics: confidenceMetrics(report.curve) }),
          ...confusionMatrix(report),
        },
      };
    case "regression":
      return {
        schema: "regression",
        metrics: renamed(challenger, {
          rmse: "rootMeanSquaredError",
          mae: "meanAbsoluteError",
          rSquared: "rSquared",
        }),
      };
    case "ranking":
      return null;
  }
};

/** The ModelEvaluation to import; null where Vertex AI has no form for the metrics. */
export const modelEvaluationOf = (
  report: Report,
  { name, uri }: { readonly name: string; readonly uri: string },
): Readonly<Record<string, unknown>> | null => {
  const found = metricsOf(report);
  if (found === null) return null;
  const { rows, verdict, scoresDigest } = report;
  return {
    displayName: name,
    metricsSchemaUri: `${folder}/${found.schema}_metrics_1.0.0.yaml`,
    metrics: found.metrics,
    metadata: {
      report: uri,
      rows,
      outcome: verdict.outcome,
      ...(scoresDigest === undefined ? {} : { scoresDigest }),
    },
  };
};
