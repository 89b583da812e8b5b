/** Facts about a model's behaviour that ask for attention; foreign alerts become one of these. */
import { z } from "zod";
import { eventSchema, instant } from "./envelope.js";
import { deployedModelId, modelName, text } from "./ids.js";

/** One feature, prediction or attribution whose distance crossed its threshold. */
export const featureAnomaly = z.strictObject({
  feature: text(256),
  /** The distance; L-infinity for categories, Jensen-Shannon divergence (bits) for numbers. */
  deviation: z.number(),
  threshold: z.number(),
});

const anomalyData = z.strictObject({
  /** The model's name, when the alert's origin knows it. */
  model: modelName.optional(),
  /** The deployed model that the alert is about; resolves to a model when `model` is absent. */
  deployedModelId: deployedModelId.optional(),
  /** Feature, prediction or attribution. */
  objective: z.enum(["feature", "prediction", "attribution"]),
  window: z.strictObject({ start: instant, end: instant }),
  anomalies: z.array(featureAnomaly).max(1000),
});

/** Serving data moved away from earlier serving data. */
export const driftDetected = eventSchema("drift.detected", anomalyData);

/** Serving data lies away from the training data. */
export const skewDetected = eventSchema("skew.detected", anomalyData);

/** The model's quality fell, measured with labels or estimated before them. */
export const performanceDecayed = eventSchema(
  "performance.decayed",
  z.strictObject({
    model: modelName,
    metric: text(64),
    value: z.number(),
    threshold: z.number(),
    method: z.enum(["labels", "estimate"]),
    rows: z.int().nonnegative(),
    window: z.strictObject({ start: instant, end: instant }),
  }),
);
