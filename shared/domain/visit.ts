/** What a visit finds to do, and what a timer does when it fires. */
import type { EventOf } from "../../events/index.js";
import { ignore, type Decision } from "./decision.js";
import { isChange } from "./evolve.js";
import type { Facts } from "./facts.js";
import { decideWaiting } from "./rollout/offering.js";
import { decideRollout } from "./rollout/rollout.js";
import { decideLiveRun } from "./run/live.js";
import { decideScheduleTimer } from "./schedules.js";
import { decideServing } from "./serving.js";
import type { ModelState } from "./state.js";
import { decideDueTrigger } from "./trigger.js";
import { decideUploads } from "./uploads.js";

const hasChange = (decisions: readonly Decision[]): boolean => decisions.some(isChange);

/** The first of run, rollout, trigger and serving that has something to do; second uploads go whatever else is done. */
export const decideVisit = (
  state: ModelState,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const looks = [
    state.run === null ? ignore("no run is live") : decideLiveRun(state, state.run, facts, nowMs),
    state.rollout === null
      ? decideWaiting(state, nowMs)
      : decideRollout(state, state.rollout, facts, nowMs),
    state.trigger === null || state.trigger.dueAtMs > nowMs
      ? ignore("no trigger is due")
      : decideDueTrigger(state, nowMs),
    state.rollout === null && facts.endpoints !== undefined
      ? decideServing(state, facts, nowMs)
      : ignore("no reconciliation is due"),
  ];
  const uploads = decideUploads(state, facts, nowMs);
  const changes = [looks.find(hasChange) ?? [], uploads.filter(isChange)].flat();
  return changes.length > 0
    ? changes
    : ignore([...looks.flat(), ...uploads].map(({ reason }) => reason).join("; "));
};

/** A timer came due. */
export const decideTimer = (
  state: ModelState,
  event: EventOf<"timer.fired">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  switch (event.data.kind) {
    case "trigger":
      return [
        { do: "clear-timer", kind: "trigger", reason: "it fired" },
        ...decideDueTrigger(state, nowMs),
      ];
    case "run-deadline":
      return [
        { do: "clear-timer", kind: "run-deadline", reason: "it fired; visits look at the run" },
        ...(state.run === null ? [] : decideLiveRun(state, state.run, facts, nowMs)),
      ];
    case "schedule":
      return decideScheduleTimer(state, event, nowMs);
    case "approval-deadline":
      return [
        { do: "clear-timer", kind: "approval-deadline", reason: "it fired" },
        ...(state.rollout?.phase === "awaiting-approval"
          ? decideRollout(state, state.rollout, facts, nowMs)
          : []),
      ];
  }
};
