/** Facts about approvals. */
import { z } from "zod";
import { eventSchema, modelName, text } from "./envelope.js";

/** A person allowed or refused what waits for approval. */
export const approvalGiven = eventSchema(
  "approval.given",
  z.strictObject({
    model: modelName,
    rollout: text(128),
    decision: z.enum(["approve", "refuse"]),
    by: text(256),
    comment: text(2000).optional(),
  }),
);
