/** Champion and challenger were judged on the same rows. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { onEvents } from "../../shared/runtime/edge.js";

http(
  "on-evaluation-completed",
  onEvents("on-evaluation-completed", cloudEvent("evaluation.completed")),
);
