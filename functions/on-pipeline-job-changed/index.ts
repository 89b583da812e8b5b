/** A run's PipelineJob changed its state. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { pipelineJobState } from "../../events/sources/cloud-logging.js";
import { onEvents } from "../../shared/runtime/edge.js";

http(
  "on-pipeline-job-changed",
  onEvents("on-pipeline-job-changed", cloudEvent("pipeline-job.changed"), pipelineJobState),
);
