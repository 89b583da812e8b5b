/** A version asks to replace the champion: its rollout starts, or waits for its turn. */
import { ignore, type Decision } from "../decision.js";
import { freezeAt, freezeText } from "../freeze.js";
import type { ModelState, WaitingChallenger } from "../state.js";
import { startRollout } from "./starting.js";

/** Why a version's rollout can't begin now, though none is in progress; null when it can. Who served before may come back at any time. */
export const obstacleToStart = (
  { manifest, isPaused }: ModelState,
  { isReturn }: Pick<WaitingChallenger, "isReturn">,
  nowMs: number,
): string | null => {
  if (manifest.mode === "observe-only") return "the manifest says observe-only";
  if (isReturn === true) return null;
  if (isPaused) return "the model is paused";
  const freeze = freezeAt(manifest, "rollouts", nowMs);
  return freeze === null ? null : freezeText(freeze);
};

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
  const obstacle = obstacleToStart(state, challenger, nowMs);
  if (state.rollout === null && obstacle !== null) {
    return [
      {
        do: "queue-challenger",
        waiting: challenger,
        reason: `no rollout starts now (${obstacle}); the newest challenger waits`,
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

/** A challenger that waited for the end of a freeze window, or of a pause. */
export const decideWaiting = (state: ModelState, nowMs: number): readonly Decision[] => {
  const { waiting } = state;
  if (waiting === null) return ignore("no rollout is in progress");
  const obstacle = obstacleToStart(state, waiting, nowMs);
  return obstacle !== null
    ? ignore(`version ${waiting.versionId} waits: ${obstacle}`)
    : [
        { do: "queue-challenger", waiting: null, reason: "its turn has come" },
        ...startRollout(state, waiting, nowMs),
      ];
};
