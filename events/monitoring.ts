/** The file that each look at a model's served predictions leaves behind. */
import { z } from "zod";

const window = z.object({ start: z.string(), end: z.string(), rows: z.number().min(0) });

const column = z.object({
  feature: z.string(),
  statistic: z.enum(["jensen-shannon-divergence", "l-infinity"]),
  value: z.number(),
  /** What the value reaches in 99 of 100 windows of this size when nothing has changed. */
  nullQuantile: z.number(),
  /** Population stability index, nats: the effect's size in the usual unit. */
  stability: z.number(),
  threshold: z.number(),
  isAnomaly: z.boolean(),
});

const comparison = z.object({
  kind: z.enum(["drift", "skew"]),
  objective: z.enum(["feature", "prediction", "attribution"]),
  columns: z.array(column),
});

const quality = z.object({
  method: z.enum(["labels", "estimate"]),
  metric: z.string(),
  value: z.number(),
  baseline: z.number(),
  threshold: z.number(),
  standardError: z.number(),
  rows: z.number(),
  isDecayed: z.boolean(),
});

/** monitoring/{model}/{end of the window}.json: every distance and quality that was measured, alarming or not. */
export const monitoringReport = z.object({
  formatVersion: z.literal(1),
  model: z.string(),
  versionId: z.string(),
  deployedModelId: z.string(),
  /** Version of the manifest whose limits were kept. */
  policyVersion: z.number().optional(),
  window,
  comparisons: z.array(comparison),
  quality: z.array(quality),
  /** What could not be said, and why. */
  unknown: z.array(z.string()),
});

/** A look at a model's served predictions. */
export type MonitoringReport = Readonly<z.infer<typeof monitoringReport>>;
