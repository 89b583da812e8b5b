/** Notifications: one structured log line each, at the severity that alert policies filter by. */
import type { ContinuoEvent } from "../../events/index.js";
import { log } from "./log.js";

/** Writes a notification to the log; other events are not for people. */
export const notify = (event: ContinuoEvent): void => {
  if (event.type !== "notification.raised") return;
  const { model, severity, title, body } = event.data;
  const level = { info: "NOTICE", warning: "WARNING", page: "CRITICAL" } as const;
  log(level[severity], title, { model, notification: severity, body: body.slice(0, 900) });
};
