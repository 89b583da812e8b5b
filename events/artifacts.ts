/** The files that a training run leaves behind, as the control plane reads them. */
import { z } from "zod";

const count = z.number().min(0);

/** Counts of a numeric column: below edges[0], between the edges, at or above the last; then missing. */
const numericDistribution = z.object({
  type: z.literal("numeric"),
  edges: z.array(z.number()),
  counts: z.array(count),
  missing: count,
});

/** Counts of a text column's most frequent values, the others together, and missing. */
const categoricalDistribution = z.object({
  type: z.literal("categorical"),
  counts: z.record(z.string(), count),
  other: count,
  missing: count,
});

/** How the values of a column were spread: what drift is measured against. */
const distribution = z.discriminatedUnion("type", [numericDistribution, categoricalDistribution]);

const columnProfile = z.object({
  type: z.enum(["number", "integer", "boolean", "timestamp", "string"]),
  missing: count,
  missingShare: z.number(),
  distinct: count,
  /** Values beyond every number, which are kept out of everything but the distribution. */
  infinite: count.optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  mean: z.number().optional(),
  standardDeviation: z.number().optional(),
  /** Quantiles by probability, for example "0.5". */
  quantiles: z.record(z.string(), z.number()).optional(),
  /** The most frequent values of a text column. */
  top: z.array(z.object({ value: z.string(), count })).optional(),
  distribution,
});

/** Part of the rows: a split (training, holdout) or one value of a slice column. */
const group = z.object({
  by: z.string(),
  value: z.string(),
  rows: count,
  columns: z.record(z.string(), z.object({ missing: count, mean: z.number().optional() })),
});

/** One rule of a dataset's schema, as the manifest writes it. */
const inferredRule = z.object({
  type: z.enum(["number", "integer", "string", "boolean", "timestamp"]),
  min: z.number().optional(),
  max: z.number().optional(),
  domain: z.array(z.string()).optional(),
  missingShareMax: z.number().optional(),
});

/** profile.json: statistics of one dataset version. */
export const profile = z.object({
  formatVersion: z.literal(1),
  dataset: z.string(),
  rows: count,
  columns: z.record(z.string(), columnProfile),
  /** Present when distinct counts (1.6 % standard error) and quantiles (t-digest) are estimates. */
  isApproximate: z.boolean().optional(),
  groups: z.array(group).optional(),
  /** Rules that this version keeps: a proposal for `dataset.schema.columns` of the manifest. */
  inferredSchema: z.record(z.string(), inferredRule).optional(),
});

/** One thing wrong with a dataset version: a sentence with numbers, and what it asks for. */
const anomaly = z.object({
  column: z.string().optional(),
  kind: z.enum([
    "no-rows",
    "missing-column",
    "unexpected-column",
    "type",
    "range",
    "domain",
    "missing-values",
    "label",
    "infinite-values",
    "drift",
    "skew",
    "no-schema",
  ]),
  severity: z.enum(["stop", "ask", "note"]),
  message: z.string(),
  /** The numbers of the sentence, by name. */
  numbers: z.record(z.string(), z.number()).default({}),
});

/** anomalies.json: the data gate's verdict with its reasons. */
export const anomalies = z.object({
  formatVersion: z.literal(1),
  dataset: z.string(),
  verdict: z.enum(["go", "stop", "ask"]),
  anomalies: z.array(anomaly),
});

/**
 * Metrics by name, as the task has them: auc, averagePrecision, logLoss, brier, accuracy and calibrationError of a
 * binary classifier; macroF1 of several classes; rmse, mae, rSquared and bias of a regression; ndcg and mrr of a ranking.
 */
const metrics = z.record(z.string(), z.number());

const interval = z.tuple([z.number(), z.number()]);

/** The paired comparison on the same rows; positive `improvement` means that the challenger is better. */
const comparison = z.object({
  /** What the challenger was compared with: the champion or the best constant prediction. */
  against: z.enum(["champion", "constant"]),
  test: z.enum(["delong", "paired-z", "mcnemar", "paired-bootstrap", "influence"]),
  metric: z.string(),
  mode: z.enum(["superiority", "non-inferiority"]),
  margin: z.number(),
  alpha: z.number(),
  improvement: z.number(),
  standardError: z.number(),
  interval,
  /** One-sided p-value of the null hypothesis of the mode. */
  pValue: z.number(),
  isAccepted: z.boolean(),
  /** Chance of acceptance at this size if the challenger is truly `powerEffect` better. */
  power: z.number(),
  powerEffect: z.number(),
  /** Rows for a power of 80 % at that effect; absent when no number of rows is enough. */
  rowsNeeded: z.number().optional(),
  /** Smallest true improvement over the null that is found with 80 % power. */
  detectable: z.number(),
});

/** A part of the holdout, both versions on its rows; positive `improvement` means that the challenger is better there. */
const slice = z.object({
  column: z.string(),
  value: z.string(),
  rows: count,
  challenger: z.number(),
  champion: z.number().optional(),
  improvement: z.number().optional(),
  interval: interval.optional(),
  /** How much worse the challenger may be here. */
  margin: z.number().optional(),
  /** One-sided p-value of "worse by at most the margin", and the same adjusted for the number of slices. */
  pValue: z.number().optional(),
  pAdjusted: z.number().optional(),
  adjustment: z.enum(["benjamini-hochberg", "holm"]).optional(),
  /** Whether the challenger is refused for it. */
  isWorse: z.boolean().optional(),
  /** Least chance that a true fall of `powerEffect` is found here, given the number of slices. */
  power: z.number().optional(),
  powerEffect: z.number().optional(),
});

