/** Facts about long-running operations. */
import { z } from "zod";
import { eventSchema } from "./envelope.js";
import { text } from "./ids.js";

/** A long-running operation of Vertex AI ended. */
export const operationFinished = eventSchema(
  "operation.finished",
  z.strictObject({
    operation: text(512),
    /** The RPC's short name, for example `DeployModel`. */
    method: text(128),
    resource: text(512),
    principal: text(256),
    isSuccessful: z.boolean(),
    message: text(2000).optional(),
  }),
);
