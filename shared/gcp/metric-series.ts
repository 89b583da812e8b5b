/** Reads time series through Cloud Monitoring's REST API. */
import { z } from "zod";
import { RejectedError } from "../domain/errors.js";
import { baseUrl, type GcpConfig } from "./config.js";
import type { Rest } from "./rest.js";

const pagesMax = 50;
/** Points, of whichever series. */
const pageSize = 25_000;

const number = z.coerce.number();
/** JSON has no NaN and no infinity: they arrive as words. */
const anyNumber = z.union([z.number(), z.string()]).transform(Number);

const bucketOptions = z.object({
  explicitBuckets: z.object({ bounds: z.array(number).default([]) }).optional(),
  exponentialBuckets: z
    .object({ numFiniteBuckets: number, growthFactor: number, scale: number })
    .optional(),
  linearBuckets: z
    .object({ numFiniteBuckets: number, width: number, offset: number.default(0) })
    .optional(),
});

const distribution = z.object({
  count: number.default(0),
  mean: number.optional(),
  bucketOptions: bucketOptions.default({}),
  bucketCounts: z.array(number.transform((count) => Math.max(0, count))).default([]),
});

const timeSeries = z.object({
  metric: z.object({ labels: z.record(z.string(), z.string()).default({}) }),
  resource: z.object({ labels: z.record(z.string(), z.string()).default({}) }).prefault({}),
  metricKind: z.string().default("GAUGE"),
  points: z
    .array(
      z.object({
        interval: z.object({ startTime: z.string().optional(), endTime: z.string() }),
        value: z.object({
          int64Value: number.optional(),
          doubleValue: anyNumber.optional(),
          distributionValue: distribution.optional(),
        }),
      }),
    )
    .default([]),
});

const listing = z.object({
  timeSeries: z.array(timeSeries).default([]),
  nextPageToken: z.string().optional(),
});

/** How a distribution's values are put into buckets. */
export type BucketOptions = z.infer<typeof bucketOptions>;

/** A distribution: the last bucket takes what is at or above the last bound; trailing zeros may be left out. */
export type DistributionValue = z.infer<typeof distribution>;

/** One sample of one time series. */
export interface Sample {
  /** Empty where the series is of no endpoint. */
  readonly endpoint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly startMs: number;
  readonly endMs: number;
  /** NaN where its writer had no number. */
  readonly count: number;
  /** Whether it counts what happened in its window, or since the series began. */
  readonly isTotal: boolean;
  readonly distribution: DistributionValue | undefined;
}

/** Which samples are wanted. */
export interface SampleQuery {
  /** For example `aiplatform.googleapis.com/prediction/online/response_count`. */
  readonly metricType: string;
  /** Absent for a metric of somebody's own, which may belong to any resource. */
  readonly endpoints?: readonly string[];
  /** A label's value, or those of which it has one. */
  readonly labels?: Readonly<Record<string, string | readonly string[]>>;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Texts that one call may be given, as in Google's own clients. */
export const oneOfMax = 100;

const among = (wanted: string | readonly string[]): string =>
  typeof wanted === "string"
    ? JSON.stringify(wanted)
    : `one_of(${wanted.map((text) => JSON.stringify(text)).join(",")})`;

const filterOf = ({ metricType, endpoints, labels = {} }: SampleQuery): string =>
  [
    `metric.type = ${among(metricType)}`,
    ...(endpoints === undefined
      ? []
      : [
          `resource.type = "aiplatform.googleapis.com/Endpoint"`,
          `resource.labels.endpoint_id = ${among(endpoints)}`,
        ]),
    ...Object.entries(labels).map(([name, value]) => `metric.labels.${name} = ${among(value)}`),
  ].join(" AND ");

/** Gives like options as one object, so that what follows from them is worked out once. */
const sharing = (): ((options: BucketOptions) => BucketOptions) => {
  const known = new Map<string, BucketOptions>();
  return (options) => {
    const key = JSON.stringify(options);
    const found = known.get(key) ?? options;
    known.set(key, found);
    return found;
  };
};

const samplesOf = (
  { metric, resource, metricKind, points }: z.infer<typeof timeSeries>,
  shared: ReturnType<typeof sharing>,
): Sample[] =>
  points.map(({ interval, value: { int64Value, doubleValue, distributionValue } }) => ({
    endpoint: resource.labels["endpoint_id"] ?? "",
    labels: metric.labels,
    startMs: Date.parse(interval.startTime ?? interval.endTime),
    endMs: Date.parse(interval.endTime),
    count: int64Value ?? doubleValue ?? distributionValue?.count ?? 0,
    isTotal: metricKind !== "GAUGE",
    distribution: distributionValue && {
      ...distributionValue,
      bucketOptions: shared(distributionValue.bucketOptions),
    },
  }));

const page = async (
  config: GcpConfig,
  rest: Rest,
  query: SampleQuery,
  options: {
    readonly view: "FULL" | "HEADERS";
    readonly pageSize: number;
    readonly pageToken?: string;
  },
): Promise<z.infer<typeof listing>> =>
  listing.parse(
    await rest.json({
      method: "GET",
      url: `${baseUrl(config, "monitoring")}/v3/projects/${config.projectId}/timeSeries`,
      query: {
        filter: filterOf(query),
        "interval.startTime": new Date(query.sinceMs).toISOString(),
        "interval.endTime": new Date(query.untilMs).toISOString(),
        ...options,
      },
    }),
  );

/** The labels of some series; null when there is none. */
export const labelsOfAny = async (
  config: GcpConfig,
  rest: Rest,
  query: SampleQuery,
): Promise<Readonly<Record<string, string>> | null> => {
  const { timeSeries: found } = await page(config, rest, query, { view: "HEADERS", pageSize: 1 });
  return found[0]?.metric.labels ?? null;
};

/** The samples that end in the span, over all pages; the first may have begun before it. */
export const samples = async (
  config: GcpConfig,
  rest: Rest,
  query: SampleQuery,
): Promise<readonly Sample[]> => {
  const found: Sample[] = [];
  const shared = sharing();
  let pageToken: string | undefined;
  for (let read = 0; read < pagesMax; read += 1) {
    const { timeSeries: series, nextPageToken } = await page(config, rest, query, {
      view: "FULL",
      pageSize,
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    for (const one of series) found.push(...samplesOf(one, shared));
    pageToken = nextPageToken === "" ? undefined : nextPageToken;
    if (pageToken === undefined) return found;
  }
  throw new RejectedError(
    `Monitoring returned more than ${String(pagesMax)} pages of ${query.metricType}${query.endpoints === undefined ? "" : ` for ${String(query.endpoints.length)} endpoints`}. Ask for a shorter span of time.`,
  );
};

/** Those whose whole window lies in the span. */
export const within = (
  found: readonly Sample[],
  { sinceMs, untilMs }: Pick<SampleQuery, "sinceMs" | "untilMs">,
): readonly Sample[] =>
  found.filter(({ startMs, endMs }) => startMs >= sinceMs && endMs <= untilMs);

/** Samples by a key, in the order in which the keys first came. */
export const grouped = <Key>(
  found: readonly Sample[],
  keyOf: (sample: Sample) => Key,
): ReadonlyMap<Key, readonly Sample[]> => {
  const groups = new Map<Key, Sample[]>();
  for (const sample of found) {
    const key = keyOf(sample);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [sample]);
    else group.push(sample);
  }
  return groups;
};
