/** Cloud Monitoring behind the real adapter: whole minutes of two deployed models on whichever endpoints are asked for. */
import type { DeployedModelId } from "../../../events/ids.js";
import { monitoringMetrics } from "../../../shared/gcp/monitoring-metrics.js";
import type { Rest } from "../../../shared/gcp/rest.js";
import type { Metrics } from "../../../shared/ports/metrics.js";

const minuteMs = 60_000;

/** The port, and how many calls of ListTimeSeries it has sent. */
export interface CountedSeries {
  readonly metrics: Metrics;
  readonly calls: () => number;
}

const valueOf = (metricType: string, requests: number): object => {
  if (metricType.endsWith("error_count")) return { int64Value: "0" };
  if (!metricType.endsWith("latencies")) return { int64Value: String(requests) };
  const bucketOptions = { explicitBuckets: { bounds: [10, 20, 50, 100, 200] } };
  return {
    distributionValue: { count: String(requests), bucketOptions, bucketCounts: [requests] },
  };
};

const pointsOf = (metricType: string, requests: number, sinceMs: number, untilMs: number) => {
  const points: object[] = [];
  const firstMs = Math.ceil(sinceMs / minuteMs) * minuteMs;
  for (let endMs = firstMs + minuteMs; endMs <= untilMs; endMs += minuteMs) {
    const startTime = new Date(endMs - minuteMs).toISOString();
    const interval = { startTime, endTime: new Date(endMs).toISOString() };
    points.push({ interval, value: valueOf(metricType, requests) });
  }
  return points;
};

/** Serves so many requests of each deployed model a minute. */
export const countedSeries = (
  requestsPerMinute: Readonly<Record<DeployedModelId, number>>,
  takesTime: () => Promise<void>,
): CountedSeries => {
  let calls = 0;
  const answer = (query: Readonly<Record<string, unknown>>): object => {
    const filter = String(query["filter"]);
    const metricType = /metric\.type = "([^"]+)"/.exec(filter)?.[1];
    const list = /resource\.labels\.endpoint_id = one_of\(([^)]*)\)/.exec(filter)?.[1];
    if (metricType === undefined || list === undefined) {
      throw new Error(`no metric of a list of endpoints is asked for: ${filter}`);
    }
    const sinceMs = Date.parse(String(query["interval.startTime"]));
    const untilMs = Date.parse(String(query["interval.endTime"]));
    const timeSeries = [...list.matchAll(/"([^"]*)"/g)].flatMap(([, endpoint]) =>
      Object.entries(requestsPerMinute).map(([id, requests]) => ({
        metric: { type: metricType, labels: { deployed_model_id: id } },
        resource: { labels: { endpoint_id: endpoint } },
        metricKind: "DELTA",
        points: pointsOf(metricType, requests, sinceMs, untilMs),
      })),
    );
    return { timeSeries };
  };
  const unused = (): never => {
    throw new Error("only ListTimeSeries is called");
  };
  const rest: Rest = {
    send: unused,
    call: unused,
    json: async ({ query = {} }) => {
      calls += 1;
      await takesTime();
      return answer(query);
    },
  };
  const config = { projectId: "demo", region: "us-central1", bucket: "demo", identity: "i@demo" };
  return { metrics: monitoringMetrics(config, rest), calls: () => calls };
};
