/** Facts for people. */
import { z } from "zod";
import { eventSchema } from "./envelope.js";
import { modelName, modelVersionId, runId, text } from "./ids.js";

/** Something a person should know, or must act on. */
export const notificationRaised = eventSchema(
  "notification.raised",
  z.strictObject({
    model: modelName,
    severity: z.enum(["info", "warning", "page"]),
    title: text(256),
    body: text(4000),
  }),
);

/** A version became champion. */
export const modelPromoted = eventSchema(
  "model.promoted",
  z.strictObject({ model: modelName, versionId: modelVersionId, run: runId }),
);
