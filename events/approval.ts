/** Facts about approvals. */
import { z } from "zod";
import { eventSchema } from "./envelope.js";
import { modelName, rolloutId, runId, text } from "./ids.js";

/** A person allowed or refused what waits for approval. */
export const approvalGiven = eventSchema(
  "approval.given",
  z.strictObject({
    model: modelName,
    /** What waits: a rollout, or a run whose data gate asks. */
    rollout: rolloutId.optional(),
    run: runId.optional(),
    decision: z.enum(["approve", "refuse"]),
    by: text(256),
    comment: text(2000).optional(),
  }),
);
