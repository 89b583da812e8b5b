/** What holds after every decision, whatever led to it. */
import type { Decision } from "../../../shared/domain/decision.js";
import { jobIdOf } from "../../../shared/domain/ids.js";
import type { ModelState, RolloutState, RunState } from "../../../shared/domain/state.js";
import { those } from "./situations.js";

const phases: readonly RunState["phase"][] = [
  "retrying",
  "awaiting-approval",
  "requested",
  "validating",
  "training",
  "evaluating",
  "judging",
  "registering",
];

/** A run begins again with its next PipelineJob, once the one before has ended. */
const isBackwards = (from: RunState, to: RunState): boolean =>
  jobIdOf(from) !== jobIdOf(to) ? isStopping(from) : isBackwardsInJob(from, to);

/** What stops never works again; what can't be stopped is parked for good. */
const isStopping = ({ phase }: RunState): boolean => phase === "cancelling" || phase === "parked";

const isBackwardsInJob = (from: RunState, to: RunState): boolean => {
  if (isStopping(from))
    return !isStopping(to) || (from.phase === "parked" && to.phase !== from.phase);
  return to.phase === "parked"
    ? true
    : to.phase !== "cancelling" && phases.indexOf(to.phase) < phases.indexOf(from.phase);
};

const weightOf = (rollout: RolloutState | null): number | null =>
  rollout !== null && "weight" in rollout ? rollout.weight : null;

const sum = (split: Readonly<Record<string, number>>): number =>
  Object.values(split).reduce((total, weight) => total + weight, 0);

/** What is wrong with a step from one state to the next; empty when nothing is. */
export const violations = (
  before: ModelState | null,
  decisions: readonly Decision[],
  next: ModelState | null,
  atMs: number,
): readonly string[] => {
  const found: string[] = [];
  const claim = (holds: boolean, what: string): void => {
    if (!holds) found.push(what);
  };
  claim(decisions.length > 0, "nothing was decided");
  for (const decision of decisions) {
    claim(decision.reason.trim() !== "", `${decision.do} has no reason`);
    claim(
      decision.do !== "ignore" || decisions.length === 1 || decision.reason !== "",
      "an empty ignore",
    );
  }
  for (const { split } of those(decisions, "set-traffic-split")) {
    claim([0, 100].includes(sum(split)), `a split sums to ${sum(split)}`);
  }
  claim(those(decisions, "request-training-run").length <= 1, "two runs were requested");
  claim(those(decisions, "start-rollout").length <= 1, "two rollouts were started");
  if (before === null || next === null) return found;

  const endedRuns = those(decisions, "end-run").map(({ record }) => record.run);
  if (before.run !== null && next.run?.run !== before.run.run) {
    claim(endedRuns.includes(before.run.run), "a live run was lost");
  }
  if (before.run !== null && next.run?.run === before.run.run) {
    claim(!isBackwards(before.run, next.run), `${before.run.phase} -> ${next.run.phase}`);
    claim(
      before.run.phase === next.run.phase || next.run.sinceMs === atMs,
      `${next.run.phase} has the time of ${before.run.phase}`,
    );
  }
  claim(next.run === null || !endedRuns.includes(next.run.run), "an ended run lives");

  const endedRollouts = those(decisions, "end-rollout").map(({ record }) => record.rollout);
  const { rollout } = before;
  if (rollout !== null && next.rollout?.rollout !== rollout.rollout) {
    claim(endedRollouts.includes(rollout.rollout), "a rollout was lost");
    claim(rollout.phase === "cleaning", "a rollout ended before it was cleaned up");
  }
  if (rollout !== null && next.rollout?.rollout === rollout.rollout) {
    claim(
      rollout.phase !== "cleaning" || next.rollout.phase === "cleaning",
      "an ended rollout was reopened",
    );
    claim(
      (weightOf(next.rollout) ?? 100) >= (weightOf(rollout) ?? 0),
      "a weight fell without a roll-back",
    );
  }
  const weight = weightOf(next.rollout);
  claim(weight === null || (weight >= 1 && weight <= 100), `weight ${weight}`);

  claim(next.budget.reservedUsd >= 0 && next.budget.spentUsd >= 0, "a negative budget");
  claim(
    next.budget.spentUsd >= before.budget.spentUsd || next.budget.month !== before.budget.month,
    "money came back",
  );
  claim(next.datasets.length <= 48 && next.seen.length <= 200, "the state grows without bound");
  return found;
};
