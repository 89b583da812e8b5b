/** Every port on Google Cloud, wired on first use. */
import type { Ports } from "../ports/ports.js";
import type { GcpConfig } from "./config.js";
import { firestoreAdmission } from "./firestore-admission.js";
import { firestoreLeases } from "./firestore-leases.js";
import { firestoreState } from "./firestore-state.js";
import { cloudLogs } from "./logs.js";
import { monitoringMetrics } from "./monitoring-metrics.js";
import { predictionLog } from "./prediction-log.js";
import { pubsubBus } from "./pubsub-bus.js";
import { restClient } from "./rest.js";
import { schedulerSchedules } from "./scheduler-schedules.js";
import { storageAnchors } from "./storage-anchors.js";
import { storageObjects } from "./storage-objects.js";
import { vertexApi } from "./vertex-api.js";
import { vertexEndpoints } from "./vertex-endpoints.js";
import { installedImages } from "./installed-images.js";
import { vertexPipelines } from "./vertex-pipelines.js";
import { vertexRegistry } from "./vertex-registry.js";

export type { GcpConfig } from "./config.js";

/**
 * Makes the ports. Nothing is connected and no SDK is loaded until an adapter is used: an adapter is a handful of
 * closures, and what is heavy is imported by its first call.
 */
export const gcpPorts = (config: GcpConfig): Ports => {
  const rest = restClient(config);
  const api = vertexApi(config, rest);
  const objects = storageObjects(config, rest);
  return {
    state: firestoreState(config),
    admission: firestoreAdmission(config),
    anchors: storageAnchors(config, rest),
    leases: firestoreLeases(config),
    bus: pubsubBus(config, rest),
    pipelines: vertexPipelines(config, api, objects),
    registry: vertexRegistry(api, objects, (image) =>
      installedImages(objects, config.bucket)(image),
    ),
    endpoints: vertexEndpoints(api, rest),
    metrics: monitoringMetrics(config, rest),
    objects,
    schedules: schedulerSchedules(config, rest),
    logs: cloudLogs(config, rest),
    predictionLog: predictionLog(config, rest, objects),
    clock: Date.now,
  };
};
