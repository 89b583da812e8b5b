/** Aligners: one value per series and period, https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies#Aligner */
import { RpcError } from "../protocol/service.js";
import type { MetricKind, Point, Series } from "./series.js";
import {
  deviationOf,
  distributionsOf,
  meanOf,
  merge,
  numberOf,
  numeric,
  percentileOfDistribution,
  type Value,
  type ValueType,
} from "./values.js";

/** Which stretch of time is cut into which periods. */
export interface AlignmentGrid {
  readonly startUs: number;
  readonly endUs: number;
  readonly periodUs: number;
}

interface Aligned {
  readonly kind: MetricKind;
  readonly type: ValueType;
  readonly of: (points: readonly Point[], periodUs: number) => Value;
}

const percentiles: ReadonlyMap<string, number> = new Map([
  ["ALIGN_PERCENTILE_99", 99],
  ["ALIGN_PERCENTILE_95", 95],
  ["ALIGN_PERCENTILE_50", 50],
  ["ALIGN_PERCENTILE_05", 5],
]);

const numbersOf = (points: readonly Point[]): readonly number[] =>
  points.map(({ value }) => numberOf(value));
const sumOf = (points: readonly Point[]): number =>
  numbersOf(points).reduce((sum, one) => sum + one, 0);
const mergedOf = (points: readonly Point[]) =>
  merge(distributionsOf(points.map(({ value }) => value)));

const unfit = (aligner: string, series: Series): RpcError =>
  new RpcError(
    "INVALID_ARGUMENT",
    `The aligner ${aligner} cannot be applied to ${series.metricType}, whose kind is ${series.metricKind} and value type ${series.valueType}.`,
  );

const gauge = (of: (points: readonly Point[]) => number, as: ValueType = "DOUBLE"): Aligned => ({
  kind: "GAUGE",
  type: as,
  of: (points) => numeric(as, of(points)),
});

const plan = (aligner: string, series: Series): Aligned => {
  const { metricKind: kind, valueType: type } = series;
  const isNumeric = type === "INT64" || type === "DOUBLE";
  const isDistribution = type === "DISTRIBUTION";
  const isChange = kind !== "GAUGE";
  const isPlain = kind !== "CUMULATIVE";
  const require = (isFit: boolean, aligned: Aligned): Aligned => {
    if (!isFit) throw unfit(aligner, series);
    return aligned;
  };
  const total: Aligned = {
    kind: kind === "GAUGE" ? "GAUGE" : "DELTA",
    type,
    of: (points) =>
      isDistribution ? { distribution: mergedOf(points) } : numeric(type, sumOf(points)),
  };
  const percent = percentiles.get(aligner);
  if (percent !== undefined) {
    return require(isDistribution && isPlain, gauge((points) =>
      percentileOfDistribution(mergedOf(points), percent),
    ));
  }
  switch (aligner) {
    case "ALIGN_DELTA":
      return require(isChange && (isNumeric || isDistribution), total);
    case "ALIGN_RATE":
      return require(isChange && isNumeric, {
        kind: "GAUGE",
        type: "DOUBLE",
        of: (points, periodUs) => ({ double: sumOf(points) / (periodUs / 1_000_000) }),
      });
    case "ALIGN_SUM":
      return require(isPlain && (isNumeric || isDistribution), total);
    case "ALIGN_MEAN":
      return require(isPlain && isNumeric, gauge((points) => meanOf(numbersOf(points))));
    case "ALIGN_MIN":
      return require(isPlain && isNumeric, gauge((points) => Math.min(...numbersOf(points)), type));
    case "ALIGN_MAX":
      return require(isPlain && isNumeric, gauge((points) => Math.max(...numbersOf(points)), type));
    case "ALIGN_STDDEV":
      return require(isPlain && isNumeric, gauge((points) => deviationOf(numbersOf(points))));
    case "ALIGN_COUNT":
      return require(isPlain && (isNumeric || type === "BOOL"), gauge(
        (points) => points.length,
        "INT64",
      ));
    case "ALIGN_COUNT_TRUE":
      return require(kind === "GAUGE" && type === "BOOL", gauge(sumOf, "INT64"));
    case "ALIGN_COUNT_FALSE":
      return require(kind === "GAUGE" && type === "BOOL", gauge(
        (points) => points.length - sumOf(points),
        "INT64",
      ));
    case "ALIGN_FRACTION_TRUE":
      return require(kind === "GAUGE" && type === "BOOL", gauge((points) =>
        meanOf(numbersOf(points)),
      ));
    case "ALIGN_NEXT_OLDER":
      return require(kind === "GAUGE", {
        kind,
        type,
        of: ([newest]) => newest?.value ?? numeric(type, 0),
      });
    default:
      throw new RpcError("UNIMPLEMENTED", `The aligner ${aligner} is not built here.`);
  }
};

const subtract = (newer: Point, older: Point): Value => {
  if ("distribution" in newer.value && "distribution" in older.value) {
    const [now, before] = [newer.value.distribution, older.value.distribution];
    const count = now.count - before.count;
    return {
      distribution: {
        ...now,
        count,
        mean: count === 0 ? 0 : (now.mean * now.count - before.mean * before.count) / count,
        sumOfSquaredDeviation: Math.max(
          0,
          now.sumOfSquaredDeviation - before.sumOfSquaredDeviation,
        ),
        bucketCounts: now.bucketCounts.map(
          (held, index) => held - (before.bucketCounts[index] ?? 0),
        ),
      },
    };
  }
  const type = "int64" in newer.value ? "INT64" : "DOUBLE";
  return numeric(type, numberOf(newer.value) - numberOf(older.value));
};

/** Running totals as changes: a new start time begins again from zero. */
const asChanges = (series: Series): readonly Point[] => {
  if (series.metricKind !== "CUMULATIVE") return series.points;
  return series.points.flatMap((newer, index) => {
    const older = series.points[index + 1];
    if (older === undefined) return [];
    if (older.startUs !== newer.startUs) return [newer];
    return [{ startUs: older.endUs, endUs: newer.endUs, value: subtract(newer, older) }];
  });
};

/**
 * Aligns a series to periods that end at the interval's end and go back from there. A point belongs wholly to the
 * period its end lies in; a period without points has no value.
 */
export const alignSeries = (series: Series, aligner: string, grid: AlignmentGrid): Series => {
  const aligned = plan(aligner, series);
  const periods = new Map<number, Point[]>();
  for (const point of asChanges(series)) {
    if (point.endUs > grid.endUs || point.endUs <= grid.startUs) continue;
    const index = Math.floor((grid.endUs - point.endUs) / grid.periodUs);
    const held = periods.get(index);
    if (held === undefined) periods.set(index, [point]);
    else held.push(point);
  }
  const points = [...periods]
    .toSorted(([left], [right]) => left - right)
    .map(([index, inside]): Point => {
      const endUs = grid.endUs - index * grid.periodUs;
      const startUs = aligned.kind === "GAUGE" ? endUs : endUs - grid.periodUs;
      return { startUs, endUs, value: aligned.of(inside, grid.periodUs) };
    });
  return { ...series, metricKind: aligned.kind, valueType: aligned.type, points };
};
