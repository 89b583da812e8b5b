/** What a look at the live run means, by its phase. */
import { expired } from "../approval.js";
import { ignore, type Decision } from "../decision.js";
import type { Facts } from "../facts.js";
import { isOverdue } from "../phase-timeouts.js";
import type { ModelState, RunState } from "../state.js";
import { refuseGate } from "./data-gate.js";
import { decideEvaluation } from "./evaluation-gate.js";
import { decideRetry } from "./failed-job.js";
import { decideJob } from "./job.js";
import { decideRegistering } from "./registering.js";
import { decideRequested } from "./submission.js";

/** What a look at the live run's job or version means, by its phase. */
export const decideLiveRun = (
  state: ModelState,
  run: RunState,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  switch (run.phase) {
    case "requested":
      return decideRequested(state, run, nowMs);
    case "retrying":
      return decideRetry(run, nowMs);
    case "awaiting-approval":
      return nowMs >= run.expiresAtMs
        ? refuseGate(state, run, expired, nowMs)
        : ignore(`run ${run.run} waits for approval: ${run.asks.join("; ")}`);
    case "validating":
    case "training":
    case "evaluating":
    case "cancelling":
    case "parked":
      return facts.pipelineJob === undefined
        ? ignore("the PipelineJob was not read")
        : decideJob(state, run, facts.pipelineJob, nowMs);
    case "judging":
      // Its evaluation is known: an announcement that went astray must not keep it from being judged.
      return isOverdue(run, state.manifest, nowMs)
        ? decideEvaluation(state, run, nowMs)
        : ignore(`run ${run.run} waits for its evaluation to be judged`);
    case "registering":
      return decideRegistering(state, run, facts.versions?.[run.run], nowMs);
  }
};
