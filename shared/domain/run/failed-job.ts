/** A PipelineJob that failed: it is tried again, or its run has failed. */
import { type Decision, ignore } from "../decision.js";
import type { PipelineJobFacts } from "../facts.js";
import type { ModelState, RunState } from "../state.js";
import { recordUnjudged } from "./data-gate.js";
import { endRun } from "./ending.js";
import { type StoppingRun, type WorkingRun, afterJob } from "./parts.js";

/** The first retry comes after this long, each later one after twice as long as the one before. */
const retryDelayMs = 60_000;

/** Tries a job again that failed by no fault of its own; null when it must not, or no time is left. */
export const decideToRetry = (
  state: ModelState,
  run: WorkingRun,
  job: PipelineJobFacts,
  nowMs: number,
): readonly Decision[] | null => {
  const retries = run.retries ?? 0;
  const retryAtMs = nowMs + retryDelayMs * 2 ** retries;
  const { retriesMax } = state.manifest.training;
  if (job.isRetriable !== true || retries >= retriesMax || retryAtMs >= run.deadlineAtMs) {
    return null;
  }
  const to = {
    ...afterJob(run, job, nowMs),
    phase: "retrying" as const,
    retries: retries + 1,
    retryAtMs,
  };
  const reason = `retry ${retries + 1} of ${retriesMax} at ${new Date(retryAtMs).toISOString()}: ${job.error ?? "the cloud failed"}`;
  return [
    {
      do: "enter-phase",
      to: { ...to, earlier: { ...to.earlier, deadlineAtMs: run.deadlineAtMs } },
      reason,
    },
    { do: "set-timer", kind: "run-deadline", dueAtMs: retryAtMs, reason: "the retry comes due" },
  ];
};

/** The job failed: so has the run, and a dataset version that could not be judged is left out from then on. */
export const failJob = (
  state: ModelState,
  run: WorkingRun | StoppingRun,
  job: PipelineJobFacts,
  because: readonly string[],
  nowMs: number,
): readonly Decision[] => {
  const unjudged = recordUnjudged(state, run, job);
  const reasons = [
    ...because,
    job.error || "the PipelineJob failed without a message",
    ...(unjudged.length === 0
      ? []
      : ["this dataset version is left out of later runs; mend it and publish it again"]),
  ];
  const { machineSeconds } = job;
  return [
    ...unjudged,
    ...endRun(state, run, { outcome: "failed", reasons, machineSeconds }, nowMs),
  ];
};

/** The retry of a job comes due. */
export const decideRetry = (
  run: RunState & { readonly phase: "retrying" },
  nowMs: number,
): readonly Decision[] => {
  const { retryAtMs, ...requested } = run;
  return nowMs < retryAtMs
    ? ignore(`run ${run.run} is tried again at ${new Date(retryAtMs).toISOString()}`)
    : [
        {
          do: "retry-training-run",
          to: { ...requested, phase: "requested", sinceMs: nowMs },
          reason: `its PipelineJob is tried again (${run.retries ?? 1})`,
        },
      ];
};
