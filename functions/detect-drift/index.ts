/** The scheduled drift detector over logged predictions. */
import { http } from "@google-cloud/functions-framework";
import { detectDrift } from "../../shared/runtime/monitoring/detect.js";
import { onMessage } from "../../shared/runtime/edge.js";

http(
  "detect-drift",
  onMessage("detect-drift", (_message, _delivery, ports) => detectDrift(ports)),
);
