/** A deployment or undeployment ended. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { operationAudit } from "../../events/sources/cloud-logging.js";
import { onEvents } from "../../shared/runtime/edge.js";

http(
  "on-operation-finished",
  onEvents("on-operation-finished", cloudEvent("operation.finished"), operationAudit),
);
