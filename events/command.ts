/** What an operator asked for, recorded as a fact. */
import { z } from "zod";
import { eventSchema } from "./envelope.js";
import { modelName, text } from "./ids.js";

/** An operator's command on one model. */
export const commandIssued = eventSchema(
  "command.issued",
  z.strictObject({
    model: modelName,
    command: z.enum([
      "pause",
      "resume",
      "skip",
      "promote-now",
      "abort",
      "roll-back",
      "cancel-run",
      "forget",
    ]),
    by: text(256),
    reason: text(2000).optional(),
  }),
);
