/** The minute tick: timers, unfinished effects, and a look at everything open. */
import { http } from "@google-cloud/functions-framework";
import { onMessage } from "../../shared/runtime/edge.js";
import { oneAtATime } from "../../shared/runtime/one-at-a-time.js";
import { config } from "../../shared/runtime/wiring.js";
import { tick } from "../../shared/runtime/tick.js";

const tickOnce = oneAtATime(tick);

http(
  "tick",
  onMessage(
    "tick",
    async (message, _delivery, ports) => void (await tickOnce(message.id, ports, config())),
  ),
);
