/** The cloud refused an effect for good. */
import type { EventOf } from "../../events/index.js";
import type { Decision } from "./decision.js";
import { park } from "./rollout/canary.js";
import { rollBack } from "./rollout/ending.js";
import { endRun } from "./run/ending.js";
import type { ModelState } from "./state.js";

/** What depended on a refused effect ends, and says why. */
export const decideRejection = (
  state: ModelState,
  event: EventOf<"effect.rejected">,
  nowMs: number,
): readonly Decision[] => {
  const { decision, about, message } = event.data;
  const reason = `${decision} was refused: ${message}`;
  // A job that would not be cancelled goes on: its run ends with it, or is parked.
  if (state.run?.run === about && decision !== "cancel-pipeline-job") {
    return endRun(
      state,
      state.run,
      {
        outcome: "failed",
        reasons: [reason],
        machineSeconds: "machineSeconds" in state.run ? state.run.machineSeconds : 0,
      },
      nowMs,
    );
  }
  const dependent = state.rollout?.rollout === about ? state.rollout : null;
  const isSplit = decision === "set-traffic-split";
  if (dependent?.phase === "progressing" && isSplit) return park(state, dependent, reason);
  // Traffic that a person changed while the rollout stands still is that person's.
  const stands = dependent?.phase === "paused" || dependent?.phase === "parked";
  if (dependent !== null && dependent.phase !== "cleaning" && !(stands && isSplit)) {
    return rollBack(
      state,
      dependent,
      { outcome: "rolled-back", reason, severity: "warning" },
      nowMs,
    );
  }
  return [
    {
      do: "notify",
      severity: "warning",
      title: `${state.model}: ${decision} was refused`,
      body: message,
      reason: "nothing in progress ends by it, so a person is told",
    },
  ];
};
