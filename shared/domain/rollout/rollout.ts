/** A rollout, from the first deployment to the last clean-up: what a look at the world means in each phase. */
import { type Decision, ignore } from "../decision.js";
import type { Facts } from "../facts.js";
import { type Freeze, freezeAt, freezeText } from "../freeze.js";
import type { ModelState, RolloutState } from "../state.js";
import { enterApproved, expire, hasQuorum } from "./approval.js";
import { decideProgress, park } from "./canary.js";
import { decideCleaning } from "./cleaning.js";
import { decideDeploying } from "./deploying.js";
import { type InPhase, environmentAt } from "./parts.js";
import { decideSmokeTest } from "./smoke-test.js";

/** What a rollout does in a freeze window: it waits where it is, and says until when. */
const holdFrozen = (
  rollout: RolloutState,
  freeze: Freeze,
  decisions: readonly Decision[],
): readonly Decision[] => {
  const isForward = decisions.some((decision) => decision.do === "advance-rollout");
  if (!isForward) return decisions;
  const reason = `the rollout waits for the ${freezeText(freeze)}`;
  if (rollout.freeze?.untilMs === freeze.untilMs) return ignore(reason);
  // What has a limit on its waiting begins to wait when the window closes.
  const to =
    rollout.phase === "deploying" || rollout.phase === "smoke-testing"
      ? { ...rollout, freeze, sinceMs: freeze.untilMs }
      : { ...rollout, freeze };
  return [{ do: "freeze-rollout", to, reason }];
};

/** Under observe-only nothing is changed: a canary stands where it is until a person ends it or the mode is left. */
const observe = (
  state: ModelState,
  rollout: Exclude<RolloutState, InPhase<"cleaning">>,
): readonly Decision[] =>
  rollout.phase === "progressing"
    ? park(state, rollout, "observe-only was turned on during the rollout")
    : ignore(`observe-only: the rollout stays ${rollout.phase}, its traffic as it is`);

const decidePhase = (
  state: ModelState,
  rollout: RolloutState,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  if (state.manifest.mode === "observe-only" && rollout.phase !== "cleaning") {
    return observe(state, rollout);
  }
  const { endpoint } = environmentAt(state, rollout.environment);
  switch (rollout.phase) {
    case "deploying":
      if (state.isPaused && rollout.isReturn !== true)
        return ignore("the model is paused, and its rollout with it");
      return decideDeploying(state, rollout, facts.endpoints?.[endpoint], nowMs);
    case "smoke-testing":
      if (state.isPaused) return ignore("the model is paused, and its rollout with it");
      return decideSmokeTest(state, rollout, facts.endpoints?.[endpoint], facts.smokeTest, nowMs);
    case "awaiting-approval":
      if (hasQuorum(state, rollout)) {
        return state.isPaused
          ? ignore("the rollout is approved, and goes on when the model is resumed")
          : enterApproved(state, rollout, nowMs);
      }
      return nowMs >= rollout.expiresAtMs
        ? expire(state, rollout, nowMs)
        : ignore("the rollout waits for approval");
    case "progressing":
      return decideProgress(state, rollout, facts, nowMs);
    case "paused":
      return ignore(`the rollout is paused by ${rollout.pausedBy}`);
    case "parked":
      return ignore(`the rollout is parked: ${rollout.parkedReason}`);
    case "cleaning":
      return decideCleaning(state, rollout, facts, nowMs);
  }
};

/** What a look at the world means for the rollout in progress. */
export const decideRollout = (
  state: ModelState,
  rollout: RolloutState,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const freeze = freezeAt(state.manifest, "rollouts", nowMs);
  // What has ended is cleaned up whenever it ended, and who served before may come back at any time.
  if (freeze === null || rollout.phase === "cleaning" || rollout.isReturn === true) {
    const { freeze: _over, ...thawed } = rollout;
    return decidePhase(state, thawed, facts, nowMs);
  }
  // A smoke test says something about its moment only, so it is made after the window.
  return holdFrozen(
    rollout,
    freeze,
    rollout.phase === "smoke-testing"
      ? [{ do: "advance-rollout", to: rollout, reason: "smoke test" }]
      : decidePhase(state, rollout, facts, nowMs),
  );
};
