/** How a rollout ends: a promotion, a roll-back from wherever it is, a person who aborts it. */
import { type Decision, ignore } from "../decision.js";
import type { Facts } from "../facts.js";
import { breakFruitlessLoop } from "../loop.js";
import type { Champion, ModelState, Retired, RolloutOutcome, RolloutState } from "../state.js";
import { takeAlias, withoutChallenger } from "./aliases.js";
import { type InPhase, baseOf, deployedIn, environmentAt, environmentsOf } from "./parts.js";
import { type Split, only, splitAt } from "./traffic.js";

/** What is undeployed when the rollout ends this way. */
const retiredAfter = (
  state: ModelState,
  rollout: RolloutState,
  outcome: RolloutOutcome,
): readonly Retired[] => {
  const losers = outcome === "promoted" ? (state.champion?.deployed ?? {}) : rollout.deployed;
  return environmentsOf(state).flatMap(({ name, endpoint }) => {
    const deployedModelId = losers[name];
    return deployedModelId === undefined ? [] : [{ environment: name, endpoint, deployedModelId }];
  });
};

const clean = (
  state: ModelState,
  rollout: RolloutState,
  outcome: RolloutOutcome,
  reasons: readonly string[],
  nowMs: number,
): InPhase<"cleaning"> => ({
  ...baseOf(rollout),
  phase: "cleaning",
  outcome,
  reasons,
  sinceMs: nowMs,
  retired: retiredAfter(state, rollout, outcome),
  requested: [],
});

/** Sends all traffic back to the champion, in one change, from wherever the rollout is. */
export const rollBack = (
  state: ModelState,
  rollout: RolloutState,
  end: {
    readonly outcome: "rolled-back" | "aborted";
    readonly reason: string;
    readonly severity: "info" | "warning";
    /** The split that was found; absent means the one that is believed. */
    readonly found?: Split;
  },
  nowMs: number,
): readonly Decision[] => {
  if (rollout.phase === "cleaning")
    return ignore("the rollout has already ended and is being cleaned up");
  const decisions: Decision[] = [
    {
      do: "roll-back",
      to: clean(state, rollout, end.outcome, [end.reason], nowMs),
      reason: end.reason,
    },
  ];
  if (rollout.phase === "progressing" || rollout.phase === "paused" || rollout.phase === "parked") {
    const { name, endpoint } = environmentAt(state, rollout.environment);
    const champion = state.champion?.deployed[name];
    if (champion !== undefined) {
      const expected = end.found ?? splitAt(champion, deployedIn(rollout, name), rollout.weight);
      decisions.push({
        do: "set-traffic-split",
        endpoint,
        split: only(champion),
        expected,
        reason: `all traffic back to the champion: ${end.reason}`,
      });
    }
  }
  decisions.push(
    takeAlias(rollout.versionId, "the version no longer asks to replace the champion"),
    {
      do: "notify",
      severity: end.severity,
      title: `${state.model}: rollout of version ${rollout.versionId} ${end.outcome}`,
      body: end.reason,
      reason: "a roll-back must be seen",
    },
    ...(rollout.run === null ? [] : breakFruitlessLoop(state, state.fruitlessRuns)),
  );
  return decisions;
};

/** The challenger serves everything, or is the first to serve: it becomes champion. */
export const promote = (
  state: ModelState,
  rollout: RolloutState,
  reason: string,
  nowMs: number,
): readonly Decision[] => {
  const champion: Champion = {
    versionId: rollout.versionId,
    run: rollout.run,
    artifactUri: rollout.artifactUri,
    artifactDigest: rollout.artifactDigest,
    servingImage: rollout.servingImage,
    report: rollout.report,
    deployed: rollout.deployed,
    sinceMs: nowMs,
    ...(rollout.trigger === undefined ? {} : { trigger: rollout.trigger }),
  };
  return [
    // What retires is computed against the champion before it is replaced.
    { do: "advance-rollout", to: clean(state, rollout, "promoted", [reason], nowMs), reason },
    { do: "promote", champion, reason },
    {
      do: "set-aliases",
      versionId: rollout.versionId,
      aliases: ["champion", "default", ...withoutChallenger],
      reason: "the registry shows who serves",
    },
    {
      do: "notify",
      severity: "info",
      title: `${state.model}: version ${rollout.versionId} is champion`,
      body: reason,
      reason: "a promotion is told",
    },
  ];
};

/** Ends a rollout because a person said so, from whatever split production has. */
export const abort = (
  state: ModelState,
  rollout: RolloutState,
  end: { readonly outcome: "rolled-back" | "aborted"; readonly reason: string },
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { endpoint } = environmentAt(state, rollout.environment);
  const found = facts.endpoints?.[endpoint]?.trafficSplit;
  return rollBack(
    state,
    rollout,
    { ...end, severity: "info", ...(found === undefined ? {} : { found }) },
    nowMs,
  );
};
