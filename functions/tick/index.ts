/** The minute tick: timers, unfinished effects, and a look at everything open. */
import { http } from "@google-cloud/functions-framework";
import { onMessage } from "../../shared/runtime/edge.js";
import { config } from "../../shared/runtime/wiring.js";
import { tickWorker } from "../../shared/runtime/tick-workers.js";

const work = tickWorker();

http(
  "tick",
  onMessage("tick", (message, _delivery, ports) => work(message, ports, config())),
);
