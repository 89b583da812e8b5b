/** Schedules that are timers of ours: one timer for each model, due when the first of them is. */
import type { EventOf } from "../../events/index.js";
import type { Manifest } from "../manifest/schema.js";
import { nextDueMs, parseCron } from "./cron.js";
import type { Decision } from "./decision.js";
import { eventKey } from "./ids.js";
import type { ModelState } from "./state.js";
import { decideTrigger } from "./trigger.js";

type Schedule = Manifest["triggers"]["schedules"][number];

const timersOf = ({ triggers }: Manifest): readonly Schedule[] =>
  triggers.schedules.filter(({ backend }) => backend === "timer");

const nextOf = ({ cron, timeZone }: Schedule, afterMs: number): number | null => {
  const parsed = parseCron(cron);
  // The manifest's schema lets no other cron be a timer.
  return typeof parsed === "string" ? null : nextDueMs(parsed, timeZone, afterMs);
};

/** Sets the model's timer to when the first of its schedules comes due after an instant. */
const setTimer = (manifest: Manifest, afterMs: number): Decision => {
  const first = timersOf(manifest)
    .flatMap((schedule) => {
      const dueAtMs = nextOf(schedule, afterMs);
      return dueAtMs === null ? [] : [{ name: schedule.name, dueAtMs }];
    })
    .toSorted((a, b) => a.dueAtMs - b.dueAtMs)[0];
  return first === undefined
    ? { do: "clear-timer", kind: "schedule", reason: "no schedule is a timer" }
    : {
        do: "set-timer",
        kind: "schedule",
        dueAtMs: first.dueAtMs,
        reason: `schedule ${first.name} comes due`,
      };
};

/** A manifest is applied: its timer is set anew unless its schedules are those of before, whose timer may be overdue. */
export const adoptSchedules = (
  before: Manifest | null,
  next: Manifest,
  nowMs: number,
): readonly Decision[] => {
  const [old, wanted] = [before === null ? [] : timersOf(before), timersOf(next)];
  return JSON.stringify(old) === JSON.stringify(wanted) ? [] : [setTimer(next, nowMs)];
};

/** How many missed times are counted; more are not told apart. */
const missedMax = 1000;

/** The times at which a schedule came due from one instant to another, both included. */
const timesBetween = (schedule: Schedule, fromMs: number, toMs: number): readonly number[] => {
  const times: number[] = [];
  let afterMs = fromMs - 1;
  while (times.length < missedMax) {
    const dueAtMs = nextOf(schedule, afterMs);
    if (dueAtMs === null || dueAtMs > toMs) break;
    times.push(dueAtMs);
    afterMs = dueAtMs;
  }
  return times;
};

const timesText = (name: string, times: readonly number[]): string => {
  const [first] = times;
  return times.length === 1 || first === undefined
    ? `schedule ${name} fired`
    : `schedule ${name} fired, once for the ${times.length} times since ${new Date(first).toISOString()}`;
};

/** The model's timer fired: what came due since then fires once, however many ticks were missed. */
export const decideScheduleTimer = (
  state: ModelState,
  event: EventOf<"timer.fired">,
  nowMs: number,
): readonly Decision[] => {
  const dueAtMs = Date.parse(event.data.dueAt);
  // A clock that is behind the one that found the timer due must not find it early.
  const untilMs = Math.max(nowMs, dueAtMs);
  const timer = setTimer(state.manifest, untilMs);
  const fired = timersOf(state.manifest).flatMap((schedule) => {
    const times = timesBetween(schedule, dueAtMs, untilMs);
    const last = times.at(-1);
    return last === undefined ? [] : [{ name: schedule.name, times, last }];
  });
  if (fired.length === 0) return [timer];
  return [
    timer,
    ...decideTrigger(
      state,
      {
        kind: "schedule",
        reason: fired.map(({ name, times }) => timesText(name, times)).join("; "),
        content: `schedule:${fired.map(({ name, last }) => `${name}@${new Date(last).toISOString()}`).join(",")}`,
        eventKey: eventKey(event),
        correlationId: event.correlationid ?? event.id,
      },
      nowMs,
    ),
  ];
};
