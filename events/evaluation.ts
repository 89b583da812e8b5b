/** Facts about evaluations. */
import { z } from "zod";
import { eventSchema, uri } from "./envelope.js";
import { modelName, runId, text } from "./ids.js";

/** Champion and challenger were scored on the same rows and judged. */
export const evaluationCompleted = eventSchema(
  "evaluation.completed",
  z.strictObject({
    model: modelName,
    run: runId,
    report: uri,
    outcome: z.enum(["accept", "reject"]),
    reasons: z.array(text(1000)).min(1).max(100),
    /** Headline numbers by name, for example `challenger.auc`. */
    numbers: z.record(text(128), z.number()),
    artifact: uri,
    artifactDigest: text(128),
  }),
);
