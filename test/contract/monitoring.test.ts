/** Cloud Monitoring by its official client over gRPC, and once by plain REST. */
import { MetricServiceClient } from "@google-cloud/monitoring";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { MetricPoint } from "../../infra/local/cloud.js";
import { monitoringMetrics } from "../../shared/gcp/monitoring-metrics.js";
import { restClient } from "../../shared/gcp/rest.js";
import { withLocalCloud, type LocalCloud } from "./local-cloud.js";

const name = "projects/demo-project";
const online = "aiplatform.googleapis.com/prediction/online";
const t0 = Date.parse("2026-01-02T00:00:00Z");
const delayMs = 5000;

// The client brings a google-auth-library of its own, whose types do not meet those of the installed one.
const restOptions = z.custom<NonNullable<ConstructorParameters<typeof MetricServiceClient>[0]>>();

let nowMs = t0;
let cloud: LocalCloud;
let client: MetricServiceClient;

const seconds = (ms: number) => ({ seconds: ms / 1000 });
const interval = (fromS: number, toS: number) => ({
  startTime: seconds(t0 + fromS * 1000),
  endTime: seconds(t0 + toS * 1000),
});

const point = (
  metric: string,
  endS: number,
  value: MetricPoint["value"],
  labels: Record<string, string>,
  endpoint = "77",
): MetricPoint => ({
  metricType: `${online}/${metric}`,
  metricLabels: labels,
  resourceType: "aiplatform.googleapis.com/Endpoint",
  resourceLabels: {
    resource_container: "projects/123456789012",
    location: "us-central1",
    endpoint_id: endpoint,
  },
  metricKind: "DELTA",
  startMs: t0 + (endS - 1) * 1000,
  endMs: t0 + endS * 1000,
  value,
});

const bounds = [10, 20, 40];
const latency = (bucketCounts: readonly number[]): MetricPoint["value"] => ({
  distribution: {
    count: bucketCounts.reduce((sum, one) => sum + one, 0),
    mean: 15,
    sumOfSquaredDeviation: 0,
    bounds,
    bucketCounts,
  },
});

const code = z.object({ code: z.number() });
const codeOf = async (work: Promise<unknown>): Promise<number> => {
  try {
    await work;
  } catch (error) {
    return code.parse(error).code;
  }
  return 0;
};

type ListRequest = NonNullable<Parameters<MetricServiceClient["listTimeSeries"]>[0]>;
const list = async (request: Partial<ListRequest>) => {
  const [series] = await client.listTimeSeries({
    name,
    filter: `metric.type = "${online}/prediction_count"`,
    interval: interval(0, 10),
    view: "FULL",
    ...request,
  });
  return series;
};
const values = (series: Awaited<ReturnType<typeof list>>[number] | undefined) =>
  (series?.points ?? []).map(({ value }) =>
    value?.int64Value === undefined || value.int64Value === null
      ? Number(value?.doubleValue)
      : Number(value.int64Value),
  );

beforeAll(async () => {
  cloud = await withLocalCloud(["monitoring"], { metricDelayMs: delayMs, now: () => nowMs });
  client = new MetricServiceClient(cloud.grpcOptions);
  const { monitoring } = cloud.context.services;
  for (let endS = 1; endS <= 10; endS += 1) {
    monitoring.write([
      point("prediction_count", endS, { int64: endS }, { deployed_model_id: "1" }),
      point("prediction_count", endS, { int64: 100 }, { deployed_model_id: "2" }),
      point("prediction_latencies", endS, latency([8, 2, 0, 0]), {
        deployed_model_id: "1",
        latency_type: "total",
      }),
      point("prediction_latencies", endS, latency([0, 0, 10, 0]), {
        deployed_model_id: "2",
        latency_type: "total",
      }),
    ]);
  }
  nowMs = t0 + 60_000;
});
afterAll(async () => {
  await client.close();
  await cloud.stop();
});

