/** A rollout in production: rising weights, moved by verdicts. */
import { type Decision, ignore } from "../decision.js";
import type { EndpointFacts, Facts } from "../facts.js";
import type { ModelState, RolloutState, Segment, Verdict } from "../state.js";
import { handCommand } from "./by-hand.js";
import { promote, rollBack } from "./ending.js";
import { type InPhase, deployedIn, environmentAt } from "./parts.js";
import { awaitReplicas } from "./replicas.js";
import { nextStep, rise } from "./steps.js";
import { only, sameSplit, splitAt } from "./traffic.js";
import { lacksVerdict, remember, verdictOf } from "./verdict.js";
import { followWish } from "./wish.js";

/** A traffic change that has not shown after this long was undone by hand, or cannot be made. */
const splitMsMax = 15 * 60 * 1000;

/** Traffic that is not what was set: it is still to be set, or somebody else set it; null when it is. */
const decideForeignTraffic = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  { trafficSplit }: EndpointFacts,
  nowMs: number,
): readonly Decision[] | null => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const challenger = deployedIn(rollout, name);
  const champion = state.champion?.deployed[name];
  const believed = splitAt(champion, challenger, rollout.weight);
  if (sameSplit(trafficSplit, believed)) return null;
  const previousWeight = rollout.history.at(-1)?.weight ?? 0;
  const before =
    previousWeight === 0 && champion !== undefined
      ? only(champion)
      : splitAt(champion, challenger, previousWeight);
  const mayBePending = nowMs - rollout.stepStartedAtMs < splitMsMax;
  return sameSplit(trafficSplit, before) && mayBePending
    ? ignore("the traffic change of this step is still to be performed")
    : park(
        state,
        rollout,
        `traffic of ${endpoint} is ${JSON.stringify(trafficSplit)}, not ${JSON.stringify(believed)}: it was changed by hand, or could not be set`,
      );
};

/** A look at the canary: its traffic, then its analysis, then a person's wish. */
export const decideProgress = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { endpoint } = environmentAt(state, rollout.environment);
  const endpointFacts = facts.endpoints?.[endpoint];
  const foreign = endpointFacts ? decideForeignTraffic(state, rollout, endpointFacts, nowMs) : null;
  if (foreign !== null) return foreign;
  const unread = ignore(`endpoint ${endpoint} was not read`);
  if (rollout.isReturn === true) {
    return endpointFacts ? promote(state, rollout, rollout.cause, nowMs) : unread;
  }
  const current = facts.series;
  if (current === undefined) return ignore("no look at the metrics is due");
  const verdict = verdictOf(state, rollout, current);
  const reason = `${verdict.result}: ${verdict.reasons.join("; ")}`;
  switch (verdict.result) {
    case "failed": {
      if (!endpointFacts) return unread;
      const measured: RolloutState = { ...rollout, history: remember(rollout, verdict, nowMs) };
      const why = `analysis at ${rollout.weight} % failed: ${verdict.reasons.join("; ")}`;
      return rollBack(
        state,
        measured,
        { outcome: "rolled-back", reason: why, severity: "warning" },
        nowMs,
      );
    }
    case "successful":
      if (!endpointFacts) return unread;
      return rollout.wish === undefined
        ? decideAdvance(state, rollout, verdict, { current, endpointFacts }, nowMs)
        : followWish(state, rollout, rollout.wish, endpointFacts, nowMs);
    case "inconclusive":
    case "error": {
      if (rollout.wish !== undefined) {
        return endpointFacts
          ? followWish(state, rollout, rollout.wish, endpointFacts, nowMs)
          : unread;
      }
      if (lacksVerdict(state, rollout, nowMs)) {
        const { inconclusiveSecondsMax } = state.manifest.rollout.analysis;
        return endpointFacts
          ? park(
              state,
              rollout,
              `no verdict for ${inconclusiveSecondsMax} s after the bake: ${verdict.reasons.join("; ")}`,
            )
          : unread;
      }
      return rollout.lastVerdict?.result === verdict.result
        ? ignore(reason)
        : [{ do: "record-measurement", to: { ...rollout, lastVerdict: verdict }, reason }];
    }
  }
};

const decideAdvance = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  verdict: Verdict,
  look: { readonly current: Segment | null; readonly endpointFacts: EndpointFacts },
  nowMs: number,
): readonly Decision[] => {
  const history = remember(rollout, verdict, nowMs);
  const because = `step ${rollout.weight} % successful: ${verdict.reasons.join("; ")}`;
  const next = nextStep(state, rollout);
  if (next === undefined) return promote(state, { ...rollout, history }, because, nowMs);
  const segments = look.current === null ? rollout.segments : [...rollout.segments, look.current];
  const waiting = awaitReplicas(state, rollout, next, look.endpointFacts, nowMs);
  return (
    waiting ??
    rise(state, { ...rollout, history, segments }, next, look.endpointFacts, because, nowMs)
  );
};

/** Where a rollout that stopped moving stays until a person acts. */
export const park = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  parkedReason: string,
): readonly Decision[] => [
  { do: "park-rollout", to: { ...rollout, phase: "parked", parkedReason }, reason: parkedReason },
  {
    do: "notify",
    severity: "page",
    title: `${state.model}: rollout parked at ${rollout.weight} %`,
    body: `${parkedReason}. Its weight stays. Resume, abort or roll back; by hand: ${handCommand(state, rollout)}`,
    reason: "a person must act",
  },
];
