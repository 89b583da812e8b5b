/** A training run whose PipelineJob works: what a look at the job means. */
import { type Decision, ignore } from "../decision.js";
import type { PipelineJobFacts } from "../facts.js";
import { jobIdOf } from "../ids.js";
import { timeoutOf } from "../phase-timeouts.js";
import type { ModelState } from "../state.js";
import { askPeople, recordGate } from "./data-gate.js";
import { endRun } from "./ending.js";
import { decideToRetry, failJob } from "./failed-job.js";
import type { StoppingRun, WorkingRun } from "./parts.js";
import { decideStopping, submissionMsMax } from "./stopping-job.js";

const phaseOrder = ["validating", "training", "evaluating"] as const;

/** The furthest phase that the job's tasks show. */
const phaseShown = (job: PipelineJobFacts): (typeof phaseOrder)[number] => {
  const hasStarted = (name: string): boolean => {
    const state = job.tasks[name];
    return state === "running" || state === "succeeded";
  };
  if (job.tasks["evaluate"] !== undefined && hasStarted("evaluate")) return "evaluating";
  if (hasStarted("score-challenger") || hasStarted("score-champion")) return "evaluating";
  return job.tasks["profile"] === undefined || hasStarted("train") ? "training" : "validating";
};

/** A job that works: it goes on to the phase that its tasks show, or is cancelled because its time is over. */
const decideRunning = (
  state: ModelState,
  run: WorkingRun,
  job: PipelineJobFacts,
  nowMs: number,
): readonly Decision[] => {
  const shown = phaseShown(job);
  const isFurther = phaseOrder.indexOf(shown) > phaseOrder.indexOf(run.phase);
  // A phase that has begun since the last look has its own time.
  const reached = isFurther ? { ...run, phase: shown, sinceMs: nowMs } : run;
  const timeout = timeoutOf(reached, state.manifest, nowMs);
  if (timeout !== null) {
    return [
      {
        do: "cancel-pipeline-job",
        run: jobIdOf(run),
        to: { ...run, phase: "cancelling", sinceMs: nowMs, timeout, askedAtMs: nowMs },
        reason: `the run exceeded its timeout of ${timeout.seconds} s while ${timeout.phase} (${timeout.setting})`,
      },
    ];
  }
  return isFurther
    ? [{ do: "enter-phase", to: reached, reason: `its tasks show ${shown}` }]
    : ignore(`the run is still ${run.phase}`);
};

const decideSucceededJob = (
  state: ModelState,
  run: WorkingRun,
  job: PipelineJobFacts,
  nowMs: number,
): readonly Decision[] => {
  if (job.dataGate?.verdict === "ask" && run.gateApprovedBy === undefined) {
    return askPeople(state, run, job, job.dataGate.reasons, nowMs);
  }
  const gate = job.dataGate === null ? [] : recordGate(state, run, job.dataGate);
  if (job.dataGate !== null && job.dataGate.verdict !== "go") {
    const { verdict } = job.dataGate;
    const given = job.dataGate.reasons.length === 0 ? [verdict] : job.dataGate.reasons;
    const reasons = given.map((reason) => `data gate: ${reason}`);
    return [
      ...gate,
      ...endRun(
        state,
        run,
        { outcome: "rejected", reasons, machineSeconds: job.machineSeconds },
        nowMs,
      ),
    ];
  }
  if (job.evaluation === null) {
    const reasons = [
      "the PipelineJob succeeded but wrote no evaluation; its template must have a task `evaluate`",
    ];
    return endRun(
      state,
      run,
      { outcome: "failed", reasons, machineSeconds: job.machineSeconds },
      nowMs,
    );
  }
  return [
    ...gate,
    {
      do: "publish-evaluation",
      to: {
        ...run,
        phase: "judging",
        sinceMs: nowMs,
        evaluation: job.evaluation,
        machineSeconds: job.machineSeconds,
      },
      evaluation: job.evaluation,
      reason: "champion and challenger were scored",
    },
  ];
};

/** What a look at the run's PipelineJob means. */
export const decideJob = (
  state: ModelState,
  run: WorkingRun | StoppingRun,
  job: PipelineJobFacts | null,
  nowMs: number,
): readonly Decision[] => {
  if (run.phase === "cancelling" || run.phase === "parked") {
    return decideStopping(state, run, job, nowMs);
  }
  if (job === null) {
    const reasons = [`PipelineJob ${jobIdOf(run)} does not exist, and the run's time is over`];
    const mayStillCome = nowMs < run.submittedAtMs + submissionMsMax;
    return mayStillCome || timeoutOf(run, state.manifest, nowMs) === null
      ? ignore(`PipelineJob ${jobIdOf(run)} does not exist yet`)
      : endRun(state, run, { outcome: "failed", reasons, machineSeconds: 0 }, nowMs);
  }
  switch (job.state) {
    case "failed":
      return decideToRetry(state, run, job, nowMs) ?? failJob(state, run, job, [], nowMs);
    case "cancelled": {
      const reasons = ["the PipelineJob was cancelled"];
      const { machineSeconds } = job;
      return endRun(state, run, { outcome: "cancelled", reasons, machineSeconds }, nowMs);
    }
    case "succeeded":
      return decideSucceededJob(state, run, job, nowMs);
    case "pending":
    case "running":
      return decideRunning(state, run, job, nowMs);
  }
};
