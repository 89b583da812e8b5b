/** What the analysis says of a canary's step. */
import { assess } from "../analysis.js";
import type { ModelState, RolloutState, Segment, Verdict } from "../state.js";
import type { InPhase } from "./parts.js";

/** What the analysis says of a step so far. */
export const verdictOf = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  current: Segment | null,
): Verdict => {
  const { bakeSeconds, analysis } = state.manifest.rollout;
  return assess({
    earlier: rollout.segments,
    current,
    stepStartedAtMs: rollout.stepStartedAtMs,
    bakeMs: bakeSeconds * 1000,
    policy: analysis,
    policyVersion: state.manifestVersion,
  });
};

/** Whether a step has had no verdict for longer than it may. */
export const lacksVerdict = (
  { manifest }: ModelState,
  rollout: InPhase<"progressing">,
  nowMs: number,
): boolean => {
  const { bakeSeconds, analysis } = manifest.rollout;
  const stalledMs = nowMs - rollout.stepStartedAtMs - bakeSeconds * 1000;
  return stalledMs > analysis.inconclusiveSecondsMax * 1000;
};

/** Whether what was measured lets the rollout move, back or stop, for which its endpoint must be looked at. */
export const isConclusive = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  current: Segment | null,
  nowMs: number,
): boolean => {
  const verdict = verdictOf(state, rollout, current);
  switch (verdict.result) {
    case "successful":
    case "failed":
      return true;
    case "inconclusive":
    case "error":
      return verdict.isMismatched === true || lacksVerdict(state, rollout, nowMs);
  }
};

/** The rollout's history with one more verdict. */
export const remember = (
  rollout: InPhase<"progressing">,
  verdict: Verdict,
  atMs: number,
): RolloutState["history"] => [...rollout.history, { atMs, weight: rollout.weight, verdict }];
