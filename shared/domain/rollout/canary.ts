/** A rollout in production: rising weights, moved by verdicts. */
import { type Decision, ignore } from "../decision.js";
import type { EndpointFacts, Facts } from "../facts.js";
import type { ModelState, RolloutState, Segment, Verdict } from "../state.js";
import { handCommand } from "./by-hand.js";
import { promote, rollBack } from "./ending.js";
import { otherTraffic } from "./foreign-traffic.js";
import { type InPhase, environmentAt } from "./parts.js";
import { awaitReplicas } from "./replicas.js";
import { nextStep, rise } from "./steps.js";
import { lacksVerdict, remember, verdictOf } from "./verdict.js";
import { followWish } from "./wish.js";

/** Traffic that is not what was set is waited for, or the rollout stops where it is; null when it is. */
const decideOtherTraffic = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  found: EndpointFacts,
  nowMs: number,
): readonly Decision[] | null => {
  const other = otherTraffic(state, rollout, found, nowMs);
  if (other === null) return null;
  return other.is === "pending" ? ignore(other.reason) : park(state, rollout, other.reason);
};

const unreadEndpoint = (
  state: ModelState,
  { environment }: InPhase<"progressing">,
): readonly Decision[] =>
  ignore(`endpoint ${environmentAt(state, environment).endpoint} was not read`);

/** A look at the canary: its traffic, then its analysis, then a person's wish. */
export const decideProgress = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { endpoint } = environmentAt(state, rollout.environment);
  const endpointFacts = facts.endpoints?.[endpoint];
  const foreign = endpointFacts ? decideOtherTraffic(state, rollout, endpointFacts, nowMs) : null;
  if (foreign !== null) return foreign;
  const unread = unreadEndpoint(state, rollout);
  if (rollout.isReturn === true) {
    return endpointFacts ? promote(state, rollout, rollout.cause, nowMs) : unread;
  }
  const { series: current, seriesError } = facts;
  if (current === undefined) {
    if (seriesError === undefined) return ignore("no look at the metrics is due");
    return (
      decideUnjudged(state, rollout, [seriesError], endpointFacts, nowMs) ??
      ignore(`error: ${seriesError}`)
    );
  }
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
    case "error":
      return (
        decideUnjudged(state, rollout, verdict.reasons, endpointFacts, nowMs) ??
        (rollout.lastVerdict?.result === verdict.result
          ? ignore(reason)
          : [{ do: "record-measurement", to: { ...rollout, lastVerdict: verdict }, reason }])
      );
  }
};

/** Without a verdict a person's wish goes on, and a step that has had none for too long stops; null to look again. */
const decideUnjudged = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  reasons: readonly string[],
  endpointFacts: EndpointFacts | null | undefined,
  nowMs: number,
): readonly Decision[] | null => {
  const { wish } = rollout;
  if (wish === undefined && !lacksVerdict(state, rollout, nowMs)) return null;
  if (!endpointFacts) return unreadEndpoint(state, rollout);
  if (wish !== undefined) return followWish(state, rollout, wish, endpointFacts, nowMs);
  const { inconclusiveSecondsMax } = state.manifest.rollout.analysis;
  return park(
    state,
    rollout,
    `no verdict for ${inconclusiveSecondsMax} s after the bake: ${reasons.join("; ")}`,
  );
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
