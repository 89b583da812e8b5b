/** Metric descriptors: Google's own for online prediction, and those that callers make. */
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import type { PointStore } from "./store.js";
import type { MetricKind } from "./series.js";
import type { ValueType } from "./values.js";

/** A metric's description, in MetricDescriptor's field names. */
export const descriptorSchema = z.object({
  type: z.string(),
  metricKind: z.enum(["GAUGE", "DELTA", "CUMULATIVE"]),
  valueType: z.enum(["INT64", "DOUBLE", "BOOL", "STRING", "DISTRIBUTION"]),
  unit: z.string().optional(),
  description: z.string().optional(),
  displayName: z.string().optional(),
  labels: z
    .array(
      z.object({
        key: z.string(),
        valueType: z.string().optional(),
        description: z.string().optional(),
      }),
    )
    .optional(),
  monitoredResourceTypes: z.array(z.string()).optional(),
});
/** A metric's description. */
export type Descriptor = z.infer<typeof descriptorSchema>;

const prefix = "aiplatform.googleapis.com/prediction/online";
const endpoint = "aiplatform.googleapis.com/Endpoint";
const modelLabels = ["deployed_model_id", "spot", "model_display_name", "endpoint_display_name"];
const replicaLabels = ["deployed_model_id", "spot", "replica_id"];

const online = (
  metric: string,
  [metricKind, valueType, unit]: readonly [MetricKind, ValueType, string],
  labels: readonly string[],
): Descriptor => ({
  type: `${prefix}/${metric}`,
  metricKind,
  valueType,
  unit,
  labels: labels.map((key) => ({ key })),
  monitoredResourceTypes: [endpoint],
});

/** https://cloud.google.com/monitoring/api/metrics_gcp_a_b#gcp-aiplatform */
const platformDescriptors: readonly Descriptor[] = [
  online("prediction_count", ["DELTA", "INT64", "1"], modelLabels),
  online("error_count", ["DELTA", "INT64", "1"], modelLabels),
  online("response_count", ["DELTA", "INT64", "1"], [...modelLabels, "response_code"]),
  online("prediction_latencies", ["DELTA", "DISTRIBUTION", "ms"], [...modelLabels, "latency_type"]),
  online("replicas", ["GAUGE", "INT64", "1"], modelLabels),
  online("target_replicas", ["GAUGE", "INT64", "1"], modelLabels),
  online("cpu/utilization", ["GAUGE", "DOUBLE", "10^2.%"], replicaLabels),
  online("memory/bytes_used", ["GAUGE", "INT64", "By"], replicaLabels),
];

/** The descriptors in force. */
export interface DescriptorStore {
  find(type: string): Descriptor | undefined;
  all(): readonly Descriptor[];
  save(descriptor: Descriptor): void;
  remove(type: string): void;
}

/** Opens the store; a metric that only has points describes itself. */
export const descriptorStore = (context: CloudContext, points: PointStore): DescriptorStore => {
  const { db } = context;
  db.exec(
    `CREATE TABLE IF NOT EXISTS monitoring_descriptors (
       type TEXT PRIMARY KEY, descriptor TEXT NOT NULL) WITHOUT ROWID`,
  );
  const row = z.object({
    descriptor: z
      .string()
      .transform((text): unknown => JSON.parse(text))
      .pipe(descriptorSchema),
  });
  const custom = new Map<string, Descriptor>();
  const rows = db.prepare("SELECT descriptor FROM monitoring_descriptors").all();
  for (const { descriptor } of z.array(row).parse(rows)) custom.set(descriptor.type, descriptor);
  const save = db.prepare("INSERT OR REPLACE INTO monitoring_descriptors VALUES (?, ?)");
  const drop = db.prepare("DELETE FROM monitoring_descriptors WHERE type = ?");
  const known = new Map(platformDescriptors.map((one) => [one.type, one]));

  const seen = (): ReadonlyMap<string, Descriptor> => {
    const found = new Map<string, Descriptor>();
    for (const { metricType, metricKind, valueType, metricLabels } of points.series()) {
      if (known.has(metricType) || custom.has(metricType) || found.has(metricType)) continue;
      const labels = Object.keys(metricLabels).map((key) => ({ key }));
      found.set(metricType, { type: metricType, metricKind, valueType, labels });
    }
    return found;
  };

  return {
    find: (type) => known.get(type) ?? custom.get(type) ?? seen().get(type),
    all: () =>
      [...known.values(), ...custom.values(), ...seen().values()].toSorted((left, right) =>
        left.type < right.type ? -1 : 1,
      ),
    save: (descriptor) => {
      save.run(descriptor.type, JSON.stringify(descriptor));
      custom.set(descriptor.type, descriptor);
    },
    remove: (type) => {
      drop.run(type);
      custom.delete(type);
    },
  };
};
