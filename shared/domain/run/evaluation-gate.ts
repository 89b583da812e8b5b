/** The evaluation gate. */
import type { Decision } from "../decision.js";
import type { ModelState, RunState } from "../state.js";
import { endRun } from "./ending.js";

/** The evaluation gate: a challenger that did not pass is never registered. */
export const decideEvaluation = (
  state: ModelState,
  run: RunState & { readonly phase: "judging" },
  nowMs: number,
): readonly Decision[] => {
  const { evaluation } = run;
  switch (evaluation.outcome) {
    case "accept":
      return [
        {
          do: "register-model-version",
          to: { ...run, phase: "registering", sinceMs: nowMs },
          alias: run.run,
          isFirst: state.champion === null,
          reason: evaluation.reasons.join("; ") || "its evaluation accepted it",
        },
      ];
    case "reject": {
      const given = evaluation.reasons.length === 0 ? ["rejected"] : evaluation.reasons;
      const reasons = given.map((reason) => `evaluation gate: ${reason}`);
      return endRun(
        state,
        run,
        { outcome: "rejected", reasons, machineSeconds: run.machineSeconds, evaluation },
        nowMs,
      );
    }
  }
};
