/** How a training run ends. */
import { settle } from "../budget.js";
import type { Decision } from "../decision.js";
import { breakFruitlessLoop } from "../loop.js";
import type { EvaluationSummary, ModelState, RunOutcome, RunRecord, RunState } from "../state.js";
import { commonOf } from "./parts.js";

/** Ends a run: settles its budget, stops its timer, and lets what waited for it go on. */
export const endRun = (
  state: ModelState,
  run: RunState,
  end: {
    readonly outcome: RunOutcome;
    readonly reasons: readonly string[];
    readonly machineSeconds: number;
    readonly evaluation?: EvaluationSummary;
    readonly versionId?: RunRecord["versionId"];
  },
  nowMs: number,
): readonly Decision[] => {
  // A user's own images may say nothing: the outcome is then all that is known.
  const reasons = end.reasons.filter((reason) => reason.trim() !== "");
  const told =
    reasons.length === 0 ? [`the run ended as ${end.outcome} without a reason`] : reasons;
  const submitted = "submittedAtMs" in run ? { submittedAtMs: run.submittedAtMs } : {};
  const record: RunRecord = {
    ...commonOf(run),
    ...(run.earlier === undefined ? {} : { earlier: run.earlier }),
    ...(run.policyVersion === undefined ? {} : { policyVersion: run.policyVersion }),
    ...submitted,
    model: state.model,
    outcome: end.outcome,
    reasons: told,
    endedAtMs: nowMs,
    ...(end.evaluation === undefined ? {} : { evaluation: end.evaluation }),
    ...(end.versionId === undefined ? {} : { versionId: end.versionId }),
  };
  const machineSeconds = end.machineSeconds + (run.earlier?.machineSeconds ?? 0);
  const settledUsd = settle(state.manifest, machineSeconds, run.reservedUsd);
  const title = `${state.model}: run ${run.run} ${end.outcome}`;
  const decisions: Decision[] = [
    { do: "end-run", record, settledUsd, reason: told.join("; ") },
    { do: "clear-timer", kind: "run-deadline", reason: "the run ended" },
    {
      do: "notify",
      severity: end.outcome === "failed" ? "warning" : "info",
      title,
      body: told.join("; "),
      reason: "the end of a run is told",
    },
  ];
  // A registered version may still be promoted: whether its run led anywhere, its rollout tells.
  const parking =
    end.outcome === "registered" ? [] : breakFruitlessLoop(state, state.fruitlessRuns + 1);
  decisions.push(...parking);
  if (parking.length === 0 && state.trigger !== null) {
    decisions.push({
      do: "set-timer",
      kind: "trigger",
      dueAtMs: Math.max(nowMs, state.trigger.dueAtMs),
      reason: "a trigger waited for this run",
    });
  }
  return decisions;
};
