/** The hourly comparison of what the cloud says with what is believed. */
import { http } from "@google-cloud/functions-framework";
import { onMessage } from "../../shared/runtime/edge.js";
import { reconcile } from "../../shared/runtime/tick.js";

http(
  "reconcile",
  onMessage("reconcile", (message, _delivery, ports) => reconcile(message.id, ports)),
);
