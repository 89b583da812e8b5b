/** A manifest's schedule came due. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { cloudScheduler } from "../../events/sources/cloud-scheduler.js";
import { onEvents } from "../../shared/runtime/edge.js";

http(
  "on-schedule-fired",
  onEvents("on-schedule-fired", cloudEvent("schedule.fired"), cloudScheduler),
);
