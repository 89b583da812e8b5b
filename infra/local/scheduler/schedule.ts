/** When a Cloud Scheduler job fires: unix-cron with a time zone, https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules */
import { Cron } from "croner";
import { RpcError } from "../protocol/service.js";

const units: Readonly<Record<string, number>> = {
  minutes: 60_000,
  mins: 60_000,
  minute: 60_000,
  hours: 3_600_000,
  hour: 3_600_000,
};

/** A schedule's next time after a moment. */
export interface Schedule {
  readonly nextMs: (afterMs: number) => number | undefined;
}

/** Reads a schedule; what cannot be read is refused in Google's words. */
export function parseSchedule(schedule: string, timeZone: string): Schedule {
  const every = /^every (\d+) (minutes|mins|minute|hours|hour)$/i.exec(schedule.trim());
  if (every !== null) {
    const periodMs = Number(every[1]) * (units[(every[2] ?? "").toLowerCase()] ?? 0);
    if (periodMs >= 60_000) {
      return { nextMs: (afterMs) => (Math.floor(afterMs / periodMs) + 1) * periodMs };
    }
  }
  const refuse = (why: string, cause?: unknown): RpcError =>
    new RpcError(
      "INVALID_ARGUMENT",
      `Schedule or time zone is invalid (schedule="${schedule}", time_zone="${timeZone}"): ${why}. Example: "0 9 * * 1-5" in "Europe/Berlin", or "every 10 minutes".`,
      { cause },
    );
  // Five fields: seconds do not exist in Cloud Scheduler.
  if (schedule.trim().split(/\s+/).length !== 5) {
    throw refuse("a cron expression has five fields: minute hour day-of-month month day-of-week");
  }
  try {
    const cron = new Cron(schedule, { timezone: timeZone, mode: "5-part", paused: true });
    cron.nextRun();
    return { nextMs: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() };
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}
