/** ListTimeSeries: filter, interval, aggregation, view, pages. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import { RpcError } from "../protocol/service.js";
import { alignSeries } from "./align.js";
import type { DescriptorStore } from "./descriptors.js";
import { parseFilter } from "./filter.js";
import { seriesMessage, timeSchema, usOf } from "./messages.js";
import { requireProject } from "./names.js";
import { reduceSeries } from "./reduce.js";
import { keyOf, type Series } from "./series.js";
import type { PointStore, StoredSeries } from "./store.js";

const pageSizeMax = 100_000;
const periodsMax = 100_000;
const googlePeriodMsMin = 60_000;

const aggregationSchema = z.object({
  alignmentPeriod: timeSchema.optional(),
  perSeriesAligner: z.string().optional(),
  crossSeriesReducer: z.string().optional(),
  groupByFields: z.array(z.string()).optional(),
});
type Aggregation = z.infer<typeof aggregationSchema>;

const requestSchema = z.object({
  name: z.string().optional(),
  filter: z.string().optional(),
  interval: z
    .object({ startTime: timeSchema.optional(), endTime: timeSchema.optional() })
    .optional(),
  aggregation: aggregationSchema.optional(),
  secondaryAggregation: aggregationSchema.optional(),
  orderBy: z.string().optional(),
  view: z.string().optional(),
  pageSize: z.number().optional(),
  pageToken: z.string().optional(),
});
type ListRequest = z.infer<typeof requestSchema>;

/** What the method stands on. */
export interface ListParts {
  readonly context: CloudContext;
  readonly points: PointStore;
  readonly descriptors: DescriptorStore;
}

interface Interval {
  readonly startUs: number;
  readonly endUs: number;
}

const refuse = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

const readInterval = (interval: ListRequest["interval"]): Interval => {
  if (interval?.endTime === undefined) throw refuse("Field interval.endTime is required.");
  const endUs = usOf(interval.endTime);
  const startUs = interval.startTime === undefined ? endUs : usOf(interval.startTime);
  if (startUs > endUs) {
    throw refuse("Field interval.endTime must not be earlier than interval.startTime.");
  }
  return { startUs, endUs };
};

const isNone = (name: string | undefined): boolean =>
  name === undefined || name === "ALIGN_NONE" || name === "REDUCE_NONE";

const aggregate = (
  { context }: ListParts,
  all: readonly Series[],
  aggregation: Aggregation | undefined,
  interval: Interval,
): readonly Series[] => {
  if (aggregation === undefined) return all;
  const { perSeriesAligner, crossSeriesReducer, groupByFields = [] } = aggregation;
  if (isNone(perSeriesAligner)) {
    if (isNone(crossSeriesReducer)) return all;
    throw refuse("A crossSeriesReducer needs a perSeriesAligner other than ALIGN_NONE.");
  }
  const periodUs = usOf(aggregation.alignmentPeriod ?? {});
  const { metricPeriodMs, projectId } = context.settings;
  const periodMsMin = Math.min(googlePeriodMsMin, metricPeriodMs);
  if (periodUs < periodMsMin * 1000) {
    throw refuse(
      `Field aggregation.alignmentPeriod must be at least ${periodMsMin / 1000} s, the width of a sample here.`,
    );
  }
  if ((interval.endUs - interval.startUs) / periodUs > periodsMax) {
    throw refuse(`The interval has more than ${periodsMax} alignment periods.`);
  }
  const grid = { ...interval, periodUs };
  const aligned = all
    .map((series) => alignSeries(series, perSeriesAligner ?? "", grid))
    .filter(({ points }) => points.length > 0);
  return isNone(crossSeriesReducer)
    ? aligned
    : reduceSeries(aligned, crossSeriesReducer ?? "", groupByFields, projectId);
};

const select = (parts: ListParts, filterText: string): readonly StoredSeries[] => {
  const { points, descriptors, context } = parts;
  const filter = parseFilter(filterText, context.settings.projectId);
  if (filter.metricTypes.length === 0) {
    throw refuse(
      'Field filter must specify a single metric type: metric.type = "aiplatform.googleapis.com/prediction/online/prediction_count".',
    );
  }
  const unknown = filter.metricTypes.find((type) => descriptors.find(type) === undefined);
  if (unknown !== undefined) {
    throw new RpcError(
      "NOT_FOUND",
      `Cannot find metric(s) that match type = "${unknown}". If a metric was created recently, it could take up to 10 minutes to become available.`,
    );
  }
  return [...points.series()]
    .filter(filter.matches)
    .toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
};

/** Cuts a list of series at a number of points; a series may go on in the next page. */
const pageOfPoints = (all: readonly Series[], skip: number, limit: number): readonly Series[] => {
  const page: Series[] = [];
  let at = 0;
  for (const series of all) {
    const from = Math.max(0, skip - at);
    const to = Math.min(series.points.length, skip + limit - at);
    if (to > from) page.push({ ...series, points: series.points.slice(from, to) });
    at += series.points.length;
  }
  return page;
};

const tokenSchema = z.tuple([z.string(), z.number()]);

const readToken = (token: string | undefined, digest: string): number => {
  if (token === undefined || token === "") return 0;
  try {
    const text = Buffer.from(token, "base64url").toString("utf8");
    const [theirs, skip] = tokenSchema.parse(JSON.parse(text));
    if (theirs === digest) return skip;
  } catch {
    // Falls through to the same refusal as a token of another query.
  }
  throw refuse("Field pageToken is invalid: use the token of the page before with the same query.");
};

/** Answers ListTimeSeries. */
export const listTimeSeries = (parts: ListParts, given: unknown): object => {
  const request = requestSchema.parse(given);
  const { filter = "", view = "FULL", pageSize = 0 } = request;
  requireProject(parts.context, request.name);
  if ((request.orderBy ?? "") !== "")
    throw refuse("Field orderBy is unsupported and must be blank.");
  if (pageSize < 0) throw refuse("Field pageSize must not be negative.");
  const interval = readInterval(request.interval);
  // An interval without length means the points at exactly that time.
  const afterUs = Math.min(interval.startUs, interval.endUs - 1);
  const raw = select(parts, filter)
    .map((series): Series => {
      const points = parts.points.read(series, { afterUs, untilUs: interval.endUs });
      return { ...series, points };
    })
    .filter(({ points }) => points.length > 0);
  const first = aggregate(parts, raw, request.aggregation, interval);
  const all = aggregate(parts, first, request.secondaryAggregation, interval);

  const { pageToken, ...query } = request;
  const digest = createHash("sha256")
    .update(JSON.stringify(query))
    .digest("base64url")
    .slice(0, 12);
  const skip = readToken(pageToken, digest);
  const limit = pageSize === 0 ? pageSizeMax : Math.min(pageSize, pageSizeMax);
  const isFull = view === "FULL";
  const count = isFull ? all.reduce((sum, { points }) => sum + points.length, 0) : all.length;
  const page = isFull
    ? pageOfPoints(all, skip, limit)
    : all.slice(skip, skip + limit).map((series) => ({ ...series, points: [] }));
  return {
    timeSeries: page.map((series) =>
      seriesMessage(series, parts.descriptors.find(series.metricType)?.unit),
    ),
    ...(skip + limit < count
      ? { nextPageToken: Buffer.from(JSON.stringify([digest, skip + limit])).toString("base64url") }
      : {}),
  };
};
