/** What must be looked up before an event can be decided. Pure: the runtime does the looking. */
import type { ContinuoEvent } from "../../events/index.js";
import { endpointCadence, isLookDue, jobCadence, metricsCadence } from "./cadence.js";
import type { Facts, Need, SignalsWanted } from "./facts.js";
import { freezeAt } from "./freeze.js";
import { deployedModelIdFor, jobIdOf } from "./ids.js";
import { isOverdue, timeoutOf } from "./phase-timeouts.js";
import { isConclusive, lacksVerdict } from "./rollout/verdict.js";
import { servingNeeds } from "./serving.js";
import type { ModelState, RolloutState, RunState } from "./state.js";
import { uploadNeeds } from "./uploads.js";

/** What a look at the live run takes. */
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

/** Whether the tick looks at the live run: what ends tells so itself, unless it is overdue. */
const isRunDue = ({ manifest }: ModelState, run: RunState, nowMs: number): boolean => {
  switch (run.phase) {
    case "requested":
    case "retrying":
    case "awaiting-approval":
    case "judging":
      return false;
    case "validating":
    case "training":
    case "evaluating":
      return (
        timeoutOf(run, manifest, nowMs) !== null || isLookDue(run.submittedAtMs, jobCadence, nowMs)
      );
    case "cancelling":
      return isOverdue(run, manifest, nowMs) || isLookDue(run.askedAtMs, jobCadence, nowMs);
    case "parked":
      return isLookDue(run.sinceMs, jobCadence, nowMs);
    case "registering":
      return isOverdue(run, manifest, nowMs) || isLookDue(run.sinceMs, endpointCadence, nowMs);
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

/** Whether the tick looks at the rollout: soon after it changed something, then at the cadence of what goes on. */
const isRolloutDue = ({ manifest }: ModelState, rollout: RolloutState, nowMs: number): boolean => {
  switch (rollout.phase) {
    case "awaiting-approval":
    case "paused":
    case "parked":
      return false;
    case "deploying": {
      const changedAtMs = Math.max(rollout.sinceMs, rollout.awaitedReplicas?.askedAtMs ?? 0);
      return isLookDue(changedAtMs, endpointCadence, nowMs);
    }
    case "smoke-testing":
      return isLookDue(rollout.sinceMs, endpointCadence, nowMs);
    case "progressing": {
      if (rollout.wish !== undefined || rollout.isReturn === true) return true;
      const changedAtMs = Math.max(
        rollout.stepStartedAtMs,
        rollout.awaitedReplicas?.askedAtMs ?? 0,
      );
      const { predictions, quality } = manifest.rollout.analysis;
      const readsLog = predictions !== undefined || quality !== undefined;
      const cadence = readsLog ? endpointCadence : metricsCadence(changedAtMs, nowMs);
      return isLookDue(changedAtMs, cadence, nowMs);
    }
    case "cleaning": {
      const changedAtMs = Math.max(rollout.sinceMs, rollout.scaledBackAtMs ?? 0);
      return isLookDue(changedAtMs, endpointCadence, nowMs);
    }
  }
};

/** What the tick looks at in the rollout: while the analysis cannot tell, the endpoint is left alone. */
const rolloutTickNeeds = (
  state: ModelState,
  rollout: RolloutState,
  nowMs: number,
): readonly Need[] => {
  if (!isRolloutDue(state, rollout, nowMs)) return [];
  const all = rolloutNeeds(state, rollout, nowMs);
  return rollout.phase === "progressing" &&
    rollout.wish === undefined &&
    rollout.isReturn === undefined
    ? all.filter(({ fact }) => fact !== "endpoint")
    : all;
};

const tickNeeds = (state: ModelState, nowMs: number): readonly Need[] => {
  const { run, rollout } = state;
  return [
    ...(run !== null && isRunDue(state, run, nowMs) ? runNeeds(run) : []),
    ...(rollout === null ? [] : rolloutTickNeeds(state, rollout, nowMs)),
  ];
};

/** What must be looked up because of what was found: the endpoint, before the analysis has its way with it. */
export const furtherNeeds = (
  state: ModelState,
  event: ContinuoEvent,
  { series, seriesError, endpoints }: Facts,
  nowMs: number,
): readonly Need[] => {
  const { rollout } = state;
  if (event.type !== "model.visited" || endpoints !== undefined) return [];
  if (rollout?.phase !== "progressing") return [];
  const hasMore =
    series === undefined
      ? seriesError !== undefined && lacksVerdict(state, rollout, nowMs)
      : isConclusive(state, rollout, series, nowMs);
  return hasMore
    ? rolloutNeeds(state, rollout, nowMs).filter(({ fact }) => fact === "endpoint")
    : [];
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
const steering: ReadonlySet<string> = new Set([
  "abort",
  "resume",
  "roll-back",
  "skip",
  "promote-now",
]);

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
      return event.data.by === "tick"
        ? tickNeeds(state, nowMs)
        : [
            ...runNeeds(state.run),
            ...rolloutNeeds(state, state.rollout, nowMs),
            ...(state.rollout === null ? servingNeeds(state, nowMs) : []),
            ...uploadNeeds(state, nowMs),
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
