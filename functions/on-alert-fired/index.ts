/** Drift, skew or decay, from Vertex AI's monitoring, our own detector or Cloud Monitoring. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { monitoringAnomaly } from "../../events/sources/cloud-logging.js";
import { cloudMonitoring } from "../../events/sources/cloud-monitoring.js";
import { onEvents } from "../../shared/runtime/edge.js";

http(
  "on-alert-fired",
  onEvents(
    "on-alert-fired",
    cloudEvent("drift.detected", "skew.detected", "performance.decayed"),
    monitoringAnomaly,
    cloudMonitoring,
  ),
);
