/** The `config` parameter of a training run: the parts of a model's manifest that its tasks need. */
import { z } from "zod";
import {
  isMetricOf,
  metricNames,
  metricsOfTask,
  taskNames,
} from "../../shared/manifest/metrics.js";

const columnRule = z.object({
  type: z.enum(["number", "integer", "string", "boolean", "timestamp"]),
  required: z.boolean().default(true),
  min: z.number().optional(),
  max: z.number().optional(),
  domain: z.array(z.string()).optional(),
  missingShareMax: z.number().min(0).max(1).default(0),
});

const feature = z.object({ name: z.string().min(1), type: z.enum(["numeric", "categorical"]) });

const metric = z.enum(metricNames);

/** Settings of the verdict on a challenger. */
export const evaluationSettings = z
  .object({
    task: z.enum(taskNames).default("binary-classification"),
    primaryMetric: metric.optional(),
    /** Ranking: the column that says which query a row belongs to. */
    queryColumn: z.string().min(1).optional(),
    thresholds: z
      .partialRecord(metric, z.object({ min: z.number().optional(), max: z.number().optional() }))
      .default({}),
    comparison: z
      .object({
        mode: z.enum(["superiority", "non-inferiority"]).default("non-inferiority"),
        margin: z.number().min(0).default(0.005),
        alpha: z.number().gt(0).lt(0.5).default(0.05),
      })
      .prefault({}),
    slices: z
      .array(
        z.object({
          column: z.string().min(1),
          rowsMin: z.int().min(1).default(300),
          /** How much worse a slice may be; the comparison's margin when absent. */
          margin: z.number().min(0).optional(),
          /** Values judged apart from the others, so that the number of slices does not weaken their test. */
          guards: z.array(z.string()).default([]),
        }),
      )
      .default([]),
    limits: z
      .object({
        modelBytesMax: z.number().positive().optional(),
        /** The challenger's time per row as a multiple of the champion's. */
        scoringTimeRatioMax: z.number().positive().optional(),
        /** US dollars of the serving machine that a million rows may take. */
        usdPerMillionRowsMax: z.number().positive().optional(),
      })
      .prefault({}),
  })
  .transform(({ primaryMetric, ...settings }) => ({
    ...settings,
    primaryMetric: primaryMetric ?? metricsOfTask[settings.task][0],
  }))
  .superRefine(({ task: predicted, primaryMetric, thresholds, queryColumn }, context) => {
    for (const name of [primaryMetric, ...Object.keys(thresholds)]) {
      if (isMetricOf(predicted, name)) continue;
      context.addIssue({
        code: "custom",
        message: `${name} is no metric of ${predicted}: use one of ${metricsOfTask[predicted].join(", ")}`,
      });
    }
    if (predicted === "ranking" && queryColumn === undefined) {
      context.addIssue({ code: "custom", message: "ranking needs queryColumn" });
    }
  });

/** Schema of the run's configuration; defaults equal the manifest's. */
export const configurationSchema = z.object({
  label: z.string().min(1),
  /** The class that counts as positive; binary classification alone has one. */
  positiveClass: z.string().min(1).optional(),
  timeColumn: z.string().min(1).optional(),
  holdoutDays: z.number().positive().default(7),
  features: z.array(feature).min(1),
  schema: z
    .object({
      columns: z.record(z.string(), columnRule).default({}),
      unexpectedColumns: z.enum(["stop", "ask", "allow"]).default("allow"),
    })
    .prefault({}),
  drift: z
    .object({
      jsdMax: z.number().positive().default(0.3),
      linfMax: z.number().positive().default(0.3),
    })
    .prefault({}),
  trainer: z
    .object({
      algorithm: z.enum(["gradient-boosting", "logistic-regression"]).default("gradient-boosting"),
      parameters: z.record(z.string(), z.number()).default({}),
      seed: z.int().min(0).default(1),
    })
    .prefault({}),
  evaluation: evaluationSettings.prefault({}),
  /** The machine that serves the model; absent when its price is not known. */
  serving: z.object({ machineType: z.string().min(1), usdPerHour: z.number().min(0) }).optional(),
});

/** A run's configuration with every default filled in. */
export type Configuration = Readonly<z.infer<typeof configurationSchema>>;
/** Settings of the verdict with every default filled in. */
export type EvaluationSettings = Readonly<z.infer<typeof evaluationSettings>>;
/** One rule of the dataset's schema. */
export type ColumnRule = Readonly<z.infer<typeof columnRule>>;
