/** Facts about time: what the system's own schedules say. */
import { z } from "zod";
import { eventSchema, instant } from "./envelope.js";
import { modelName, text } from "./ids.js";

/** The minute tick, or the hourly reconcile, looked at a model with open work. */
export const modelVisited = eventSchema(
  "model.visited",
  z.strictObject({ model: modelName, by: z.enum(["tick", "reconcile"]) }),
);

/** A timer document came due. */
export const timerFired = eventSchema(
  "timer.fired",
  z.strictObject({
    model: modelName,
    timer: text(128),
    kind: z.enum(["trigger", "run-deadline", "approval-deadline", "schedule"]),
    dueAt: instant,
  }),
);
