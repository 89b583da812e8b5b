import { describe, expect, it } from "vitest";
import { deployedModelId } from "../../../events/ids.js";
import { monitoringMetrics } from "../../../shared/gcp/monitoring-metrics.js";
import type { Rest } from "../../../shared/gcp/rest.js";
import type { MetricQuery } from "../../../shared/ports/metrics.js";

const champion = deployedModelId.parse("1");
const online = "aiplatform.googleapis.com/prediction/online";
const minute = (index: number): string => new Date(index * 60_000).toISOString();

/** Points of one deployed model: `[the minute that they end, value]`. */
const series = (
  points: readonly (readonly [number, Readonly<Record<string, unknown>>])[],
  more: object = {},
) => ({
  metric: { labels: { deployed_model_id: champion } },
  resource: { labels: { endpoint_id: "e" } },
  points: points.map(([end, value]) => ({
    interval: { startTime: minute(end - 1), endTime: minute(end) },
    value,
  })),
  ...more,
});

/** The port over answers by metric type; each page holds one series. */
const metricsOf = (answers: Readonly<Record<string, readonly unknown[]>>) => {
  const unused = (): never => {
    throw new Error("only json is called");
  };
  const rest: Rest = {
    send: unused,
    call: unused,
    json: async ({ query = {} }) => {
      const type = /metric\.type = "([^"]+)"/.exec(String(query["filter"]))?.[1] ?? "";
      const all = answers[type] ?? [];
      const page = Number(query["pageToken"] ?? 0);
      return {
        timeSeries: all.slice(page, page + 1),
        ...(page + 1 < all.length ? { nextPageToken: String(page + 1) } : {}),
      };
    },
  };
  const config = { projectId: "demo", region: "r", bucket: "b", identity: "i@x" };
  const { counts } = monitoringMetrics(config, rest);
  return async (business?: MetricQuery["business"]) => {
    const [answer] = await counts([
      {
        endpoint: "e",
        sinceMs: 0,
        untilMs: 10 * 60_000,
        ...(business === undefined ? {} : { business }),
      },
    ]);
    if (answer === undefined || "error" in answer) throw answer?.error ?? new Error("no answer");
    return answer.counts;
  };
};

const requests = [
  series([
    [3, { int64Value: "5" }],
    [1, { int64Value: "7" }],
  ]),
];

describe("time series as Monitoring gives them", () => {
  it("may come out of order and in pages, and are sorted by their windows", async () => {
    const read = metricsOf({
      [`${online}/response_count`]: [...requests, series([[2, { int64Value: "6" }]])],
    });
    const found = await read();
    expect(found?.arms[champion]?.requests).toBe(18);
    expect(found?.windows.map((window) => window[champion]?.requests)).toEqual([7, 6, 5]);
    expect(found?.endMs).toBe(3 * 60_000);
  });

  it("leave out points that are no number", async () => {
    const found = await metricsOf({
      [`${online}/response_count`]: requests,
      [`${online}/cpu/utilization`]: [
        series([
          [1, { doubleValue: "NaN" }],
          [2, { doubleValue: 0.5 }],
        ]),
      ],
    })();
    expect(found?.usage[champion]).toEqual([{ atMs: 60_000 }, { atMs: 120_000, cpu: 0.5 }]);
  });

  it("count nothing where a count is negative or no number", async () => {
    const found = await metricsOf({
      [`${online}/response_count`]: [
        series([
          [1, { int64Value: "-3" }],
          [2, { int64Value: "6" }],
          [3, { doubleValue: "Infinity" }],
        ]),
      ],
    })();
    expect(found?.arms[champion]?.requests).toBe(6);
  });

  it("are nothing without a request, whatever else was measured", async () => {
    const read = metricsOf({ [`${online}/cpu/utilization`]: [series([[1, { doubleValue: 1 }]])] });
    expect(await read()).toBeNull();
  });

  it("of a user's own may be distributions, whose means count, or hold no number, which is told as such", async () => {
    const metric = "custom.googleapis.com/shop/basket";
    const read = metricsOf({
      [`${online}/response_count`]: requests,
      [metric]: [
        series(
          [
            [1, { distributionValue: { count: "4", mean: 2.5 } }],
            [2, { distributionValue: { count: "0" } }],
          ],
          { metricKind: "DELTA" },
        ),
      ],
    });
    const found = await read({ metric, label: "deployed_model_id", of: [champion] });
    expect(found?.business).toEqual({
      points: {
        [champion]: [
          { atMs: 60_000, value: 2.5 },
          { atMs: 120_000, value: Number.NaN },
        ],
      },
      problem: null,
    });
  });
});
