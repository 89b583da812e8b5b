/** A training run whose PipelineJob should end: cancelled by a person, or out of time. */
import { type Decision, ignore } from "../decision.js";
import type { PipelineJobFacts } from "../facts.js";
import { jobIdOf } from "../ids.js";
import { isOverdue, limitOf } from "../phase-timeouts.js";
import type { ModelState } from "../state.js";
import { endRun } from "./ending.js";
import { failJob } from "./failed-job.js";
import type { RunIn, StoppingRun } from "./parts.js";

/** A submission has reached Vertex AI within five minutes, or never will; the clocks of two processes differ by ten at most. */
export const submissionMsMax = 15 * 60_000;

/** A job that still runs after this long is cancelled again. */
const cancellationMsMax = 10 * 60_000;

/** What the end of a run says about the limit that it outlived. */
const timeoutText = (run: StoppingRun): string | null => {
  const { timeout } = run;
  return timeout === undefined
    ? null
    : `it was still ${timeout.phase} after its timeout of ${timeout.seconds} s and was cancelled; the log of that task tells what it did, ${timeout.setting} gives it longer`;
};

/** A job that should end and has: whatever it did at last, a run that outlived its limit has failed. */
const decideStopped = (
  state: ModelState,
  run: StoppingRun,
  job: PipelineJobFacts & { readonly state: "succeeded" | "failed" | "cancelled" },
  nowMs: number,
): readonly Decision[] => {
  const { machineSeconds } = job;
  const late = timeoutText(run);
  switch (job.state) {
    case "succeeded": {
      const reasons =
        late === null
          ? ["cancelled, although its PipelineJob had already succeeded"]
          : [late, "its PipelineJob succeeded all the same, too late to be used"];
      const outcome = late === null ? "cancelled" : "failed";
      return endRun(state, run, { outcome, reasons, machineSeconds }, nowMs);
    }
    case "cancelled": {
      const outcome = late === null ? "cancelled" : "failed";
      const reasons = [late ?? "cancelled on request"];
      return endRun(state, run, { outcome, reasons, machineSeconds }, nowMs);
    }
    case "failed":
      return failJob(state, run, job, late === null ? [] : [late], nowMs);
  }
};

/** A job that goes on although it was cancelled: it is cancelled again, and at last a person is told. */
const pursueCancellation = (
  state: ModelState,
  run: RunIn<"cancelling">,
  nowMs: number,
): readonly Decision[] => {
  if (isOverdue(run, state.manifest, nowMs)) {
    const { seconds, setting } = limitOf("cancelling", state.manifest);
    const parkedReason = `its PipelineJob ${jobIdOf(run)} still runs ${seconds} s (${setting}) after its cancellation was asked for`;
    return [
      {
        do: "enter-phase",
        to: { ...run, phase: "parked", sinceMs: nowMs, parkedReason },
        reason: parkedReason,
      },
      {
        do: "notify",
        severity: "page",
        title: `${state.model}: run ${run.run} is parked: its job does not end`,
        body: `${parkedReason}. It may cost money, and no other run starts. Stop it in Vertex AI Pipelines: the run ends with it. To let the run go without it: continuo runs cancel ${state.model}`,
        reason: "a person must act",
      },
    ];
  }
  // A cancellation that came before its job was created has cancelled nothing.
  return nowMs - run.askedAtMs < cancellationMsMax
    ? ignore("the run is still cancelling")
    : [
        {
          do: "cancel-pipeline-job",
          run: jobIdOf(run),
          to: { ...run, askedAtMs: nowMs },
          reason: `its PipelineJob still runs ${cancellationMsMax / 60_000} minutes after its cancellation was asked for`,
        },
      ];
};

/** What a look at a job that should end means. */
export const decideStopping = (
  state: ModelState,
  run: StoppingRun,
  job: PipelineJobFacts | null,
  nowMs: number,
): readonly Decision[] => {
  if (job === null) {
    const reasons = [timeoutText(run) ?? "cancelled before its PipelineJob was created"];
    const outcome = run.timeout === undefined ? "cancelled" : "failed";
    // A job that was seen when its cancellation was asked for may still be missing from an older answer.
    return nowMs >= Math.max(run.submittedAtMs, run.askedAtMs) + submissionMsMax
      ? endRun(state, run, { outcome, reasons, machineSeconds: 0 }, nowMs)
      : ignore(`PipelineJob ${run.run} may still be created`);
  }
  switch (job.state) {
    case "succeeded":
    case "failed":
    case "cancelled":
      return decideStopped(state, run, { ...job, state: job.state }, nowMs);
    case "pending":
    case "running":
      return run.phase === "parked"
        ? ignore(`the run is parked: ${run.parkedReason}`)
        : pursueCancellation(state, run, nowMs);
  }
};
