/** Facts about schedules. */
import { z } from "zod";
import { eventSchema } from "./envelope.js";
import { modelName, text } from "./ids.js";

/** A cron schedule of a model's manifest came due. */
export const scheduleFired = eventSchema(
  "schedule.fired",
  z.strictObject({ model: modelName, schedule: text(64) }),
);
