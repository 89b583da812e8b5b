/** A training run was asked for, by the trigger policy or by hand. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { submissionGate } from "../../shared/runtime/admission.js";
import { onEventsThrough } from "../../shared/runtime/edge.js";
import { config } from "../../shared/runtime/wiring.js";

const gate = submissionGate(config);

http(
  "on-training-run-requested",
  onEventsThrough(gate.handle, "on-training-run-requested", cloudEvent("training-run.requested")),
);
