/** Whether the newest predictions' inputs differ from the earliest ones'. */
import {
  categoricalDistribution,
  columnDrift,
  distributionEdges,
  numericDistribution,
  type Drift,
} from "../statistics/drift.js";
import type { Manifest } from "../manifest/schema.js";

type Row = Readonly<Record<string, unknown>>;
type Feature = Manifest["dataset"]["features"][number];
type DriftPolicy = NonNullable<Manifest["monitoring"]["drift"]>;

/** One feature's distance between two windows. */
export interface FeatureDrift extends Drift {
  readonly feature: string;
  readonly threshold: number;
  /** Above its threshold and above what chance gives at these sample sizes. */
  readonly isAnomaly: boolean;
}

const asNumber = (value: unknown): number =>
  typeof value === "number" && Number.isFinite(value) ? value : Number.NaN;

const asText = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "number" ? String(value) : undefined;

const driftOf = (feature: Feature, reference: readonly Row[], current: readonly Row[]): Drift => {
  const { name, type } = feature;
  switch (type) {
    case "numeric": {
      const before = reference.map((row) => asNumber(row[name]));
      const edges = distributionEdges(
        before.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b),
      );
      const after = current.map((row) => asNumber(row[name]));
      return columnDrift(numericDistribution(before, edges), numericDistribution(after, edges));
    }
    case "categorical":
      return columnDrift(
        categoricalDistribution(reference.map((row) => asText(row[name]))),
        categoricalDistribution(current.map((row) => asText(row[name]))),
      );
  }
};

/** Compares two windows of logged instances feature by feature; both must hold at least one row. */
export const compareWindows = (
  features: readonly Feature[],
  reference: readonly Row[],
  current: readonly Row[],
  policy: DriftPolicy,
): readonly FeatureDrift[] =>
  features.map((feature) => {
    const drift = driftOf(feature, reference, current);
    const threshold = feature.type === "numeric" ? policy.jsdMax : policy.linfMax;
    const isAnomaly = drift.value > threshold && drift.value > drift.nullQuantile;
    return { ...drift, feature: feature.name, threshold, isAnomaly };
  });
