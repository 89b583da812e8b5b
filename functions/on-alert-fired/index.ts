/** Drift, skew or decay, from Vertex AI's monitoring, our own detector or Cloud Monitoring. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { monitoringAnomaly } from "../../events/sources/cloud-logging.js";
import { cloudMonitoring } from "../../events/sources/cloud-monitoring.js";
import { alertGate } from "../../shared/runtime/coalesce.js";
import { onEventsThrough } from "../../shared/runtime/edge.js";
import { ports } from "../../shared/runtime/wiring.js";

const gate = alertGate();
process.once("SIGTERM", () => void gate.flush(ports()));

http(
  "on-alert-fired",
  onEventsThrough(
    gate.handle,
    "on-alert-fired",
    cloudEvent("drift.detected", "skew.detected", "performance.decayed"),
    monitoringAnomaly,
    cloudMonitoring,
  ),
);
