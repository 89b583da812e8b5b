/** Time series in memory: who they are, and their points. */
import type { Value, ValueType } from "./values.js";

/** How a metric's points relate to time. */
export type MetricKind = "GAUGE" | "DELTA" | "CUMULATIVE";

/** Labels by name. */
export type Labels = Readonly<Record<string, string>>;

/** What makes a time series itself. */
export interface SeriesIdentity {
  readonly metricType: string;
  readonly metricLabels: Labels;
  readonly resourceType: string;
  readonly resourceLabels: Labels;
  readonly metricKind: MetricKind;
  readonly valueType: ValueType;
}

/** A point; times are microseconds since 1970, the precision of the real service. */
export interface Point {
  readonly startUs: number;
  readonly endUs: number;
  readonly value: Value;
}

/** A series with points, the newest first. */
export interface Series extends SeriesIdentity {
  readonly points: readonly Point[];
}

const sorted = (labels: Labels): readonly (readonly [string, string])[] =>
  Object.entries(labels).toSorted(([left], [right]) => (left < right ? -1 : 1));

/** A text that two series share only if they are the same; series are listed in its order. */
export const keyOf = (
  series: Pick<SeriesIdentity, "metricType" | "metricLabels" | "resourceType" | "resourceLabels">,
): string =>
  JSON.stringify([
    series.metricType,
    series.resourceType,
    sorted(series.resourceLabels),
    sorted(series.metricLabels),
  ]);
