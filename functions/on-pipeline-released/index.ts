/** A build released new pipeline code. */
import { http } from "@google-cloud/functions-framework";
import { cloudBuild } from "../../events/sources/cloud-build.js";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { onEvents } from "../../shared/runtime/edge.js";

http(
  "on-pipeline-released",
  onEvents("on-pipeline-released", cloudEvent("pipeline.released"), cloudBuild),
);
