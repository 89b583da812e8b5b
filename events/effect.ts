/** Facts about what could not be done. */
import { z } from "zod";
import { eventSchema } from "./envelope.js";
import { modelName, text } from "./ids.js";

/** The cloud refused an effect for good. */
export const effectRejected = eventSchema(
  "effect.rejected",
  z.strictObject({
    model: modelName,
    /** The decision whose effect it was, for example `deploy-model`. */
    decision: text(64),
    /** What the decision was about: a run's, a rollout's or a deployed model's id. */
    about: text(256),
    message: text(4000),
  }),
);
