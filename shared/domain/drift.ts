/** Whether what a model is asked, and what it answers, differs from before (drift) or from its training data (skew). */
import type { Distribution } from "../../events/artifacts.js";
import {
  categoricalDistribution,
  columnDrift,
  distributionEdges,
  numericDistribution,
  type ColumnDistribution,
  type Drift,
} from "../statistics/drift.js";
import type { Manifest } from "../manifest/schema.js";

type Row = Readonly<Record<string, unknown>>;
type Feature = Manifest["dataset"]["features"][number];
type DriftPolicy = NonNullable<Manifest["monitoring"]["drift"]>;

/** Predictions that a model served, in their order in time. */
export interface ServedRows {
  readonly instances: readonly Row[];
  /** The model's score of each instance; NaN where its answer holds none. */
  readonly scores: readonly number[];
  /** How much each feature moved the answers that say so. */
  readonly attributions: readonly Readonly<Record<string, number>>[];
}

/** The training rows' distributions, as the model's own file keeps them. */
export interface TrainingBaseline {
  readonly distributions: Readonly<Record<string, Distribution>>;
  readonly score: Distribution;
}

/** One column's distance between two windows. */
export interface FeatureDrift extends Drift {
  /** A feature, one's attribution, or the prediction's score. */
  readonly feature: string;
  readonly threshold: number;
  /** Above its threshold and above what chance gives at these sample sizes. */
  readonly isAnomaly: boolean;
}

/** What was compared, with one entry a column. */
export interface Comparison {
  readonly objective: "feature" | "prediction" | "attribution";
  readonly columns: readonly FeatureDrift[];
}

const scoreColumn = "score";

/** As the trainer counts and the predictor reads them: a boolean is 1 or 0 among numbers, and its name among texts. */
const asNumber = (value: unknown): number => {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" && Number.isFinite(value) ? value : Number.NaN;
};

const asText = (value: unknown): string | undefined =>
  (typeof value === "string" && value !== "") ||
  typeof value === "number" ||
  typeof value === "boolean"
    ? String(value)
    : undefined;

const judged = (feature: string, drift: Drift, policy: DriftPolicy): FeatureDrift => {
  const isNumeric = drift.statistic === "jensen-shannon-divergence";
  const threshold = isNumeric ? policy.jsdMax : policy.linfMax;
  const isAnomaly = drift.value > threshold && drift.value > drift.nullQuantile;
  return { ...drift, feature, threshold, isAnomaly };
};

const numericDrift = (before: readonly number[], after: readonly number[]): Drift => {
  const edges = distributionEdges(
    before.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b),
  );
  return columnDrift(numericDistribution(before, edges), numericDistribution(after, edges));
};

const featureDrift = (
  { name, type }: Feature,
  before: readonly Row[],
  after: readonly Row[],
): Drift => {
  switch (type) {
    case "numeric":
      return numericDrift(
        before.map((row) => asNumber(row[name])),
        after.map((row) => asNumber(row[name])),
      );
    case "categorical": {
      const reference = categoricalDistribution(before.map((row) => asText(row[name])));
      const values = after.map((row) => asText(row[name]));
      // Of more categories than are kept apart, both sides must count the same ones.
      const known = reference.other > 0 ? { known: Object.keys(reference.counts) } : {};
      return columnDrift(reference, categoricalDistribution(values, known));
    }
  }
};

/** Scores are compared only where both sides have one at all. */
const hasScores = (scores: readonly number[]): boolean =>
  scores.some((score) => !Number.isNaN(score));

/** Fewer answers with attributions than this say nothing about how they are distributed. */
export const attributedRowsMin = 50;

/** How the features' influence moved, where both windows have answers that tell of it. */
const attributionDrift = (
  features: readonly Feature[],
  before: ServedRows,
  after: ServedRows,
  policy: DriftPolicy,
): readonly Comparison[] => {
  const isTold = (rows: ServedRows): boolean => rows.attributions.length >= attributedRowsMin;
  if (!isTold(before) || !isTold(after)) return [];
  const valuesOf = (rows: ServedRows, name: string): readonly number[] =>
    rows.attributions.map((shares) => asNumber(shares[name]));
  const columns = features.flatMap(({ name }) => {
    const values = [valuesOf(before, name), valuesOf(after, name)] as const;
    const isMeasured = values.every((side) => side.some((value) => !Number.isNaN(value)));
    return isMeasured ? [judged(name, numericDrift(...values), policy)] : [];
  });
  return columns.length === 0 ? [] : [{ objective: "attribution", columns }];
};

/** Drift: two windows of served predictions, column by column; both must hold at least one row. */
export const compareWindows = (
  features: readonly Feature[],
  before: ServedRows,
  after: ServedRows,
  policy: DriftPolicy,
): readonly Comparison[] => {
  const columns = features.map((feature) =>
    judged(feature.name, featureDrift(feature, before.instances, after.instances), policy),
  );
  const scores =
    hasScores(before.scores) && hasScores(after.scores)
      ? [judged(scoreColumn, numericDrift(before.scores, after.scores), policy)]
      : [];
  return [
    { objective: "feature", columns },
    { objective: "prediction", columns: scores },
    ...attributionDrift(features, before, after, policy),
  ];
};

/** A column's served values, counted as its training rows were. */
const countedAs = (reference: Distribution, values: readonly unknown[]): ColumnDistribution =>
  reference.type === "numeric"
    ? numericDistribution(values.map(asNumber), reference.edges)
    : categoricalDistribution(values.map(asText), { known: Object.keys(reference.counts) });

/** Skew: a window of served predictions against the training rows; columns without a baseline are left out. */
export const compareWithTraining = (
  features: readonly Feature[],
  baseline: TrainingBaseline,
  served: ServedRows,
  policy: DriftPolicy,
): readonly Comparison[] => {
  const columns = features.flatMap(({ name }) => {
    const reference = baseline.distributions[name];
    if (reference === undefined) return [];
    const values = served.instances.map((row) => row[name]);
    return [judged(name, columnDrift(reference, countedAs(reference, values)), policy)];
  });
  const scores = hasScores(served.scores)
    ? [
        judged(
          scoreColumn,
          columnDrift(baseline.score, countedAs(baseline.score, served.scores)),
          policy,
        ),
      ]
    : [];
  return [
    { objective: "feature", columns },
    { objective: "prediction", columns: scores },
  ];
};
