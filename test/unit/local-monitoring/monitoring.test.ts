import { afterEach, describe, expect, it } from "vitest";
import type { MetricPoint } from "../../../infra/local/cloud.js";
import { alignSeries } from "../../../infra/local/monitoring/align.js";
import { parseFilter } from "../../../infra/local/monitoring/filter.js";
import { monitoringProduct } from "../../../infra/local/monitoring/product.js";
import { reduceSeries } from "../../../infra/local/monitoring/reduce.js";
import type { Point, Series } from "../../../infra/local/monitoring/series.js";
import { pointAgeMsMax, pointStore } from "../../../infra/local/monitoring/store.js";
import {
  deviationOf,
  merge,
  percentileOfDistribution,
  percentileOfNumbers,
  type Distribution,
} from "../../../infra/local/monitoring/values.js";
import { standUp, type Stand } from "../local-storage/one-product.js";

const distribution = (bounds: number[], bucketCounts: number[], mean = 0): Distribution => ({
  count: bucketCounts.reduce((sum, one) => sum + one, 0),
  mean,
  sumOfSquaredDeviation: 0,
  bounds,
  bucketCounts,
});

describe("percentiles", () => {
  it.each([
    [distribution([10, 20, 40], [0, 100, 0, 0]), 50, 15],
    [distribution([10, 20, 40], [50, 50, 0, 0]), 50, 10],
    [distribution([10, 20, 40], [50, 50, 0, 0]), 99, 19.8],
    [distribution([10, 20, 40], [0, 0, 0, 7]), 50, 40],
    [distribution([10, 20, 40], [4, 0, 0, 0]), 50, 5],
    [distribution([-5, 5], [2, 0, 0]), 50, -5],
    [distribution([], [3], 12), 95, 12],
  ])("are read off the buckets", (held, percent, expected) => {
    expect(percentileOfDistribution(held, percent)).toBeCloseTo(expected, 10);
  });
  it("of numbers lie between neighbours", () => {
    expect(percentileOfNumbers([4, 1, 3, 2], 50)).toBe(2.5);
    expect(percentileOfNumbers([7], 99)).toBe(7);
  });
});

it("merged distributions keep count, mean and deviation", () => {
  const values = [1, 2, 4, 8, 16, 32];
  const one = (value: number): Distribution =>
    distribution([5], value < 5 ? [1, 0] : [0, 1], value);
  const merged = merge(values.map(one));
  expect(merged.count).toBe(6);
  expect(merged.mean).toBeCloseTo(10.5, 10);
  expect(Math.sqrt(merged.sumOfSquaredDeviation / 6)).toBeCloseTo(deviationOf(values), 10);
  expect(merged.bucketCounts).toEqual([3, 3]);
  expect(() => merge([one(1), distribution([6], [1, 0])])).toThrow(/different buckets/);
});

const subject = {
  metricType: "custom.googleapis.com/x",
  metricLabels: { model: "churn", version: "12", "odd.key": "v" },
  resourceType: "global",
  resourceLabels: { project_id: "demo" },
};

describe("a monitoring filter", () => {
  it.each([
    [`metric.type="custom.googleapis.com/x"`, true],
    [`metric.type = "custom.googleapis.com/x" AND metric.labels.model = "churn"`, true],
    [`metric.type = "custom.googleapis.com/x" metric.label.model = churn`, true],
    [`metric.labels.version > 9`, true],
    [`metric.labels.version <= 9`, false],
    [`metric.labels.model : "hur"`, true],
    [`metric.labels.model = ends_with("rn") AND NOT resource.type = "other"`, true],
    [`metric.labels.model != starts_with("ch")`, false],
    [`metric.labels."odd.key" = 'v'`, true],
    [`metric.labels.missing = ""`, false],
    [`metric.labels.missing != "x"`, true],
    [`project = "demo"`, true],
    [
      `resource.type = "a" OR resource.type = "global" AND metric.labels.model = "x" OR metric.labels.version = "12"`,
      true,
    ],
    [`-(resource.type = "global")`, false],
  ])("%s: %s", (text, expected) => {
    expect(parseFilter(text, "demo").matches(subject)).toBe(expected);
  });
  it.each([
    `metric.type`,
    `metric.type =`,
    `metric.type = "x`,
    `metric.kind = "x"`,
    `group.id = "x"`,
    `metric.type = starts_with(x)`,
    `metric.type = nonsense("x")`,
    `resource.labels.endpoint_id > one_of("1")`,
    `resource.labels.endpoint_id = one_of()`,
    `resource.labels.endpoint_id = one_of("1",)`,
    `resource.labels.endpoint_id = one_of(${Array.from({ length: 101 }, (_, id) => `"${id}"`).join(",")})`,
    `metric.type = "x" AND`,
    `(metric.type = "x"`,
    `metric.type = "x")`,
  ])("refuses %s", (text) => {
    expect(() => parseFilter(text, "demo")).toThrow(/Field filter had an invalid value/);
  });
});

