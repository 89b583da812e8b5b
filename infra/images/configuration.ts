/** The `config` parameter of a training run: the parts of a model's manifest that its tasks need. */
import { z } from "zod";

const columnRule = z.object({
  type: z.enum(["number", "integer", "string", "boolean", "timestamp"]),
  required: z.boolean().default(true),
  min: z.number().optional(),
  max: z.number().optional(),
  domain: z.array(z.string()).optional(),
  missingShareMax: z.number().min(0).max(1).default(0),
});

const feature = z.object({ name: z.string().min(1), type: z.enum(["numeric", "categorical"]) });

/** The metrics that can gate a challenger. */
export const metricNames = ["auc", "accuracy", "log-loss", "brier", "average-precision"] as const;

const metric = z.enum(metricNames);

/** Settings of the verdict on a challenger. */
export const evaluationSettings = z.object({
  primaryMetric: metric.default("auc"),
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
    .array(z.object({ column: z.string().min(1), rowsMin: z.int().min(1).default(300) }))
    .default([]),
});

/** Schema of the run's configuration; defaults equal the manifest's. */
export const configurationSchema = z.object({
  label: z.string().min(1),
  positiveClass: z.string().min(1),
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
});

/** A run's configuration with every default filled in. */
export type Configuration = Readonly<z.infer<typeof configurationSchema>>;
/** A metric that can gate a challenger. */
export type MetricName = z.infer<typeof metric>;
/** Settings of the verdict with every default filled in. */
export type EvaluationSettings = Readonly<z.infer<typeof evaluationSettings>>;
/** One rule of the dataset's schema. */
export type ColumnRule = Readonly<z.infer<typeof columnRule>>;
