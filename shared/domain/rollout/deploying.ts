/** A rollout whose challenger is being deployed to an environment. */
import { championReplicasOf } from "../capacity.js";
import { type Decision, ignore } from "../decision.js";
import type { EndpointFacts } from "../facts.js";
import { deployedModelIdFor } from "../ids.js";
import type { ModelState } from "../state.js";
import { promote, rollBack } from "./ending.js";
import { type InPhase, deployedIn, environmentAt, isProduction } from "./parts.js";
import { awaitReplicas } from "./replicas.js";
import { returnTraffic } from "./returning.js";
import { enter } from "./starting.js";
import { only, sameSplit, splitAt } from "./traffic.js";

/** A deployment that has not ended after this long counts as failed; the slowest known take under half of it. */
const deployMsMax = 60 * 60 * 1000;

/** Traffic that somebody else sets is waited for as long as a deployment is, and no longer. */
export const awaitTraffic = (
  state: ModelState,
  rollout: InPhase<"deploying" | "smoke-testing">,
  what: string,
  nowMs: number,
): readonly Decision[] =>
  nowMs - rollout.sinceMs < deployMsMax
    ? ignore(`the rollout waits ${what}`)
    : rollBack(
        state,
        rollout,
        {
          outcome: "rolled-back",
          reason: `the rollout waited ${deployMsMax / 60_000} minutes ${what}: somebody else sets this traffic`,
          severity: "warning",
        },
        nowMs,
      );

/** A look at the deployment, and at what must be true before the first traffic. */
export const decideDeploying = (
  state: ModelState,
  rollout: InPhase<"deploying">,
  endpointFacts: EndpointFacts | null | undefined,
  nowMs: number,
): readonly Decision[] => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  if (endpointFacts === undefined) return ignore(`endpoint ${endpoint} was not looked at`);
  const id = deployedIn(rollout, name);
  const failure = endpointFacts?.failures[id];
  if (failure !== undefined) {
    const reason = `deployment to ${name} failed: ${failure}`;
    return rollBack(state, rollout, { outcome: "rolled-back", reason, severity: "warning" }, nowMs);
  }
  if (!endpointFacts?.deployed.includes(id)) {
    if (endpointFacts && id !== deployedModelIdFor(rollout.rollout, name)) {
      const gone = `${id} is not deployed to ${name} any more: the version is deployed again`;
      const [to, deploy] = enter(state, rollout, rollout.environment, nowMs, gone);
      return [{ do: "advance-rollout", to, reason: gone }, deploy];
    }
    return nowMs - rollout.sinceMs < deployMsMax
      ? ignore(`deployment ${id} to ${name} is under way`)
      : rollBack(
          state,
          rollout,
          {
            outcome: "rolled-back",
            reason: `deployment to ${name} did not end within ${deployMsMax / 60_000} minutes`,
            severity: "warning",
          },
          nowMs,
        );
  }
  const current = endpointFacts.trafficSplit;
  if (!isProduction(state, rollout.environment)) {
    return [
      {
        do: "advance-rollout",
        to: { ...rollout, phase: "smoke-testing", sinceMs: nowMs },
        reason: `deployed to ${name}`,
      },
      {
        do: "set-traffic-split",
        endpoint,
        split: only(id),
        expected: current,
        reason: `${name} has no users: all of its traffic tests the challenger`,
      },
    ];
  }
  if (rollout.isReturn === true) return returnTraffic(state, rollout, endpointFacts, nowMs);
  const champion = state.champion?.deployed[name];
  if (champion === undefined || !endpointFacts.deployed.includes(champion)) {
    return [
      {
        do: "set-traffic-split",
        endpoint,
        split: only(id),
        expected: current,
        reason: "there is no champion to compare with",
      },
      ...promote(
        state,
        rollout,
        `the first version to pass its gates serves 100 % of ${name}`,
        nowMs,
      ),
    ];
  }
  if (!sameSplit(current, only(champion))) {
    return awaitTraffic(
      state,
      rollout,
      `until the champion serves 100 % of ${name}; now ${JSON.stringify(current)}`,
      nowMs,
    );
  }
  const weight = state.manifest.rollout.steps[0] ?? 100;
  const waiting = awaitReplicas(state, rollout, weight, endpointFacts, nowMs);
  if (waiting !== null) return waiting;
  const { awaitedReplicas: _served, ...deployedRollout } = rollout;
  return [
    {
      do: "advance-rollout",
      to: {
        ...deployedRollout,
        phase: "progressing",
        step: 0,
        weight,
        stepStartedAtMs: nowMs,
        segments: [],
        lastVerdict: null,
        championReplicas: championReplicasOf(endpointFacts, champion),
      },
      reason: `deployed to ${name}; the canary starts with ${weight} %`,
    },
    {
      do: "set-traffic-split",
      endpoint,
      split: splitAt(champion, id, weight),
      expected: current,
      reason: `canary step 1: ${weight} %`,
    },
  ];
};