describe("listing time series", () => {
  it("gives each series' points, the newest first", async () => {
    const all = await list({ interval: interval(7, 10) });
    expect(all).toHaveLength(2);
    expect(values(all[0])).toEqual([10, 9, 8]);
    expect(all[0]).toMatchObject({
      metric: { type: `${online}/prediction_count`, labels: { deployed_model_id: "1" } },
      resource: { type: "aiplatform.googleapis.com/Endpoint", labels: { endpoint_id: "77" } },
      metricKind: "DELTA",
      valueType: "INT64",
      unit: "1",
    });
    const newest = all[0]?.points?.[0]?.interval;
    expect([Number(newest?.startTime?.seconds), Number(newest?.endTime?.seconds)]).toEqual([
      t0 / 1000 + 9,
      t0 / 1000 + 10,
    ]);
  });

  it("shows a point only once the ingestion delay has passed", async () => {
    nowMs = t0 + 5000 + delayMs;
    const [early] = await list({});
    nowMs = t0 + 60_000;
    expect(values(early)).toEqual([5, 4, 3, 2, 1]);
  });

  it.each([
    [`metric.labels.deployed_model_id = "2"`, ["2"]],
    [`metric.label.deployed_model_id != "2"`, ["1"]],
    [
      `resource.labels.endpoint_id = "77" AND metric.labels."deployed_model_id" = one_of("1", "3")`,
      ["1"],
    ],
    [`resource.type = starts_with("aiplatform") NOT metric.labels.deployed_model_id = "1"`, ["2"]],
    [
      `(metric.labels.deployed_model_id = "1" OR metric.labels.deployed_model_id = "2")`,
      ["1", "2"],
    ],
    [`resource.label.endpoint_id = "78"`, []],
    [`metric.labels.deployed_model_id = monitoring.regex.full_match("[2-9]")`, ["2"]],
  ])("obeys the filter %s", async (more, expected) => {
    const all = await list({ filter: `metric.type = "${online}/prediction_count" AND ${more}` });
    expect(all.map(({ metric }) => metric?.labels?.["deployed_model_id"])).toEqual(expected);
  });

  it("aligns counts by delta, rate, sum, mean and count", async () => {
    const aligned = async (
      perSeriesAligner: "ALIGN_DELTA" | "ALIGN_RATE" | "ALIGN_MEAN" | "ALIGN_COUNT" | "ALIGN_SUM",
    ) => {
      const aggregation = { alignmentPeriod: { seconds: 5 }, perSeriesAligner };
      return (await list({ aggregation }))[0];
    };
    expect(values(await aligned("ALIGN_DELTA"))).toEqual([40, 15]);
    expect(values(await aligned("ALIGN_SUM"))).toEqual([40, 15]);
    expect(values(await aligned("ALIGN_RATE"))).toEqual([8, 3]);
    expect(values(await aligned("ALIGN_MEAN"))).toEqual([8, 3]);
    expect(values(await aligned("ALIGN_COUNT"))).toEqual([5, 5]);
    const rate = await aligned("ALIGN_RATE");
    expect([rate?.metricKind, rate?.valueType]).toEqual(["GAUGE", "DOUBLE"]);
  });

  it("aligns distributions to percentiles and to merged distributions", async () => {
    const filter = `metric.type = "${online}/prediction_latencies" AND metric.labels.deployed_model_id = "1"`;
    const period = { alignmentPeriod: { seconds: 10 } };
    const [median] = await list({
      filter,
      aggregation: { ...period, perSeriesAligner: "ALIGN_PERCENTILE_50" },
    });
    expect(values(median)).toEqual([6.25]);
    const [merged] = await list({
      filter,
      aggregation: { ...period, perSeriesAligner: "ALIGN_DELTA" },
    });
    const held = merged?.points?.[0]?.value?.distributionValue;
    expect(held).toMatchObject({ mean: 15, bucketOptions: { explicitBuckets: { bounds } } });
    expect([Number(held?.count), ...(held?.bucketCounts ?? []).map(Number)]).toEqual([
      100, 80, 20, 0, 0,
    ]);
  });

  it("reduces across series, by groups", async () => {
    const aggregation = {
      alignmentPeriod: { seconds: 10 },
      perSeriesAligner: "ALIGN_DELTA" as const,
      crossSeriesReducer: "REDUCE_SUM" as const,
    };
    const [total, ...others] = await list({ aggregation });
    expect(others).toHaveLength(0);
    expect(values(total)).toEqual([1055]);
    expect(total?.metric?.labels).toEqual({});
    const groups = await list({
      aggregation: { ...aggregation, groupByFields: ["metric.label.deployed_model_id"] },
    });
    expect(groups.map(values)).toEqual([[55], [1000]]);
    const [mean] = await list({
      aggregation: { ...aggregation, crossSeriesReducer: "REDUCE_MEAN" },
    });
    expect(values(mean)).toEqual([527.5]);
    const [high] = await list({
      filter: `metric.type = "${online}/prediction_latencies"`,
      aggregation: { ...aggregation, crossSeriesReducer: "REDUCE_PERCENTILE_95" },
    });
    expect(values(high)).toEqual([38]);
  });

  it("comes in pages of points, which join to the whole", async () => {
    const whole = await list({});
    const seen: number[] = [];
    let pageToken = "";
    do {
      const [page, , reply] = await client.listTimeSeries(
        {
          name,
          filter: `metric.type = "${online}/prediction_count"`,
          interval: interval(0, 10),
          view: "FULL",
          pageSize: 7,
          pageToken,
        },
        { autoPaginate: false },
      );
      const points = page.flatMap(values);
      expect(points.length).toBeLessThanOrEqual(7);
      seen.push(...points);
      pageToken = reply?.nextPageToken ?? "";
    } while (pageToken !== "");
    expect(seen).toEqual(whole.flatMap(values));
    const headers = await list({ view: "HEADERS" });
    expect(headers.map(({ points }) => points)).toEqual([[], []]);
  });

  it("is refused when it asks for what cannot be", async () => {
    expect(await codeOf(list({ filter: `resource.type = "x"` }))).toBe(3);
    expect(await codeOf(list({ filter: `metric.type = "nobody.googleapis.com/x"` }))).toBe(5);
    expect(await codeOf(list({ filter: `metric.type = "${online}/prediction_count" AND` }))).toBe(
      3,
    );
    expect(await codeOf(list({ interval: interval(9, 1) }))).toBe(3);
    expect(await codeOf(list({ name: "projects/other" }))).toBe(5);
    const aggregation = {
      alignmentPeriod: { seconds: 0 },
      perSeriesAligner: "ALIGN_DELTA" as const,
    };
    expect(await codeOf(list({ aggregation }))).toBe(3);
    const wrong = {
      alignmentPeriod: { seconds: 5 },
      perSeriesAligner: "ALIGN_PERCENTILE_50" as const,
    };
    expect(await codeOf(list({ aggregation: wrong }))).toBe(3);
    expect(await codeOf(list({ pageToken: "bogus" }))).toBe(3);
  });

  it("answers the official client in REST mode alike", async () => {
    const rest = new MetricServiceClient(restOptions.parse(cloud.restOptions));
    const [series] = await rest.listTimeSeries({
      name,
      filter: `metric.type = "${online}/prediction_count"`,
      interval: interval(0, 10),
      view: "FULL",
      aggregation: {
        alignmentPeriod: { seconds: 10 },
        perSeriesAligner: "ALIGN_DELTA",
        crossSeriesReducer: "REDUCE_SUM",
        groupByFields: ["metric.labels.deployed_model_id"],
      },
    });
    expect(series.map(values)).toEqual([[55], [1000]]);
    await rest.close();
  });

  it("answers plain REST alike", async () => {
    const query = new URLSearchParams({
      filter: `metric.type = "${online}/prediction_count" AND metric.labels.deployed_model_id = "1"`,
      "interval.startTime": "2026-01-02T00:00:08Z",
      "interval.endTime": "2026-01-02T00:00:10Z",
      view: "FULL",
    });
    const answer = await fetch(`${cloud.address}/v3/${name}/timeSeries?${query.toString()}`);
    expect(await answer.json()).toMatchObject({
      timeSeries: [
        {
          metricKind: "DELTA",
          points: [
            {
              interval: { startTime: "2026-01-02T00:00:09Z", endTime: "2026-01-02T00:00:10Z" },
              value: { int64Value: "10" },
            },
            { value: { int64Value: "9" } },
          ],
        },
      ],
    });
  });
});

