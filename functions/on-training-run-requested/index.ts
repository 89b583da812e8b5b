/** A training run was asked for, by the trigger policy or by hand. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { onEvents } from "../../shared/runtime/edge.js";

http(
  "on-training-run-requested",
  onEvents("on-training-run-requested", cloudEvent("training-run.requested")),
);
