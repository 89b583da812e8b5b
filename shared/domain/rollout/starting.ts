/** How a rollout starts: the challenger is deployed to its first environment. */
import type { Decision } from "../decision.js";
import { deployedModelIdFor, rolloutIdFor } from "../ids.js";
import type { ModelState, RolloutBase, WaitingChallenger } from "../state.js";
import { askForAlias } from "./aliases.js";
import { type InPhase, baseOf, environmentAt, environmentsOf } from "./parts.js";

/** Deploys the challenger to an environment. */
export const enter = (
  state: ModelState,
  rollout: RolloutBase,
  index: number,
  nowMs: number,
  reason: string,
): readonly [InPhase<"deploying">, Decision] => {
  const { name, endpoint } = environmentAt(state, index);
  const deployedModelId = deployedModelIdFor(rollout.rollout, name);
  const to: InPhase<"deploying"> = {
    ...baseOf(rollout),
    environment: index,
    deployed: { ...rollout.deployed, [name]: deployedModelId },
    phase: "deploying",
    sinceMs: nowMs,
  };
  return [
    to,
    {
      do: "deploy-model",
      environment: name,
      endpoint,
      deployedModelId,
      versionId: rollout.versionId,
      reason,
    },
  ];
};

/** Starts the rollout of a registered version: where the first environment is, or in production when it served before. */
export const startRollout = (
  state: ModelState,
  challenger: WaitingChallenger,
  nowMs: number,
): readonly Decision[] => {
  const index = challenger.isReturn === true ? environmentsOf(state).length - 1 : 0;
  const base = {
    ...challenger,
    rollout: rolloutIdFor(state.model, `${challenger.versionId}|${challenger.cause}`),
    startedAtMs: nowMs,
    environment: index,
    deployed: {},
    history: [],
  };
  const { name } = environmentAt(state, index);
  const reason =
    challenger.isReturn === true
      ? `version ${challenger.versionId} was champion before: it goes to ${name} at once`
      : `version ${challenger.versionId} goes to ${name} first`;
  const [to, deploy] = enter(state, base, index, nowMs, reason);
  return [
    { do: "start-rollout", to, reason: challenger.cause },
    askForAlias(challenger.versionId),
    deploy,
  ];
};
