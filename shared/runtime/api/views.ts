/** State as people and programs see it: flat, with instants as RFC 3339. */
import type { Decision } from "../../domain/decision.js";
import { handCommand } from "../../domain/rollout/by-hand.js";
import type {
  ModelState,
  RolloutRecord,
  RolloutState,
  RunRecord,
  RunState,
} from "../../domain/state.js";
import type { AlertCount, DeadLetter, JournalEntry } from "../../ports/state.js";
import { decisionNumbers, decisionText } from "./decision-text.js";
import { eventText } from "./event-text.js";

const instant = (ms: number): string => new Date(ms).toISOString();

/** The chain of events that a decision belongs to, where the decision says so. */
const chainOf = (decision: Decision): string | null => {
  if ("to" in decision) return decision.to.correlationId;
  if ("record" in decision) return decision.record.correlationId;
  return decision.do === "queue-challenger" ? (decision.waiting?.correlationId ?? null) : null;
};

/** One entry of the timeline. */
export const entryView = (entry: JournalEntry) => ({
  key: entry.key,
  at: instant(entry.receivedAtMs),
  model: entry.model,
  type: entry.event.type,
  what: eventText(entry.event),
  function: entry.function,
  source: entry.event.source,
  eventId: entry.event.id,
  correlationId: entry.event.correlationid ?? entry.event.id,
  causationId: entry.event.causationid ?? null,
  /** What began it all: a tick or a finished operation has its own correlation but moves somebody's rollout on. */
  chainId:
    entry.decisions.map(({ decision }) => chainOf(decision)).find((id) => id !== null) ??
    entry.event.correlationid ??
    entry.event.id,
  isPending: entry.isPending,
  decisions: entry.decisions.map(({ decision, isDone }) => ({
    do: decision.do,
    what: decisionText(decision),
    reason: decision.reason,
    numbers: decisionNumbers(decision),
    isDone,
  })),
});

/** The alerts that were only counted because a run already answers them; null without any. */
const alertsView = (counts: readonly AlertCount[]) =>
  counts.length === 0
    ? null
    : {
        count: counts.reduce((total, { count }) => total + count, 0),
        firstAt: instant(Math.min(...counts.map(({ firstAtMs }) => firstAtMs))),
        lastAt: instant(Math.max(...counts.map(({ lastAtMs }) => lastAtMs))),
        reasons: [...new Set(counts.flatMap(({ reasons }) => reasons))].slice(0, 10),
      };

/** A training run, live or ended. */
export const runView = (
  run: (RunState & { readonly model: string }) | RunRecord,
  alertCounts: readonly AlertCount[] = [],
  queuePlace: number | null = null,
) => ({
  run: run.run,
  model: run.model,
  isLive: "phase" in run,
  phase: "phase" in run ? run.phase : "ended",
  outcome: "outcome" in run ? run.outcome : null,
  /** Its place in the queue of submissions, from 1 on; null when it does not wait there. */
  queuePlace,
  trigger: run.kind,
  reason: run.reason,
  triggerCount: run.triggerCount,
  triggers:
    run.triggers === undefined
      ? null
      : {
          firstAt: instant(run.triggers.firstAtMs),
          lastAt: instant(run.triggers.lastAtMs),
          reasons: run.triggers.reasons,
        },
  waitsFor:
    "asks" in run
      ? `approval of its data until ${instant(run.expiresAtMs)}: ${run.asks.join("; ")}`
      : "retryAtMs" in run
        ? `its retry at ${instant(run.retryAtMs)}`
        : null,
  alerts: alertsView(alertCounts),
  reasons: "reasons" in run ? run.reasons : [],
  requestedAt: instant(run.requestedAtMs),
  submittedAt:
    "submittedAtMs" in run && run.submittedAtMs !== undefined ? instant(run.submittedAtMs) : null,
  deadlineAt: "deadlineAtMs" in run ? instant(run.deadlineAtMs) : null,
  endedAt: "endedAtMs" in run ? instant(run.endedAtMs) : null,
  datasetUris: run.datasetUris,
  fingerprint: run.fingerprint,
  reservedUsd: run.reservedUsd,
  policyVersion: run.policyVersion ?? null,
  versionId: "versionId" in run ? (run.versionId ?? null) : null,
  evaluation: "evaluation" in run ? (run.evaluation ?? null) : null,
  correlationId: run.correlationId,
});

