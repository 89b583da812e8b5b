/** Tells people what they should know, through the log that alert policies and chat sinks read. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { onMessage, readWith } from "../../shared/runtime/edge.js";
import { notify } from "../../shared/runtime/notify.js";

const sources = [cloudEvent("notification.raised")];

http(
  "notify",
  onMessage("notify", async (message) => readWith(sources, message).forEach(notify)),
);