describe("custom metrics", () => {
  const type = "custom.googleapis.com/accuracy";
  const write = (value: object, endMs: number, more: object = {}) =>
    client.createTimeSeries({
      name,
      timeSeries: [
        {
          metric: { type, labels: { model: "churn" } },
          resource: { type: "global" },
          points: [{ interval: { endTime: seconds(endMs) }, value }],
          ...more,
        },
      ],
    });

  it("are written, described and read back at once", async () => {
    await write({ doubleValue: 0.75 }, t0 + 55_000);
    await write({ doubleValue: 0 }, t0 + 56_000);
    const all = await list({ filter: `metric.type = "${type}"`, interval: interval(0, 60) });
    expect(all.map(values)).toEqual([[0, 0.75]]);
    expect(all[0]).toMatchObject({ metricKind: "GAUGE", valueType: "DOUBLE" });
    const [descriptor] = await client.getMetricDescriptor({
      name: `${name}/metricDescriptors/${type}`,
    });
    expect(descriptor).toMatchObject({ type, labels: [{ key: "model" }] });
    const [found] = await client.listMetricDescriptors({
      name,
      filter: `metric.type = starts_with("custom.googleapis.com/")`,
    });
    expect(found.map((one) => one.type)).toEqual([type]);
  });

  it("are refused out of order, of another type, of Google's names, or from tomorrow", async () => {
    expect(await codeOf(write({ doubleValue: 1 }, t0 + 55_000))).toBe(3);
    expect(await codeOf(write({ int64Value: 1 }, t0 + 57_000))).toBe(3);
    expect(await codeOf(write({}, t0 + 57_000))).toBe(3);
    expect(await codeOf(write({ doubleValue: 1 }, t0 + 86_400_000))).toBe(3);
    const taken = { metric: { type: `${online}/prediction_count` } };
    expect(await codeOf(write({ int64Value: 1 }, t0 + 57_000, taken))).toBe(3);
  });

  it("go with their descriptor", async () => {
    await client.deleteMetricDescriptor({ name: `${name}/metricDescriptors/${type}` });
    expect(await codeOf(list({ filter: `metric.type = "${type}"` }))).toBe(5);
  });
});

