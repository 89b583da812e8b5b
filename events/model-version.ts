/** Facts about the model registry. */
import { z } from "zod";
import { eventSchema } from "./envelope.js";
import { modelName, modelVersionId, text } from "./ids.js";

const version = {
  /** The registered model's id in Vertex AI Model Registry. */
  model: modelName,
  versionId: modelVersionId,
  /** Who did it, as the audit log names them. */
  principal: text(256),
};

/** A model version appeared in the registry. */
export const modelVersionRegistered = eventSchema(
  "model-version.registered",
  z.strictObject(version),
);

/** A model version's aliases changed. */
export const modelVersionAliased = eventSchema(
  "model-version.aliased",
  z.strictObject({
    ...version,
    /** The aliases as requested; a leading `-` removes one. */
    aliases: z.array(text(128)).max(100),
  }),
);