const s = 1_000_000;
const series = (
  kind: Series["metricKind"],
  points: readonly (readonly [startS: number, endS: number, value: number])[],
): Series => ({
  ...subject,
  metricKind: kind,
  valueType: "INT64",
  points: points
    .map(([startS, endS, int64]): Point => ({
      startUs: startS * s,
      endUs: endS * s,
      value: { int64 },
    }))
    .toReversed(),
});
const grid = { startUs: 0, endUs: 20 * s, periodUs: 10 * s };

describe("alignment", () => {
  it("of a running total counts what was added, over a restart too", () => {
    const total = series("CUMULATIVE", [
      [0, 2, 5],
      [0, 8, 9],
      [0, 14, 20],
      [15, 18, 3],
    ]);
    const { points, metricKind } = alignSeries(total, "ALIGN_DELTA", grid);
    expect(metricKind).toBe("DELTA");
    expect(points.map(({ endUs, value }) => [endUs / s, value])).toEqual([
      [20, { int64: 14 }],
      [10, { int64: 4 }],
    ]);
  });
  it("leaves out periods without points, and puts a point on a boundary before it", () => {
    const sums = alignSeries(series("DELTA", [[9, 10, 7]]), "ALIGN_SUM", grid);
    expect(sums.points).toEqual([{ startUs: 0, endUs: 10 * s, value: { int64: 7 } }]);
  });
  it("refuses what a kind or type does not allow", () => {
    expect(() => alignSeries(series("GAUGE", []), "ALIGN_RATE", grid)).toThrow(/cannot be applied/);
    expect(() => alignSeries(series("DELTA", []), "ALIGN_PERCENTILE_99", grid)).toThrow(
      /cannot be applied/,
    );
    expect(() => alignSeries(series("GAUGE", []), "ALIGN_INTERPOLATE", grid)).toThrow(/not built/);
  });
});

it("reduction keeps the grouping labels and the project only", () => {
  const aligned = alignSeries(series("DELTA", [[0, 1, 2]]), "ALIGN_SUM", grid);
  const other = { ...aligned, metricLabels: { ...aligned.metricLabels, version: "13" } };
  const [all] = reduceSeries([aligned, other], "REDUCE_SUM", ["metric.label.model"], "demo");
  expect(all?.metricLabels).toEqual({ model: "churn" });
  expect(all?.resourceLabels).toEqual({ project_id: "demo" });
  expect(all?.points.map(({ value }) => value)).toEqual([{ int64: 4 }]);
  expect(() => reduceSeries([aligned], "REDUCE_SUM", ["nonsense"], "demo")).toThrow(/group_by/);
});

describe("the store", () => {
  const stands: Stand<ReturnType<typeof monitoringProduct>>[] = [];
  afterEach(async () => {
    for (const stand of stands.splice(0)) await stand.stop();
  });
  const point = (endMs: number, model: string): MetricPoint => ({
    metricType: "aiplatform.googleapis.com/prediction/online/prediction_count",
    metricLabels: { deployed_model_id: model },
    resourceType: "aiplatform.googleapis.com/Endpoint",
    resourceLabels: {},
    metricKind: "DELTA",
    startMs: endMs - 1000,
    endMs,
    value: { int64: 1 },
  });

  it("drops points after a day, and series without points", async () => {
    let nowMs = 2 * pointAgeMsMax;
    const stand = await standUp(monitoringProduct, { now: () => nowMs });
    stands.push(stand);
    stand.product.face.write([point(nowMs, "1")]);
    nowMs += pointAgeMsMax / 2;
    stand.product.face.write([point(nowMs, "2")]);
    nowMs += pointAgeMsMax / 2 + 1;
    const store = pointStore(stand.context);
    store.prune();
    const left = [...store.series()];
    expect(left.map(({ metricLabels }) => metricLabels["deployed_model_id"])).toEqual(["2"]);
  });

  it("shows nothing while the delay is very large, and keeps the points over a restart", async () => {
    const nowMs = 2 * pointAgeMsMax;
    const everything = { afterUs: 0, untilUs: Number.MAX_SAFE_INTEGER };
    const first = await standUp(monitoringProduct, {
      now: () => nowMs,
      settings: { metricDelayMs: pointAgeMsMax },
    });
    first.product.face.write([point(nowMs - 1000, "1")]);
    const hidden = pointStore(first.context);
    expect([...hidden.series()].map((one) => hidden.read(one, everything))).toEqual([[]]);
    await first.stop(true);
    const second = await standUp(monitoringProduct, { folder: first.folder, now: () => nowMs });
    stands.push(second);
    const shown = pointStore(second.context);
    expect([...shown.series()].map((one) => shown.read(one, everything).length)).toEqual([1]);
  });
});