describe("the series of many endpoints", () => {
  const endpoints = Array.from({ length: 120 }, (_, index) => `endpoint-${index}`);
  const among = (ids: readonly string[]) => {
    const texts = ids.map((id) => JSON.stringify(id)).join(",");
    return `metric.type = "${online}/response_count" AND resource.labels.endpoint_id = one_of(${texts})`;
  };

  beforeAll(() => {
    cloud.context.services.monitoring.write(
      endpoints.flatMap((endpoint, index) =>
        [3, 4].flatMap((endS) => [
          point(
            "response_count",
            endS,
            { int64: index + endS },
            { deployed_model_id: "1" },
            endpoint,
          ),
          point(
            "prediction_latencies",
            endS,
            latency([index, 0, 0, 0]),
            {
              deployed_model_id: "1",
              latency_type: "total",
            },
            endpoint,
          ),
        ]),
      ),
    );
  });

  it("come in one call by their ids, of which a filter holds a hundred", async () => {
    const some = ["endpoint-5", "endpoint-77", "endpoint-none"];
    const found = await list({ filter: among(some) });
    expect(found.map(({ resource }) => resource?.labels?.["endpoint_id"])).toEqual(
      some.slice(0, 2),
    );
    expect(found.map(values)).toEqual([
      [9, 8],
      [81, 80],
    ]);
    expect(await list({ filter: among(endpoints.slice(0, 100)) })).toHaveLength(100);
    expect(await codeOf(list({ filter: among(endpoints.slice(0, 101)) }))).toBe(3);
  });

  it("are what the metrics port reads, each endpoint's apart, and none is no data", async () => {
    const { projectId, address: localCloud } = cloud;
    const config = { projectId, region: "us-central1", bucket: "b", identity: "i@x", localCloud };
    const rest = restClient(config);
    let calls = 0;
    const counting = {
      ...rest,
      json: (...args: Parameters<typeof rest.json>) => {
        calls += 1;
        return rest.json(...args);
      },
    };
    const { counts } = monitoringMetrics(config, counting);
    const queryOf = (endpoint: string) => ({ endpoint, sinceMs: t0, untilMs: t0 + 10_000 });
    const answers = await counts([...endpoints, "endpoint-none"].map(queryOf));
    // Two batches of endpoints, five metrics each.
    expect(calls).toBe(10);
    for (const index of [0, 7, 119]) {
      expect([answers[index]]).toEqual(await counts([queryOf(`endpoint-${index}`)]));
    }
    expect(answers.at(-1)).toEqual({ counts: null });
    expect(answers[7]).toMatchObject({
      counts: { endMs: t0 + 4000, arms: { 1: { requests: 21, latencies: [14, 0, 0, 0] } } },
    });
    // What began before a step is not part of it, even where its neighbours' steps began earlier.
    const [, later] = await counts([
      queryOf("endpoint-6"),
      { ...queryOf("endpoint-7"), sinceMs: t0 + 3000 },
    ]);
    expect(later).toMatchObject({ counts: { arms: { 1: { requests: 11 } } } });
  });
});
