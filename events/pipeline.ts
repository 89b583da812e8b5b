/** Facts about pipeline code and pipeline jobs. */
import { z } from "zod";
import { eventSchema, uri } from "./envelope.js";
import { modelName, text } from "./ids.js";

/** A build released a new pipeline template. */
export const pipelineReleased = eventSchema(
  "pipeline.released",
  z.strictObject({
    /** The model whose training code this is; absent when the build's tags name none. */
    model: modelName.optional(),
    template: uri.optional(),
    /** sha256 of the template, or the build's image digest. */
    digest: text(128),
    build: text(128),
  }),
);

/** The states of a Vertex AI PipelineJob, without their prefix. */
export const pipelineState = z.enum([
  "QUEUED",
  "PENDING",
  "RUNNING",
  "SUCCEEDED",
  "FAILED",
  "CANCELLING",
  "CANCELLED",
  "PAUSED",
]);

/** A Vertex AI PipelineJob entered another state. */
export const pipelineJobChanged = eventSchema(
  "pipeline-job.changed",
  z.strictObject({ pipelineJob: text(128), state: pipelineState }),
);
