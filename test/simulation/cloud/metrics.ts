/** Cloud Monitoring in memory: counts that follow from the traffic that really flowed, window by window. */
import type { DeployedModelId } from "../../../events/ids.js";
import type { MetricCounts } from "../../../shared/domain/segment.js";
import type { ArmCounts } from "../../../shared/domain/state.js";
import type { MetricQuery, Metrics } from "../../../shared/ports/metrics.js";
import type { CloudContext } from "./context.js";
import type { Endpoint, EndpointWorld } from "./endpoints.js";
import type { Quality } from "./quality.js";

const windowMs = 60_000;
const windowsMax = 40;
const bounds = [10, 20, 50, 100, 200] as const;

/** Percent of traffic in a window, by deployed model, weighted by time. */
const sharesIn = (endpoint: Endpoint, fromMs: number, untilMs: number): Map<string, number> => {
  const shares = new Map<string, number>();
  const { history } = endpoint;
  for (let index = history.length - 1; index >= 0; index -= 1) {
    const piece = history[index];
    if (piece === undefined) break;
    const end = Math.min(untilMs, history[index + 1]?.sinceMs ?? Infinity);
    const start = Math.max(fromMs, piece.sinceMs);
    if (end > start) {
      for (const [id, weight] of Object.entries<number>(piece.split)) {
        shares.set(id, (shares.get(id) ?? 0) + (weight * (end - start)) / windowMs);
      }
    }
    if (piece.sinceMs <= fromMs) break;
  }
  return shares;
};

const errorShare = (quality: Quality): number => {
  switch (quality) {
    case "good":
    case "slow":
    case "silent":
      return 0.002;
    case "bad":
      return 0.2;
    case "broken":
      return 1;
  }
};

/** All latencies of a version lie in one bucket. */
const latenciesOf = (quality: Quality, requests: number): readonly number[] => {
  const bucket = quality === "slow" ? 3 : 0;
  return Array.from({ length: bounds.length + 1 }, (_, index) => (index === bucket ? requests : 0));
};

const add = (a: ArmCounts | undefined, b: ArmCounts): ArmCounts =>
  a === undefined
    ? b
    : {
        requests: a.requests + b.requests,
        errors: a.errors + b.errors,
        latencies: a.latencies.map((count, index) => count + (b.latencies[index] ?? 0)),
      };

/** The Metrics port; each endpoint gets `requestsPerSecond`. */
export const trafficMetrics = (
  { scheduler, profile }: CloudContext,
  { endpoints }: EndpointWorld,
  requestsPerSecond: (endpoint: string) => number,
): Metrics => {
  const countsOf = ({ endpoint: name, sinceMs, untilMs }: MetricQuery): MetricCounts | null => {
    const endpoint = endpoints.get(name);
    const rate = requestsPerSecond(name);
    const lastMs = Math.min(untilMs, scheduler.nowMs() - profile().metricsLateMs);
    if (endpoint === undefined || rate === 0) return null;
    const arms: Record<DeployedModelId, ArmCounts> = {};
    const windows: Record<DeployedModelId, ArmCounts>[] = [];
    const firstMs = Math.max(
      Math.ceil(sinceMs / windowMs) * windowMs,
      Math.floor(lastMs / windowMs) * windowMs - windowsMax * windowMs,
    );
    let endMs = 0;
    for (let startMs = firstMs; startMs + windowMs <= lastMs; startMs += windowMs) {
      const shares = sharesIn(endpoint, startMs, startMs + windowMs);
      const window: Record<DeployedModelId, ArmCounts> = {};
      for (const { id, quality } of endpoint.deployed) {
        const requests = Math.round(((shares.get(id) ?? 0) / 100) * rate * (windowMs / 1000));
        if (requests === 0 || quality === "silent") continue;
        const latencies = latenciesOf(quality, requests);
        const errors = Math.round(requests * errorShare(quality));
        window[id] = { requests, errors, latencies };
        arms[id] = add(arms[id], window[id]);
        endMs = startMs + windowMs;
      }
      windows.push(window);
    }
    return endMs === 0 ? null : { endMs, bounds, arms, windows, usage: {} };
  };
  return { counts: async (queries) => queries.map((query) => ({ counts: countsOf(query) })) };
};
