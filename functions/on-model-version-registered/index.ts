/** The model registry changed: a new version, or its aliases. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { registryAudit } from "../../events/sources/cloud-logging.js";
import { onEvents } from "../../shared/runtime/edge.js";

http(
  "on-model-version-registered",
  onEvents(
    "on-model-version-registered",
    cloudEvent("model-version.registered", "model-version.aliased"),
    registryAudit,
  ),
);
