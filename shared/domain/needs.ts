/** What must be looked up before an event can be decided. Pure: the runtime does the looking. */
import type { ContinuoEvent } from "../../events/index.js";
import type { Need, SignalsWanted } from "./facts.js";
import { freezeAt } from "./freeze.js";
import { deployedModelIdFor, jobIdOf } from "./ids.js";
import { servingNeeds } from "./serving.js";
import type { ModelState, RolloutState, RunState } from "./state.js";

const runNeeds = (run: RunState | null): readonly Need[] => {
  if (run === null) return [];
  switch (run.phase) {
    case "requested":
    case "retrying":
    case "awaiting-approval":
    case "judging":
      return [];
    case "validating":
    case "training":
    case "evaluating":
    case "cancelling":
    case "parked":
      return [{ fact: "pipeline-job", run: jobIdOf(run) }];
    case "registering":
      return [{ fact: "model-version", alias: run.run }];
  }
};

type Progressing = RolloutState & { readonly phase: "progressing" };

const signalsWanted = (
  { manifest }: ModelState,
  rollout: Progressing,
): { readonly signals?: SignalsWanted } => {
  const { predictions, business, quality } = manifest.rollout.analysis;
  if (predictions === undefined && business === undefined && quality === undefined) return {};
  const { predictionLog: location, quality: labelled } = manifest.monitoring;
  return {
    signals: {
      startedAtMs: rollout.startedAtMs,
      earlier: rollout.segments.map(({ startMs, endMs }) => ({
        sinceMs: startMs,
        untilMs: endMs,
      })),
      positiveClass: manifest.dataset.positiveClass,
      ...(predictions === undefined || location === undefined ? {} : { answers: { location } }),
      ...(business === undefined ? {} : { business }),
      ...(quality === undefined || location === undefined || labelled?.labels === undefined
        ? {}
        : { quality: { location, labels: labelled.labels, idField: labelled.idField } }),
    },
  };
};

const rolloutNeeds = (
  state: ModelState,
  rollout: RolloutState | null,
  nowMs: number,
): readonly Need[] => {
  if (rollout === null) return [];
  const environment = state.manifest.promotion.environments[rollout.environment];
  if (environment === undefined) return [];
  if (rollout.phase === "smoke-testing" && freezeAt(state.manifest, "rollouts", nowMs) !== null) {
    return [];
  }
  const { endpoint, name } = environment;
  switch (rollout.phase) {
    case "awaiting-approval":
    case "paused":
    case "parked":
      return [];
    case "deploying":
      return [{ fact: "endpoint", endpoint }];
    case "smoke-testing":
      return [
        { fact: "endpoint", endpoint },
        {
          fact: "smoke-test",
          endpoint,
          report: rollout.report,
          ...state.manifest.promotion.smokeTest,
        },
      ];
    case "progressing":
      if (rollout.isReturn === true) return [{ fact: "endpoint", endpoint }];
      return [
        { fact: "endpoint", endpoint },
        {
          fact: "series",
          endpoint,
          champion: state.champion?.deployed[name] ?? null,
          challenger: rollout.deployed[name] ?? deployedModelIdFor(rollout.rollout, name),
          weight: rollout.weight,
          latencyRatioMax: state.manifest.rollout.analysis.latencyRatioMax,
          cpuRatioMax: state.manifest.rollout.analysis.cpuRatioMax,
          sinceMs: rollout.stepStartedAtMs,
          untilMs: nowMs - state.manifest.rollout.analysis.ingestDelaySeconds * 1000,
          ...signalsWanted(state, rollout),
        },
      ];
    case "cleaning":
      return [...new Set(rollout.retired.map((retired) => retired.endpoint))].map(
        (retiredFrom) => ({
          fact: "endpoint" as const,
          endpoint: retiredFrom,
        }),
      );
  }
};

/** Whether any state could make this event need facts; when not, the state is read only once, in the transaction. */
export const mayNeedFacts = (event: ContinuoEvent): boolean => {
  switch (event.type) {
    case "pipeline-job.changed":
    case "model-version.registered":
    case "model-version.aliased":
    case "operation.finished":
    case "model.visited":
    case "timer.fired":
    case "command.issued":
      return true;
    case "dataset.arrived":
    case "schedule.fired":
    case "drift.detected":
    case "skew.detected":
    case "performance.decayed":
    case "pipeline.released":
    case "training-run.requested":
    case "evaluation.completed":
    case "approval.given":
    case "manifest.applied":
    case "effect.rejected":
    case "notification.raised":
    case "model.promoted":
      return false;
  }
};

/** Commands that change traffic, and so must know what it is. */
const steering: ReadonlySet<string> = new Set(["abort", "roll-back", "skip", "promote-now"]);

/** What serves while a person ends the rollout, moves it on, or takes back what it has led to. */
const servingEndpoint = ({ manifest, rollout }: ModelState): readonly Need[] => {
  const environment = rollout && manifest.promotion.environments[rollout.environment];
  if (!rollout || !environment) return [];
  const isAsked = "weight" in rollout || rollout.phase === "cleaning";
  return isAsked ? [{ fact: "endpoint", endpoint: environment.endpoint }] : [];
};

/** The facts that deciding this event takes. */
export const needs = (state: ModelState, event: ContinuoEvent, nowMs: number): readonly Need[] => {
  switch (event.type) {
    case "pipeline-job.changed":
      return runNeeds(state.run);
    case "model-version.registered":
    case "model-version.aliased":
      return [
        ...(state.run?.phase === "registering" ? runNeeds(state.run) : []),
        { fact: "model-version", alias: event.data.versionId },
      ];
    case "operation.finished":
      return rolloutNeeds(state, state.rollout, nowMs);
    case "model.visited":
      return [
        ...runNeeds(state.run),
        ...rolloutNeeds(state, state.rollout, nowMs),
        ...(event.data.by === "reconcile" && state.rollout === null
          ? servingNeeds(state, nowMs)
          : []),
      ];
    case "timer.fired":
      return event.data.kind === "run-deadline" ? runNeeds(state.run) : [];
    case "command.issued":
      return steering.has(event.data.command) ? servingEndpoint(state) : [];
    case "dataset.arrived":
    case "schedule.fired":
    case "drift.detected":
    case "skew.detected":
    case "performance.decayed":
    case "pipeline.released":
    case "training-run.requested":
    case "evaluation.completed":
    case "approval.given":
    case "manifest.applied":
    case "effect.rejected":
    case "notification.raised":
    case "model.promoted":
      return [];
  }
};
