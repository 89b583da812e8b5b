/** Points and series between protobuf's message shape and ours. */
import { z } from "zod";
import { RpcError } from "../protocol/service.js";
import type { Point, Series } from "./series.js";
import type { Distribution, Value } from "./values.js";

/** A Timestamp or Duration as handlers see it. */
export const timeSchema = z.object({
  seconds: z.string().or(z.number()).transform(Number).optional(),
  nanos: z.number().optional(),
});
type Time = z.infer<typeof timeSchema>;

/** Microseconds of a Timestamp or Duration. */
export const usOf = (time: Time): number =>
  (time.seconds ?? 0) * 1_000_000 + Math.floor((time.nanos ?? 0) / 1000);

/** A Timestamp of microseconds. */
export const timeMessage = (us: number): object => ({
  seconds: String(Math.floor(us / 1_000_000)),
  nanos: (us % 1_000_000) * 1000,
});

const distributionMessage = (held: Distribution): object => ({
  count: String(held.count),
  mean: held.mean,
  sumOfSquaredDeviation: held.sumOfSquaredDeviation,
  bucketOptions: { explicitBuckets: { bounds: held.bounds } },
  bucketCounts: held.bucketCounts.map(String),
});

const valueMessage = (value: Value): object => {
  if ("int64" in value) return { int64Value: String(value.int64) };
  if ("double" in value) return { doubleValue: value.double };
  if ("bool" in value) return { boolValue: value.bool };
  if ("string" in value) return { stringValue: value.string };
  return { distributionValue: distributionMessage(value.distribution) };
};

const pointMessage = ({ startUs, endUs, value }: Point): object => ({
  interval: { startTime: timeMessage(startUs), endTime: timeMessage(endUs) },
  value: valueMessage(value),
});

/** A series as the API shows it. */
export const seriesMessage = (series: Series, unit: string | undefined): object => ({
  metric: { type: series.metricType, labels: series.metricLabels },
  resource: { type: series.resourceType, labels: series.resourceLabels },
  metricKind: series.metricKind,
  valueType: series.valueType,
  points: series.points.map(pointMessage),
  ...(unit === undefined ? {} : { unit }),
});

const int64 = z.string().or(z.number()).transform(Number);
const labels = z.record(z.string(), z.string()).optional();

const distributionInput = z.object({
  count: int64.optional(),
  mean: z.number().optional(),
  sumOfSquaredDeviation: z.number().optional(),
  bucketOptions: z
    .object({
      explicitBuckets: z.object({ bounds: z.array(z.number()).optional() }).optional(),
      linearBuckets: z
        .object({
          numFiniteBuckets: z.number(),
          width: z.number(),
          offset: z.number().optional(),
        })
        .optional(),
      exponentialBuckets: z
        .object({ numFiniteBuckets: z.number(), growthFactor: z.number(), scale: z.number() })
        .optional(),
    })
    .optional(),
  bucketCounts: z.array(int64).optional(),
});

const valueInput = z.object({
  int64Value: int64.optional(),
  doubleValue: z.number().optional(),
  boolValue: z.boolean().optional(),
  stringValue: z.string().optional(),
  distributionValue: distributionInput.optional(),
});

/** A series as a caller writes it. */
export const seriesInput = z.object({
  metric: z.object({ type: z.string().optional(), labels }).optional(),
  resource: z.object({ type: z.string().optional(), labels }).optional(),
  metricKind: z.string().optional(),
  valueType: z.string().optional(),
  unit: z.string().optional(),
  points: z
    .array(
      z.object({
        interval: z
          .object({ startTime: timeSchema.optional(), endTime: timeSchema.optional() })
          .optional(),
        value: valueInput.optional(),
      }),
    )
    .optional(),
});
/** A series as a caller writes it. */
export type SeriesInput = z.infer<typeof seriesInput>;

const refuse = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);
const bucketsMax = 200;

const boundsOf = (options: z.infer<typeof distributionInput>["bucketOptions"]): number[] => {
  const { explicitBuckets, linearBuckets, exponentialBuckets } = options ?? {};
  const finite = linearBuckets?.numFiniteBuckets ?? exponentialBuckets?.numFiniteBuckets ?? 0;
  if (finite > bucketsMax) throw refuse(`A distribution has at most ${bucketsMax} buckets.`);
  if (linearBuckets !== undefined) {
    const { width, offset = 0 } = linearBuckets;
    return Array.from({ length: finite + 1 }, (_, index) => offset + width * index);
  }
  if (exponentialBuckets !== undefined) {
    const { scale, growthFactor } = exponentialBuckets;
    return Array.from({ length: finite + 1 }, (_, index) => scale * growthFactor ** index);
  }
  return explicitBuckets?.bounds ?? [];
};

const readDistribution = (given: z.infer<typeof distributionInput>): Distribution => {
  const bounds = boundsOf(given.bucketOptions);
  const isRising = bounds.every(
    (bound, index) => index === 0 || bound > (bounds[index - 1] ?? bound),
  );
  if (!isRising || bounds.length > bucketsMax) {
    throw refuse(`A distribution's bounds must rise and number at most ${bucketsMax}.`);
  }
  const counts = given.bucketCounts ?? [];
  if (counts.length > bounds.length + 1) {
    throw refuse(`${counts.length} bucket counts do not fit ${bounds.length} bounds.`);
  }
  const bucketCounts = Array.from({ length: bounds.length + 1 }, (_, index) => counts[index] ?? 0);
  const count = given.count ?? 0;
  if (counts.length > 0 && bucketCounts.reduce((sum, one) => sum + one, 0) !== count) {
    throw refuse(`A distribution's bucket counts must add up to its count, ${count}.`);
  }
  const { mean = 0, sumOfSquaredDeviation = 0 } = given;
  return { count, mean, sumOfSquaredDeviation, bounds, bucketCounts };
};

/** Reads a TypedValue; exactly one kind must be set. */
export const readValue = (given: z.infer<typeof valueInput> | undefined): Value => {
  const { int64Value, doubleValue, boolValue, stringValue, distributionValue } = given ?? {};
  if (int64Value !== undefined) {
    if (!Number.isSafeInteger(int64Value)) {
      throw refuse(`The int64 value ${int64Value} is beyond what is kept exactly here (2^53).`);
    }
    return { int64: int64Value };
  }
  if (doubleValue !== undefined) return { double: doubleValue };
  if (boolValue !== undefined) return { bool: boolValue };
  if (stringValue !== undefined) return { string: stringValue };
  if (distributionValue !== undefined) return { distribution: readDistribution(distributionValue) };
  throw refuse("A point must have a value.");
};
