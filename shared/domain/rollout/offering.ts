/** A version asks to replace the champion: its rollout starts, or waits for its turn. */
import { ignore, type Decision } from "../decision.js";
import { freezeAt, freezeText } from "../freeze.js";
import type { ModelState, WaitingChallenger } from "../state.js";
import { startRollout } from "./starting.js";

/** Starts the rollout of a version, or lets it wait for the one in progress. */
export const offer = (
  state: ModelState,
  challenger: WaitingChallenger,
  nowMs: number,
): readonly Decision[] => {
  if (state.manifest.mode === "observe-only") {
    return ignore(
      `observe-only: would have rolled out version ${challenger.versionId} because ${challenger.cause}`,
    );
  }
  if (state.waiting?.isReturn === true) {
    return ignore(
      `version ${challenger.versionId} is not rolled out: ${state.waiting.cause} comes first; set alias challenger on it afterwards`,
    );
  }
  const freeze = freezeAt(state.manifest, "rollouts", nowMs);
  if (state.rollout === null && freeze !== null) {
    return [
      {
        do: "queue-challenger",
        waiting: challenger,
        reason: `no rollout starts in the ${freezeText(freeze)}; the newest challenger waits for its end`,
      },
    ];
  }
  return state.rollout === null
    ? startRollout(state, challenger, nowMs)
    : [
        {
          do: "queue-challenger",
          waiting: challenger,
          reason: `rollout ${state.rollout.rollout} is in progress; the newest challenger waits for its end`,
        },
      ];
};

/** A challenger that waited for the end of a freeze window. */
export const decideWaiting = (state: ModelState, nowMs: number): readonly Decision[] => {
  const { waiting, manifest } = state;
  if (waiting === null) return ignore("no rollout is in progress");
  const freeze = freezeAt(manifest, "rollouts", nowMs);
  if (freeze !== null && waiting.isReturn !== true) {
    return ignore(`version ${waiting.versionId} waits for the ${freezeText(freeze)}`);
  }
  return manifest.mode === "observe-only"
    ? ignore(`observe-only: would have rolled out version ${waiting.versionId}`)
    : [
        { do: "queue-challenger", waiting: null, reason: "its turn has come" },
        ...startRollout(state, waiting, nowMs),
      ];
};