/** What a version takes: bytes of its model, and where the evaluator scored it, time and money to score rows. */
const resources = z.object({
  modelBytes: count.optional(),
  microsecondsPerRow: z.number().min(0).optional(),
  /** US dollars of the serving machine, were it as quick as the evaluator's and always busy. */
  usdPerMillionRows: z.number().min(0).optional(),
});

/** evaluation.json: metrics of both versions on the same rows and the verdict on the challenger. */
export const evaluation = z.object({
  formatVersion: z.literal(1),
  task: z
    .enum(["binary-classification", "multi-class-classification", "regression", "ranking"])
    .default("binary-classification"),
  rows: count,
  /** Rows of the positive class; a binary classifier's alone. */
  positives: count.optional(),
  challenger: metrics,
  champion: metrics.optional(),
  /** A prediction that does not look at its row: the training rows' positive rate, else the best one for these rows. */
  constant: metrics,
  thresholds: z.array(
    z.object({
      metric: z.string(),
      value: z.number(),
      min: z.number().optional(),
      max: z.number().optional(),
      isMet: z.boolean(),
    }),
  ),
  comparison: comparison.optional(),
  /** Parts of the holdout, the worst improvement first. */
  slices: z.array(slice),
  /** Parts that were too small to be judged. */
  slicesSkipped: count.default(0),
  resources: z
    .object({
      challenger: resources,
      champion: resources.optional(),
      /** The serving machine that the cost is of. */
      machineType: z.string().optional(),
    })
    .default({ challenger: {} }),
  /** By score (of the predicted class, with several; by prediction in a regression, where the rate is the mean label). */
  calibration: z.array(
    z.object({
      low: z.number(),
      high: z.number(),
      rows: count,
      meanScore: z.number(),
      positiveRate: z.number(),
    }),
  ),
  curve: z.array(
    z.object({
      threshold: z.number(),
      truePositiveRate: z.number(),
      falsePositiveRate: z.number(),
      precision: z.number(),
    }),
  ),
  confusion: z
    .object({
      threshold: z.number(),
      truePositives: count,
      falsePositives: count,
      falseNegatives: count,
      trueNegatives: count,
    })
    .optional(),
  /** Rows by true class, then by predicted class; at most 50 classes. */
  confusionMatrix: z
    .object({ classes: z.array(z.string()), counts: z.array(z.array(count)) })
    .optional(),
  verdict: z.object({
    outcome: z.enum(["accept", "reject"]),
    reasons: z.array(z.string()).min(1),
  }),
  /** The score of `constant`; one per class with several classes. */
  constantScore: z.union([z.number(), z.array(z.number())]),
  /** The settings that the verdict followed. */
  settings: z.record(z.string(), z.unknown()),
  /** SHA-256 of scores.jsonl, from which the verdict can be computed again. */
  scoresDigest: z.string(),
  models: z.object({ challenger: z.string(), champion: z.string().optional() }),
  /** Rows of the holdout as prediction requests carry them. */
  sample: z.array(z.record(z.string(), z.unknown())).default([]),
});

/** What model.json says about itself; the parameters that score a row follow it in the same file. */
export const modelMetadata = z.object({
  format: z.literal("continuo-model"),
  formatVersion: z.literal(1),
  trainer: z.object({ name: z.string(), version: z.string() }),
  algorithm: z.enum(["gradient-boosting", "logistic-regression"]),
  parameters: z.record(z.string(), z.number()),
  seed: z.number(),
  label: z.string(),
  /** [negative class, positive class]: the order of every prediction's scores. */
  classes: z.tuple([z.string(), z.string()]),
  features: z.array(
    z.discriminatedUnion("type", [
      z.object({ name: z.string(), type: z.literal("numeric") }),
      z.object({
        name: z.string(),
        type: z.literal("categorical"),
        /** Known categories; a category's position is its code. */
        categories: z.array(z.string()),
      }),
    ]),
  ),
  training: z.object({
    rows: count,
    positiveRate: z.number(),
    /** Rows at or after this time were kept for evaluation; absent without a time column. */
    before: z.string().optional(),
    datasets: z.array(z.string()),
    metrics: z.object({ auc: z.number(), logLoss: z.number() }),
    /** Distributions of the features and of the model's own score on the training rows. */
    distributions: z.record(z.string(), distribution),
    score: distribution,
  }),
});

export type Distribution = Readonly<z.infer<typeof distribution>>;
export type ColumnProfile = Readonly<z.infer<typeof columnProfile>>;
export type Profile = Readonly<z.infer<typeof profile>>;
export type ColumnGroup = Readonly<z.infer<typeof group>>;
export type InferredRule = Readonly<z.infer<typeof inferredRule>>;
export type Anomaly = Readonly<z.infer<typeof anomaly>>;
export type Anomalies = Readonly<z.infer<typeof anomalies>>;
export type Metrics = Readonly<z.infer<typeof metrics>>;
export type Comparison = Readonly<z.infer<typeof comparison>>;
export type Slice = Readonly<z.infer<typeof slice>>;
export type Evaluation = Readonly<z.infer<typeof evaluation>>;
