/** Reducers: aligned series that share the grouping labels become one. */
import { RpcError } from "../protocol/service.js";
import { keyOf, type Labels, type MetricKind, type Point, type Series } from "./series.js";
import {
  deviationOf,
  distributionsOf,
  meanOf,
  merge,
  numberOf,
  numeric,
  percentileOfDistribution,
  percentileOfNumbers,
  type Value,
  type ValueType,
} from "./values.js";

interface Reduced {
  readonly kind: MetricKind;
  readonly type: ValueType;
  readonly of: (values: readonly Value[]) => Value;
}

const percentiles: ReadonlyMap<string, number> = new Map([
  ["REDUCE_PERCENTILE_99", 99],
  ["REDUCE_PERCENTILE_95", 95],
  ["REDUCE_PERCENTILE_50", 50],
  ["REDUCE_PERCENTILE_05", 5],
]);

const fromMerged = (of: (values: readonly Value[]) => number): Reduced => ({
  kind: "GAUGE",
  type: "DOUBLE",
  of: (values) => ({ double: of(values) }),
});

const plan = (reducer: string, series: Series): Reduced => {
  const { metricKind: kind, valueType: type } = series;
  const isDistribution = type === "DISTRIBUTION";
  const isNumeric = type === "INT64" || type === "DOUBLE";
  const numbers = (of: (numbers: readonly number[]) => number, as: ValueType): Reduced => ({
    kind: as === type ? kind : "GAUGE",
    type: as,
    of: (values) => numeric(as, of(values.map(numberOf))),
  });
  const require = (isFit: boolean, reduced: Reduced): Reduced => {
    if (isFit) return reduced;
    throw new RpcError(
      "INVALID_ARGUMENT",
      `The reducer ${reducer} cannot be applied to values of type ${type}.`,
    );
  };
  const percent = percentiles.get(reducer);
  if (percent !== undefined) {
    return isDistribution
      ? fromMerged((values) => percentileOfDistribution(merge(distributionsOf(values)), percent))
      : require(isNumeric, numbers((all) => percentileOfNumbers(all, percent), "DOUBLE"));
  }
  switch (reducer) {
    case "REDUCE_SUM":
      return isDistribution
        ? { kind, type, of: (values) => ({ distribution: merge(distributionsOf(values)) }) }
        : require(isNumeric, numbers((all) => all.reduce((sum, one) => sum + one, 0), type));
    case "REDUCE_MEAN":
      return isDistribution
        ? fromMerged((values) => merge(distributionsOf(values)).mean)
        : require(isNumeric, numbers(meanOf, "DOUBLE"));
    case "REDUCE_MIN":
      return require(isNumeric, numbers((all) => Math.min(...all), type));
    case "REDUCE_MAX":
      return require(isNumeric, numbers((all) => Math.max(...all), type));
    case "REDUCE_STDDEV":
      return require(isNumeric, numbers(deviationOf, "DOUBLE"));
    case "REDUCE_COUNT":
      return {
        kind: "GAUGE",
        type: "INT64",
        of: (values) => ({ int64: values.length }),
      };
    default:
      throw new RpcError("UNIMPLEMENTED", `The reducer ${reducer} is not built here.`);
  }
};

interface GroupField {
  readonly holder: "metricLabels" | "resourceLabels";
  readonly label: string;
}

/** `metric.type`, `resource.type` and `project` need no keeping: they are kept anyway. */
const readField = (field: string): GroupField | undefined => {
  const match = /^(metric|resource)\.labels?\.(?:"([^"]+)"|(\S+))$/.exec(field);
  const label = match?.[2] ?? match?.[3];
  if (match !== null && label !== undefined) {
    return { holder: match[1] === "metric" ? "metricLabels" : "resourceLabels", label };
  }
  if (["metric.type", "resource.type", "project"].includes(field)) return undefined;
  throw new RpcError(
    "INVALID_ARGUMENT",
    `Invalid group_by_fields "${field}": write metric.labels.NAME or resource.labels.NAME.`,
  );
};

const keepLabels = (
  series: Series,
  fields: readonly GroupField[],
  holder: GroupField["holder"],
): Labels =>
  Object.fromEntries(
    fields.flatMap(({ holder: inHolder, label }) => {
      const value = series[holder][label];
      return inHolder === holder && value !== undefined ? [[label, value] as const] : [];
    }),
  );

/** Combines series group by group; point by point of equal end. */
export const reduceSeries = (
  all: readonly Series[],
  reducer: string,
  groupByFields: readonly string[],
  projectId: string,
): readonly Series[] => {
  const fields = groupByFields.map(readField).filter((field) => field !== undefined);
  const groups = new Map<string, { readonly first: Series; readonly members: Series[] }>();
  for (const series of all) {
    const first: Series = {
      ...series,
      metricLabels: keepLabels(series, fields, "metricLabels"),
      resourceLabels: {
        project_id: projectId,
        ...keepLabels(series, fields, "resourceLabels"),
      },
    };
    const key = keyOf(first);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first, members: [series] });
    else group.members.push(series);
  }
  return [...groups]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([, { first, members }]) => {
      const reduced = plan(reducer, first);
      const columns = new Map<number, Point[]>();
      for (const point of members.flatMap(({ points }) => points)) {
        const column = columns.get(point.endUs);
        if (column === undefined) columns.set(point.endUs, [point]);
        else column.push(point);
      }
      const points = [...columns]
        .toSorted(([left], [right]) => right - left)
        .map(([endUs, column]): Point => {
          const startUs = reduced.kind === "GAUGE" ? endUs : (column[0]?.startUs ?? endUs);
          return { startUs, endUs, value: reduced.of(column.map(({ value }) => value)) };
        });
      return { ...first, metricKind: reduced.kind, valueType: reduced.type, points };
    });
};
