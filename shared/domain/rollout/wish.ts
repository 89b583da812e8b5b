/** A person moves a canary on without waiting for the analysis. */
import { type Decision, ignore } from "../decision.js";
import type { EndpointFacts, Facts } from "../facts.js";
import type { ModelState } from "../state.js";
import { promote } from "./ending.js";
import { otherTraffic, whatToDo } from "./foreign-traffic.js";
import { type InPhase, deployedIn, environmentAt } from "./parts.js";
import { awaitReplicas } from "./replicas.js";
import { nextStep, resume, rise } from "./steps.js";
import { only, splitAt } from "./traffic.js";

/** Goes where a person wants the rollout to be, without a verdict, as soon as the replicas serve. */
export const followWish = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  wish: NonNullable<InPhase<"progressing">["wish"]>,
  found: EndpointFacts,
  nowMs: number,
): readonly Decision[] => {
  const next = wish.to === "champion" ? 100 : nextStep(state, rollout);
  if (next === undefined || rollout.weight === 100) return promote(state, rollout, wish.why, nowMs);
  const waiting = awaitReplicas(state, rollout, next, found, nowMs);
  if (waiting !== null) return waiting;
  if (wish.to === "next step") return rise(state, rollout, next, found, wish.why, nowMs);
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const challenger = deployedIn(rollout, name);
  return [
    {
      do: "set-traffic-split",
      endpoint,
      split: only(challenger),
      expected: splitAt(state.champion?.deployed[name], challenger, rollout.weight),
      reason: wish.why,
    },
    ...promote(state, rollout, wish.why, nowMs),
  ];
};

/** A person moves a rollout on without waiting for the analysis; it goes on from where it is if it stood still. */
export const wishFor = (
  state: ModelState,
  rollout: InPhase<"progressing"> | InPhase<"parked">,
  command: { readonly name: "skip" | "promote-now"; readonly why: string },
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { endpoint } = environmentAt(state, rollout.environment);
  const found = facts.endpoints?.[endpoint];
  if (!found) return ignore(`endpoint ${endpoint} was not read`);
  const other = otherTraffic(state, rollout, found, nowMs);
  if (other !== null) return ignore(whatToDo(other));
  const to = command.name === "skip" ? "next step" : "champion";
  const wish = { to, why: command.why } as const;
  const wishing = { ...(rollout.phase === "parked" ? resume(rollout, nowMs) : rollout), wish };
  const decisions = followWish(state, wishing, wish, found, nowMs);
  return decisions.some((decision) => decision.do !== "ignore")
    ? decisions
    : [
        {
          do: "resume-rollout",
          to: wishing,
          reason: `${command.why}; ${decisions.map(({ reason }) => reason).join("; ")}`,
        },
      ];
};