/** A rollout, live or ended. */
export const rolloutView = (
  rollout: (RolloutState & { readonly model: string }) | RolloutRecord,
  steps: readonly number[] | null,
  byHand: string | null = null,
  finds: string | null = null,
) => ({
  rollout: rollout.rollout,
  model: rollout.model,
  isLive: "phase" in rollout,
  phase: "phase" in rollout ? rollout.phase : "ended",
  outcome: "outcome" in rollout ? rollout.outcome : null,
  reasons: "reasons" in rollout ? rollout.reasons : [],
  run: rollout.run,
  cause: rollout.cause,
  versionId: rollout.versionId,
  artifactDigest: rollout.artifactDigest,
  servingImage: rollout.servingImage,
  startedAt: instant(rollout.startedAtMs),
  endedAt: "endedAtMs" in rollout ? instant(rollout.endedAtMs) : null,
  deployed: rollout.deployed,
  steps,
  step: "step" in rollout ? rollout.step : null,
  weight: "weight" in rollout ? rollout.weight : null,
  /** The command that ends it should nothing of Continuo answer; null once it has ended. */
  byHand,
  /** How soon a challenger that fails twice as often is found; told of one rollout, not of many. */
  finds,
  waitsFor:
    "parkedReason" in rollout
      ? rollout.parkedReason
      : "pausedBy" in rollout
        ? `${rollout.pausedBy} to resume it`
        : "approvedBy" in rollout
          ? `approval until ${instant(rollout.expiresAtMs)} (given by ${rollout.approvedBy.join(", ") || "nobody yet"})`
          : "awaitedReplicas" in rollout && rollout.awaitedReplicas !== undefined
            ? `${rollout.awaitedReplicas.count} replicas of the challenger to serve`
            : "phase" in rollout && rollout.freeze !== undefined
              ? `the end of freeze window ${rollout.freeze.window} at ${instant(rollout.freeze.untilMs)}`
              : null,
  lastVerdict:
    "lastVerdict" in rollout ? rollout.lastVerdict : (rollout.history.at(-1)?.verdict ?? null),
  segments: "segments" in rollout ? rollout.segments : [],
  history: rollout.history.map(({ atMs, weight, verdict }) => ({
    at: instant(atMs),
    weight,
    verdict,
  })),
  correlationId: rollout.correlationId,
});

/** A model's rollout in progress. */
export const liveRolloutView = (
  state: ModelState,
  rollout: RolloutState,
  finds: string | null = null,
) =>
  rolloutView(
    { ...rollout, model: state.model },
    state.manifest.rollout.steps,
    rollout.phase === "cleaning" ? null : handCommand(state, rollout),
    finds,
  );

const weightsOf = ({ champion, rollout }: ModelState): Readonly<Record<string, number>> => {
  const weight = rollout !== null && "weight" in rollout ? rollout.weight : 0;
  return {
    ...(champion === null ? {} : { champion: 100 - weight }),
    ...(rollout === null || weight === 0 ? {} : { challenger: weight }),
  };
};

/** A model in a list. */
export const modelView = (state: ModelState) => ({
  model: state.model,
  description: state.manifest.description ?? null,
  owner: state.manifest.owner,
  mode: state.manifest.mode,
  manifestVersion: state.manifestVersion,
  isPaused: state.isPaused,
  parkedReason: state.parkedReason,
  champion:
    state.champion === null
      ? null
      : {
          versionId: state.champion.versionId,
          run: state.champion.run,
          artifactDigest: state.champion.artifactDigest,
          since: instant(state.champion.sinceMs),
          deployed: state.champion.deployed,
        },
  run: state.run === null ? null : runView({ ...state.run, model: state.model }),
  rollout: state.rollout === null ? null : liveRolloutView(state, state.rollout),
  /** Percent of production traffic by role, as last decided. */
  weights: weightsOf(state),
  trigger:
    state.trigger === null
      ? null
      : {
          kind: state.trigger.kind,
          reason: state.trigger.reason,
          count: state.trigger.count,
          dueAt: instant(state.trigger.dueAtMs),
        },
  waiting:
    state.waiting === null ? null : { versionId: state.waiting.versionId, run: state.waiting.run },
  fruitlessRuns: state.fruitlessRuns,
  budget: state.budget,
});

/** A model with all that is known of it. */
export const modelDetail = (state: ModelState) => ({
  ...modelView(state),
  endpoints: state.manifest.promotion.environments.map(({ name, endpoint }) => ({
    environment: name,
    endpoint,
  })),
  datasets: state.datasets.map((dataset) => ({
    fingerprint: dataset.fingerprint,
    uris: dataset.uris,
    arrivedAt: instant(dataset.arrivedAtMs),
    profileUri: dataset.profileUri ?? null,
    isStopped: dataset.isStopped ?? false,
  })),
  sequence: state.sequence,
  head: state.head,
});

/** A message that no function could take. */
export const deadLetterView = (letter: DeadLetter) => ({
  id: letter.id,
  function: letter.function,
  topic: letter.topic,
  reason: letter.reason,
  receivedAt: instant(letter.receivedAtMs),
  redrivenAt: letter.redrivenAtMs === null ? null : instant(letter.redrivenAtMs),
  attributes: letter.attributes,
  digest: letter.digest,
  bytes: Buffer.from(letter.data, "base64").byteLength,
});

/** A dead letter with its body, as text where it is text. */
export const deadLetterDetail = (letter: DeadLetter) => {
  const text = Buffer.from(letter.data, "base64").toString("utf8");
  return {
    ...deadLetterView(letter),
    body: text.includes("\u0000") ? null : text,
    data: letter.data,
  };
};

export type EntryView = ReturnType<typeof entryView>;
export type RunView = ReturnType<typeof runView>;
export type RolloutView = ReturnType<typeof rolloutView>;
export type ModelView = ReturnType<typeof modelView>;
export type DeadLetterView = ReturnType<typeof deadLetterView>;
