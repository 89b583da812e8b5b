/** What the phases of a training run have in common. */
import type { PipelineJobFacts } from "../facts.js";
import type { RunState } from "../state.js";

/** A run in one of its phases. */
export type RunIn<Phase extends RunState["phase"]> = RunState & { readonly phase: Phase };

/** A run whose PipelineJob works, as far as is known. */
export type WorkingRun = RunIn<"validating" | "training" | "evaluating">;

/** A run whose PipelineJob should end. */
export type StoppingRun = RunIn<"cancelling" | "parked">;

/** What a run is from its request to its record. */
export const commonOf = (run: RunState) => ({
  run: run.run,
  kind: run.kind,
  reason: run.reason,
  triggerCount: run.triggerCount,
  datasetUris: run.datasetUris,
  fingerprint: run.fingerprint,
  requestedAtMs: run.requestedAtMs,
  reservedUsd: run.reservedUsd,
  correlationId: run.correlationId,
  ...(run.triggers === undefined ? {} : { triggers: run.triggers }),
  ...(run.by === undefined ? {} : { by: run.by }),
  ...(run.gateApprovedBy === undefined ? {} : { gateApprovedBy: run.gateApprovedBy }),
});

/** What every phase of a run has, with one more of its jobs ended. */
export const afterJob = (run: WorkingRun, job: PipelineJobFacts, nowMs: number) => ({
  ...commonOf(run),
  sinceMs: nowMs,
  ...(run.retries === undefined ? {} : { retries: run.retries }),
  earlier: {
    count: (run.earlier?.count ?? 0) + 1,
    machineSeconds: (run.earlier?.machineSeconds ?? 0) + job.machineSeconds,
  },
});
