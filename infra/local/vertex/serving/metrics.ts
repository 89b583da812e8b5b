/**
 * The time series of online prediction, under Google's names and labels
 * (https://cloud.google.com/monitoring/api/metrics_gcp_a_b#gcp-aiplatform).
 */
import type { CloudContext, MetricPoint } from "../../cloud.js";
import type { StoredDeployedModel, StoredEndpoint } from "../endpoints/store.js";
import { lastSegment } from "../names.js";
import { distribution } from "./distribution.js";
import { processUsage, type ProcessUsage } from "./process-usage.js";

/** One answered prediction request. */
export interface Served {
  /** HTTP status of the answer. */
  readonly code: number;
  readonly instances: number;
  readonly totalMs: number;
  /** Time in the container; absent when the request never reached it. */
  readonly modelMs?: number;
}

/** Where a deployed model stands when its metrics are written. */
export interface ReplicaReading {
  readonly pid: number | undefined;
  readonly isAvailable: boolean;
}

/** Counts one deployed model's requests and writes them each period. */
export interface ServingMetrics {
  readonly record: (served: Served) => void;
  readonly flush: (
    endpoint: StoredEndpoint,
    deployed: StoredDeployedModel,
    replica: ReplicaReading,
  ) => void;
}

const prefix = "aiplatform.googleapis.com/prediction/online";

/** Makes the metrics of one deployed model. */
export const servingMetrics = (context: CloudContext): ServingMetrics => {
  let startMs = context.now();
  let predictions = 0;
  let errors = 0;
  let usage: (ProcessUsage & { readonly pid: number; readonly atMs: number }) | undefined;
  const responses = new Map<string, number>();
  const latencies = { total: distribution(), model: distribution(), overhead: distribution() };

  const readUsage = (
    pid: number | undefined,
    nowMs: number,
  ): { readonly cpuFraction?: number; readonly residentBytes?: number } => {
    const now = pid === undefined ? undefined : processUsage(pid);
    if (pid === undefined || now === undefined) {
      usage = undefined;
      return {};
    }
    const before = usage;
    usage = { ...now, pid, atMs: nowMs };
    const elapsedMs = before?.pid === pid ? nowMs - before.atMs : 0;
    return {
      residentBytes: now.residentBytes,
      ...(before === undefined || elapsedMs <= 0
        ? {}
        : { cpuFraction: (now.cpuMs - before.cpuMs) / elapsedMs }),
    };
  };

  return {
    record: ({ code, instances, totalMs, modelMs }) => {
      predictions += instances;
      if (code >= 400) errors += 1;
      const responseCode = `${Math.floor(code / 100)}xx`;
      responses.set(responseCode, (responses.get(responseCode) ?? 0) + 1);
      if (modelMs === undefined) return;
      latencies.total.add(totalMs);
      latencies.model.add(modelMs);
      latencies.overhead.add(Math.max(0, totalMs - modelMs));
    },
    flush: (endpoint, deployed, replica) => {
      const endMs = context.now();
      // A clock that stood still or went back leaves no period to write; the counts wait for the next one.
      if (endMs <= startMs) return;
      const { settings } = context;
      const replicaLabels = {
        deployed_model_id: deployed.id,
        spot: deployed.resources.spot === true ? "True" : "False",
      };
      const modelLabels = {
        ...replicaLabels,
        model_display_name: deployed.modelDisplayName,
        endpoint_display_name: endpoint.displayName,
      };
      const point = (
        metric: string,
        metricKind: MetricPoint["metricKind"],
        metricLabels: Readonly<Record<string, string>>,
        value: MetricPoint["value"],
      ): MetricPoint => ({
        metricType: `${prefix}/${metric}`,
        metricLabels,
        resourceType: "aiplatform.googleapis.com/Endpoint",
        resourceLabels: {
          resource_container: `projects/${settings.projectNumber}`,
          location: settings.region,
          endpoint_id: lastSegment(endpoint.name),
        },
        metricKind,
        startMs: metricKind === "GAUGE" ? endMs : startMs,
        endMs,
        value,
      });
      const oneReplica = { ...replicaLabels, replica_id: `${deployed.id}-0` };
      const { cpuFraction, residentBytes } = readUsage(replica.pid, endMs);
      const replicas = deployed.resources.minReplicaCount ?? 1;
      const points: MetricPoint[] = [
        point("replicas", "GAUGE", modelLabels, { int64: replica.isAvailable ? replicas : 0 }),
        point("target_replicas", "GAUGE", modelLabels, { int64: replicas }),
      ];
      if (cpuFraction !== undefined) {
        points.push(point("cpu/utilization", "GAUGE", oneReplica, { double: cpuFraction }));
      }
      if (residentBytes !== undefined) {
        points.push(point("memory/bytes_used", "GAUGE", oneReplica, { int64: residentBytes }));
      }
      if (responses.size > 0) {
        points.push(
          point("prediction_count", "DELTA", modelLabels, { int64: predictions }),
          point("error_count", "DELTA", modelLabels, { int64: errors }),
        );
      }
      for (const [responseCode, count] of responses) {
        points.push(
          point(
            "response_count",
            "DELTA",
            { ...modelLabels, response_code: responseCode },
            {
              int64: count,
            },
          ),
        );
      }
      for (const [latencyType, latency] of Object.entries(latencies)) {
        const value = latency.take();
        if (value !== undefined) {
          points.push(
            point(
              "prediction_latencies",
              "DELTA",
              { ...modelLabels, latency_type: latencyType },
              {
                distribution: value,
              },
            ),
          );
        }
      }
      predictions = 0;
      errors = 0;
      responses.clear();
      startMs = endMs;
      context.services.monitoring.write(points);
    },
  };
};
