/** Facts about training runs. */
import { z } from "zod";
import { eventSchema } from "./envelope.js";
import { modelName, runId, text } from "./ids.js";

/** A training run was asked for: by our trigger policy, or by hand. */
export const trainingRunRequested = eventSchema(
  "training-run.requested",
  z.strictObject({
    model: modelName,
    /** The run that the policy opened; absent when a person asks for one. */
    run: runId.optional(),
    reason: text(2000),
    by: text(256).optional(),
  }),
);
