/** Cloud Scheduler: it publishes the job's own data and attributes, and no fire time. */
import { z } from "zod";
import { scheduleFired } from "../schedule.js";
import { problemText, type Message, type Reading } from "./message.js";

const ofSchedule = z.looseObject({ kind: z.literal("schedule") });

const fired = ofSchedule
  .extend({
    model: z.string(),
    schedule: z.string(),
  })
  .strict();

/** A manifest's schedule fired; the same job in the same minute is the same event. */
export const cloudScheduler = (message: Message): Reading => {
  if (!ofSchedule.safeParse(message.body).success) return null;
  const parsed = fired.safeParse(message.body);
  if (!parsed.success) return { problem: problemText(parsed.error) };
  const { model, schedule } = parsed.data;
  const minute = message.publishTime.slice(0, 16);
  const event = scheduleFired.safeParse({
    specversion: "1.0",
    type: "schedule.fired",
    id: `${model}/${schedule}/${minute}`,
    source: "//cloudscheduler.googleapis.com",
    time: message.publishTime,
    data: { model, schedule },
  });
  return event.success ? { events: [event.data] } : { problem: problemText(event.error) };
};
