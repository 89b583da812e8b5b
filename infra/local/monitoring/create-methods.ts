/** CreateTimeSeries: custom metrics, checked as the real service checks them. */
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import { RpcError, statusCode } from "../protocol/service.js";
import type { Descriptor, DescriptorStore } from "./descriptors.js";
import { readValue, seriesInput, usOf, type SeriesInput } from "./messages.js";
import { requireProject } from "./names.js";
import type { MetricKind, Point, SeriesIdentity } from "./series.js";
import type { PointStore } from "./store.js";
import { typeOf } from "./values.js";

const seriesPerCallMax = 200;
const futureMsMax = 5 * 60 * 1000;
const pastMsMax = 25 * 60 * 60 * 1000;
const labelsMax = 30;
const typePattern = /^(custom|external|workload)\.googleapis\.com\/[A-Za-z0-9_./-]{1,200}$/;

/** What the method stands on. */
export interface CreateParts {
  readonly context: CloudContext;
  readonly points: PointStore;
  readonly descriptors: DescriptorStore;
}

type CheckedPoint = Point & { readonly series: SeriesIdentity };

const refuse = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

const requireWritable = (type: string): void => {
  if (typePattern.test(type)) return;
  throw refuse(
    `The metric type "${type}" cannot be written: it must begin with custom.googleapis.com/, external.googleapis.com/ or workload.googleapis.com/.`,
  );
};

const readKind = (kind: string | undefined, type: string): MetricKind => {
  if (kind === undefined || kind === "METRIC_KIND_UNSPECIFIED" || kind === "GAUGE") return "GAUGE";
  if (kind === "CUMULATIVE") return "CUMULATIVE";
  throw refuse(`The metric ${type} must be GAUGE or CUMULATIVE; ${kind} cannot be written.`);
};

const readTimes = (
  { context }: CreateParts,
  kind: MetricKind,
  interval: NonNullable<SeriesInput["points"]>[number]["interval"],
): Pick<Point, "startUs" | "endUs"> => {
  if (interval?.endTime === undefined) throw refuse("A point needs interval.endTime.");
  const endUs = usOf(interval.endTime);
  const startUs = interval.startTime === undefined ? endUs : usOf(interval.startTime);
  const nowUs = context.now() * 1000;
  if (endUs > nowUs + futureMsMax * 1000) {
    throw refuse("The end time of a point lies more than 5 minutes in the future.");
  }
  if (endUs < nowUs - pastMsMax * 1000) {
    throw refuse("The end time of a point lies more than 25 hours in the past.");
  }
  if (kind === "GAUGE" && startUs !== endUs) {
    throw refuse("The start time of a GAUGE point must equal its end time or be left out.");
  }
  if (kind === "CUMULATIVE" && startUs >= endUs) {
    throw refuse("The start time of a CUMULATIVE point must be before its end time.");
  }
  return { startUs, endUs };
};

const requireSameMetric = (held: Descriptor | undefined, series: SeriesIdentity): void => {
  if (held === undefined) return;
  if (held.metricKind === series.metricKind && held.valueType === series.valueType) return;
  throw refuse(
    `The metric ${series.metricType} is ${held.metricKind} of ${held.valueType} and cannot take ${series.metricKind} of ${series.valueType}.`,
  );
};

const requireLater = ({ points }: CreateParts, point: CheckedPoint): void => {
  const held = points.find(point.series);
  const newest = held === undefined ? undefined : points.newestEndUs(held);
  if (newest === undefined || point.endUs > newest) return;
  throw refuse(
    "Points must be written in order. One or more of the points specified had an older end time than the most recent point.",
  );
};

const check = (parts: CreateParts, given: SeriesInput): CheckedPoint => {
  const type = given.metric?.type ?? "";
  requireWritable(type);
  const [only, ...others] = given.points ?? [];
  if (only === undefined || others.length > 0) {
    throw refuse("Field timeSeries.points must hold exactly one point.");
  }
  const metricLabels = given.metric?.labels ?? {};
  if (Object.keys(metricLabels).length > labelsMax) {
    throw refuse(`A metric has at most ${labelsMax} labels.`);
  }
  const value = readValue(only.value);
  const metricKind = readKind(given.metricKind, type);
  const valueType = typeOf(value);
  const isNamedOtherwise = ![undefined, "VALUE_TYPE_UNSPECIFIED", valueType].includes(
    given.valueType,
  );
  if (isNamedOtherwise) throw refuse(`The value is ${valueType}, not ${given.valueType}.`);
  const series: SeriesIdentity = {
    metricType: type,
    metricLabels,
    resourceType: given.resource?.type ?? "global",
    resourceLabels: { project_id: parts.context.settings.projectId, ...given.resource?.labels },
    metricKind,
    valueType,
  };
  requireSameMetric(parts.descriptors.find(type), series);
  const point = { series, value, ...readTimes(parts, metricKind, only.interval) };
  requireLater(parts, point);
  return point;
};

/** The first point of a metric makes its descriptor; later labels are added to it. */
const describe = ({ descriptors }: CreateParts, { series }: CheckedPoint, unit?: string): void => {
  const held = descriptors.find(series.metricType);
  const labels = held?.labels ?? [];
  const added = Object.keys(series.metricLabels)
    .filter((key) => !labels.some((label) => label.key === key))
    .map((key) => ({ key }));
  if (held !== undefined && added.length === 0) return;
  descriptors.save({
    type: series.metricType,
    metricKind: series.metricKind,
    valueType: series.valueType,
    ...(unit === undefined ? {} : { unit }),
    ...held,
    labels: [...labels, ...added],
  });
};

const requestSchema = z.object({
  name: z.string().optional(),
  timeSeries: z.array(seriesInput).optional(),
});

/** Answers CreateTimeSeries: good points are kept even when others are refused. */
export const createTimeSeries = (parts: CreateParts, given: unknown): object => {
  const read = requestSchema.safeParse(given);
  if (!read.success) throw refuse(`Invalid time series: ${z.prettifyError(read.error)}`);
  const { name, timeSeries = [] } = read.data;
  requireProject(parts.context, name);
  if (timeSeries.length === 0 || timeSeries.length > seriesPerCallMax) {
    throw refuse(`Field timeSeries must hold 1 to ${seriesPerCallMax} series.`);
  }
  const errors: RpcError[] = [];
  for (const one of timeSeries) {
    try {
      const point = check(parts, one);
      describe(parts, point, one.unit);
      parts.points.write([point], false);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      errors.push(error);
    }
  }
  const [first] = errors;
  if (first === undefined) return {};
  throw new RpcError(
    first.status,
    `One or more TimeSeries could not be written: ${first.message}`,
    {
      cause: first,
      details: [
        {
          "@type": "type.googleapis.com/google.monitoring.v3.CreateTimeSeriesSummary",
          totalPointCount: timeSeries.length,
          successPointCount: timeSeries.length - errors.length,
          errors: errors.map(({ status, message }) => ({
            status: { code: statusCode[status], message },
            pointCount: 1,
          })),
        },
      ],
    },
  );
};
