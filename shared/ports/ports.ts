/** All that the runtime needs of the world. */
import type { Admission } from "./admission.js";
import type { Anchors } from "./anchors.js";
import type { Bus } from "./bus.js";
import type { Clock } from "./clock.js";
import type { Leases } from "./leases.js";
import type { Logs } from "./logs.js";
import type { Metrics } from "./metrics.js";
import type { Objects } from "./objects.js";
import type { PredictionLog } from "./prediction-log.js";
import type { Schedules } from "./schedules.js";
import type { State } from "./state.js";
import type { Endpoints, Pipelines, Registry } from "./vertex.js";

/** Every port; each getter wires its adapter on first use. */
export interface Ports {
  readonly state: State;
  readonly admission: Admission;
  readonly anchors: Anchors;
  readonly leases: Leases;
  readonly bus: Bus;
  readonly pipelines: Pipelines;
  readonly registry: Registry;
  readonly endpoints: Endpoints;
  readonly metrics: Metrics;
  readonly objects: Objects;
  readonly schedules: Schedules;
  readonly logs: Logs;
  readonly predictionLog: PredictionLog;
  readonly clock: Clock;
}
