/** Facts about model manifests. */
import { z } from "zod";
import { eventSchema } from "./envelope.js";
import { modelName, text } from "./ids.js";

/** A model's manifest was applied; its content travels with the fact. */
export const manifestApplied = eventSchema(
  "manifest.applied",
  z.strictObject({
    model: modelName,
    version: z.int().positive(),
    digest: text(128),
    by: text(256),
    /** Where its endpoints are: `projects/<project>/locations/<region>`. */
    location: text(256).optional(),
    /** The validated manifest (shared/manifest owns its schema). */
    manifest: z.record(z.string(), z.unknown()),
  }),
);
