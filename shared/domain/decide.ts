/** What to do about one event. Pure and total: the same state, event, facts and time give the same decisions. */
import type { ContinuoEvent, EventOf } from "../../events/index.js";
import type { ModelName } from "../../events/ids.js";
import { decideAnomaly, decideDecay } from "./alerts.js";
import { adoptManifest } from "./applied-manifest.js";
import { decidePipelineRelease, decideRunRequest, decideSchedule } from "./asked-runs.js";
import { decideCommand } from "./commands.js";
import { decideDataset } from "./datasets.js";
import { ignore, type Decision } from "./decision.js";
import type { Facts } from "./facts.js";
import { jobIdOf } from "./ids.js";
import { decideAliases, decideRegistration } from "./registry.js";
import { decideRejection } from "./rejection.js";
import { decideApproval } from "./rollout/approval.js";
import { decideGateApproval } from "./run/data-gate.js";
import { decideEvaluation } from "./run/evaluation-gate.js";
import { decideLiveRun } from "./run/live.js";
import type { ModelState } from "./state.js";
import { decideTimer, decideVisit } from "./visit.js";

/** One event with what was looked up for it. */
export interface Observation {
  readonly event: ContinuoEvent;
  readonly facts: Facts;
}

/** Decides about one event for one model; its state is undefined while no manifest is applied. */
export const decide = (
  state: ModelState | undefined,
  observation: Observation,
  nowMs: number,
): readonly Decision[] => {
  const { event, facts } = observation;
  if (state === undefined) return decideUnknown(event, nowMs);
  switch (event.type) {
    case "manifest.applied":
      return state.manifestDigest === event.data.digest
        ? ignore("this manifest is already applied")
        : adoptManifest(event, state, nowMs);
    case "dataset.arrived":
      return decideDataset(state, event, nowMs);
    case "schedule.fired":
      return decideSchedule(state, event, nowMs);
    case "drift.detected":
    case "skew.detected":
      return decideAnomaly(state, event, nowMs);
    case "performance.decayed":
      return decideDecay(state, event, nowMs);
    case "pipeline.released":
      return decidePipelineRelease(state, event, nowMs);
    case "training-run.requested":
      return decideRunRequest(state, event, nowMs);
    case "pipeline-job.changed":
      return state.run !== null && jobIdOf(state.run) === event.data.pipelineJob
        ? decideLiveRun(state, state.run, facts, nowMs)
        : ignore(`${event.data.pipelineJob} is not this model's live run`);
    case "evaluation.completed":
      return state.run?.phase === "judging" && state.run.run === event.data.run
        ? decideEvaluation(state, state.run, nowMs)
        : ignore(`run ${event.data.run} does not wait for an evaluation`);
    case "model-version.registered":
      return decideRegistration(state, event, facts, nowMs);
    case "model-version.aliased":
      return decideAliases(state, event, facts, nowMs);
    case "operation.finished":
    case "model.visited":
      return decideVisit(state, facts, nowMs);
    case "timer.fired":
      return decideTimer(state, event, facts, nowMs);
    case "approval.given":
      return decideAnswer(state, event, nowMs);
    case "command.issued":
      return decideCommand(state, event, facts, nowMs);
    case "effect.rejected":
      return decideRejection(state, event, nowMs);
    case "notification.raised":
    case "model.promoted":
      return ignore("told to others; nothing to decide here");
  }
};

/** A person answered: about the rollout that waits, or about the run whose data gate asks. */
const decideAnswer = (
  state: ModelState,
  event: EventOf<"approval.given">,
  nowMs: number,
): readonly Decision[] => {
  const { rollout, run, by, decision } = event.data;
  if (state.rollout?.phase === "awaiting-approval" && state.rollout.rollout === rollout) {
    return decideApproval(state, state.rollout, { by, decision }, nowMs);
  }
  if (state.run?.phase === "awaiting-approval" && state.run.run === run) {
    return decideGateApproval(state, state.run, { by, decision }, nowMs);
  }
  const what = rollout ?? run;
  return ignore(
    what === undefined
      ? "the answer names neither a rollout nor a run"
      : `${what} does not wait for approval`,
  );
};

/** Before a manifest is applied, and after its model was forgotten, only a manifest means anything. */
const decideUnknown = (event: ContinuoEvent, nowMs: number): readonly Decision[] => {
  if (event.type === "manifest.applied") return adoptManifest(event, undefined, nowMs);
  return event.type === "timer.fired"
    ? [{ do: "clear-timer", kind: event.data.kind, reason: "its model is not known any more" }]
    : ignore("no manifest is applied for this model");
};

/** The model an event names itself; null when it must be found by what the event is about. */
export const modelNamedBy = (event: ContinuoEvent): ModelName | null =>
  "model" in event.data && event.data.model !== undefined ? event.data.model : null;
