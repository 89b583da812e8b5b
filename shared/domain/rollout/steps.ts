/** The steps of a canary: its next weight, and the same one anew. */
import { championReplicasOf } from "../capacity.js";
import type { Decision } from "../decision.js";
import type { EndpointFacts } from "../facts.js";
import type { ModelState } from "../state.js";
import { type InPhase, baseOf, deployedIn, environmentAt } from "./parts.js";
import { splitAt } from "./traffic.js";

/** The next weight; the steps may have been changed since this one began, so only a higher one can be next. */
export const nextStep = (
  state: ModelState,
  { weight }: InPhase<"progressing">,
): number | undefined => state.manifest.rollout.steps.find((step) => step > weight);

/** Gives the challenger its next weight. */
export const rise = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  weight: number,
  found: EndpointFacts,
  because: string,
  nowMs: number,
): readonly Decision[] => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const champion = state.champion?.deployed[name];
  const challenger = deployedIn(rollout, name);
  const step = state.manifest.rollout.steps.indexOf(weight);
  const { awaitedReplicas: _served, wish: _granted, ...rising } = rollout;
  return [
    {
      do: "advance-rollout",
      to: {
        ...rising,
        step,
        weight,
        stepStartedAtMs: nowMs,
        weightBefore: rollout.weight,
        lastVerdict: null,
        championReplicas: championReplicasOf(found, champion, rollout.championReplicas),
      },
      reason: `${because}; next ${weight} %`,
    },
    {
      do: "set-traffic-split",
      endpoint,
      split: splitAt(champion, challenger, weight),
      expected: splitAt(champion, challenger, rollout.weight),
      reason: `canary step ${step + 1}: ${weight} %`,
    },
  ];
};

/** A rollout that a person let go on bakes its step anew, at the weight it has. */
export const resume = (
  rollout: InPhase<"paused"> | InPhase<"parked">,
  nowMs: number,
): InPhase<"progressing"> => ({
  ...baseOf(rollout),
  phase: "progressing",
  step: rollout.step,
  weight: rollout.weight,
  stepStartedAtMs: nowMs,
  segments: rollout.segments,
  lastVerdict: null,
  ...(rollout.weightBefore === undefined ? {} : { weightBefore: rollout.weightBefore }),
  ...(rollout.championReplicas === undefined ? {} : { championReplicas: rollout.championReplicas }),
});
