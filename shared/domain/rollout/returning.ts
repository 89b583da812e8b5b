/** Going back to the champion before, because a person said so. */
import type { Decision } from "../decision.js";
import type { EndpointFacts, Facts } from "../facts.js";
import { rolloutIdFor } from "../ids.js";
import type { Champion, ModelState, RolloutBase, WaitingChallenger } from "../state.js";
import { askForAlias } from "./aliases.js";
import { over } from "./cleaning.js";
import { type InPhase, deployedIn, environmentAt, environmentsOf } from "./parts.js";
import { awaitReplicas } from "./replicas.js";
import { startRollout } from "./starting.js";
import { only } from "./traffic.js";

/** A promotion is taken back before the champion before it was undeployed: it needs no deployment. */
const takeBack = (
  state: ModelState,
  rollout: InPhase<"cleaning">,
  challenger: WaitingChallenger,
  deployed: RolloutBase["deployed"],
  nowMs: number,
): readonly Decision[] => {
  const environment = environmentsOf(state).length - 1;
  const to: InPhase<"deploying"> = {
    ...challenger,
    rollout: rolloutIdFor(state.model, `${challenger.versionId}|${challenger.cause}`),
    startedAtMs: nowMs,
    environment,
    deployed,
    history: [],
    phase: "deploying",
    sinceMs: nowMs,
  };
  return [
    ...over(state, rollout, nowMs),
    { do: "start-rollout", to, reason: challenger.cause },
    askForAlias(challenger.versionId),
  ];
};

/** Returns to the champion before: in the next look where it is still deployed, else as soon as it is deployed again. */
export const returnToFormer = (
  state: ModelState,
  former: Champion,
  asked: Pick<WaitingChallenger, "cause" | "correlationId" | "by">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { versionId, run, artifactUri, artifactDigest, servingImage, report, trigger } = former;
  const challenger: WaitingChallenger = {
    ...asked,
    versionId,
    run,
    artifactUri,
    artifactDigest,
    servingImage,
    report,
    ...(trigger === undefined ? {} : { trigger }),
    isReturn: true,
  };
  const { rollout } = state;
  if (rollout === null) return startRollout(state, challenger, nowMs);
  const { name, endpoint } = environmentAt(state, environmentsOf(state).length - 1);
  const id = former.deployed[name];
  const found = facts.endpoints?.[endpoint];
  const isStillDeployed =
    rollout.phase === "cleaning" &&
    id !== undefined &&
    found?.operation === null &&
    found.deployed.includes(id) &&
    !rollout.requested.includes(id);
  return isStillDeployed
    ? takeBack(state, rollout, challenger, { [name]: id }, nowMs)
    : [
        {
          do: "queue-challenger",
          waiting: challenger,
          reason: `${asked.cause}; it begins when rollout ${rollout.rollout} is cleaned up`,
        },
      ];
};

/** Gives a version that served before all of the traffic, in one change, as soon as its replicas can take it. */
export const returnTraffic = (
  state: ModelState,
  rollout: InPhase<"deploying">,
  found: EndpointFacts,
  nowMs: number,
): readonly Decision[] => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const id = deployedIn(rollout, name);
  const waiting = awaitReplicas(state, rollout, 100, found, nowMs);
  if (waiting !== null) return waiting;
  const { awaitedReplicas: _served, ...deployedRollout } = rollout;
  return [
    {
      do: "advance-rollout",
      to: {
        ...deployedRollout,
        phase: "progressing",
        step: state.manifest.rollout.steps.length - 1,
        weight: 100,
        stepStartedAtMs: nowMs,
        segments: [],
        lastVerdict: null,
      },
      reason: `deployed to ${name}, where it served before`,
    },
    {
      do: "set-traffic-split",
      endpoint,
      split: only(id),
      // Whatever it is: a person asked for this change, perhaps after others made by hand.
      expected: found.trafficSplit,
      reason: rollout.cause,
    },
  ];
};
