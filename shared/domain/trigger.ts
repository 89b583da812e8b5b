/** The trigger policy: which facts start a training run, and when. */
import type { ContinuoEvent } from "../../events/index.js";
import { reserve } from "./budget.js";
import { ignore, type Decision } from "./decision.js";
import { freezeAt, freezeText } from "./freeze.js";
import { correlationOf, eventKey, runIdFor } from "./ids.js";
import { ownDoing, parkModel, type Alert } from "./loop.js";
import type {
  DatasetVersion,
  ModelState,
  PendingTrigger,
  RunRecord,
  TriggerKind,
} from "./state.js";

/** One reason to train. */
export interface Trigger {
  readonly kind: TriggerKind;
  readonly reason: string;
  /** Identifies the content behind it: the same content never starts a second run. */
  readonly content: string;
  readonly eventKey: string;
  readonly correlationId: string;
  /** The person who asked for it. */
  readonly by?: string;
  /** What is known of the alert behind it, where it is one. */
  readonly alert?: Alert;
}

/** The reason that an event gives. */
export const triggerOf = (
  event: ContinuoEvent,
  trigger: Omit<Trigger, "eventKey" | "correlationId">,
): Trigger => ({ ...trigger, eventKey: eventKey(event), correlationId: correlationOf(event) });

/** Dataset versions that the data gate did not stop, oldest first. */
export const usableDatasets = (state: ModelState): readonly DatasetVersion[] =>
  state.datasets.filter(({ isStopped }) => isStopped !== true);

/** Whether a kind of trigger waits for the cooldown; new data, new code and people do not. */
const cools = (kind: TriggerKind): boolean => {
  switch (kind) {
    case "drift":
    case "skew":
    case "decay":
    case "schedule":
      return true;
    case "new-data":
    case "new-pipeline":
    case "request":
      return false;
  }
};

/** How soon a kind may start: what a person asks for before new data and code, and those before what cools. */
const urgency = (kind: TriggerKind): number => {
  if (kind === "request") return 2;
  return cools(kind) ? 0 : 1;
};

/** How many distinct reasons a storm leaves in its run's record. */
const reasonsMax = 5;

/** When a trigger that arrived now comes due: debounced since its first, after the cooldown, outside freezes. */
const dueAt = (state: ModelState, kind: TriggerKind, firstAtMs: number, nowMs: number): number => {
  const { debounceSeconds, debounceSecondsMax, cooldownSeconds } = state.manifest.triggers;
  const debounced =
    kind === "request"
      ? nowMs
      : Math.min(nowMs + debounceSeconds * 1000, firstAtMs + debounceSecondsMax * 1000);
  const cooled =
    cools(kind) && state.lastRunStartedAtMs !== null
      ? state.lastRunStartedAtMs + cooldownSeconds * 1000
      : 0;
  const dueAtMs = Math.max(debounced, cooled);
  return freezeAt(state.manifest, "runs", Math.max(dueAtMs, nowMs))?.untilMs ?? dueAtMs;
};

/** A trigger with those that wait: the more urgent one, else the newer, gives the kind, the reason and the chain. */
const joined = (state: ModelState, trigger: Trigger, nowMs: number): PendingTrigger => {
  const pending = state.trigger;
  const firstAtMs = pending?.firstAtMs ?? nowMs;
  const leading =
    pending !== null && urgency(pending.kind) > urgency(trigger.kind) ? pending : trigger;
  return {
    kind: leading.kind,
    reason: leading.reason,
    eventKey: leading.eventKey,
    correlationId: leading.correlationId,
    count: (pending?.count ?? 0) + 1,
    firstAtMs,
    lastAtMs: nowMs,
    dueAtMs: dueAt(state, leading.kind, firstAtMs, nowMs),
    reasons: [...new Set([...(pending?.reasons ?? []), trigger.reason])].slice(-reasonsMax),
    ...(leading.by === undefined ? {} : { by: leading.by }),
  };
};

/** Opens a run from a pending trigger, or says why none can be opened. */
const startRun = (
  state: ModelState,
  trigger: PendingTrigger,
  nowMs: number,
): readonly Decision[] => {
  const datasets = usableDatasets(state).slice(-state.manifest.dataset.versionsMax);
  const newest = datasets.at(-1);
  if (newest === undefined) {
    return [
      {
        do: "drop-trigger",
        reason:
          state.datasets.length === 0
            ? `${trigger.reason}, but no dataset version has arrived yet`
            : `${trigger.reason}, but the data gate stopped every dataset version that arrived`,
      },
    ];
  }
  const base = {
    run: runIdFor(state.model, trigger.eventKey),
    kind: trigger.kind,
    reason: trigger.reason,
    triggerCount: trigger.count,
    triggers: {
      firstAtMs: trigger.firstAtMs,
      lastAtMs: trigger.lastAtMs,
      reasons: trigger.reasons ?? [trigger.reason],
    },
    ...(trigger.by === undefined ? {} : { by: trigger.by }),
    datasetUris: datasets.flatMap(({ uris }) => uris),
    fingerprint: newest.fingerprint,
    requestedAtMs: nowMs,
    correlationId: trigger.correlationId,
  };
  const reservation = reserve(state, nowMs);
  if ("refusal" in reservation) {
    const record: RunRecord = {
      ...base,
      reservedUsd: 0,
      model: state.model,
      outcome: "rejected",
      reasons: [`budget: ${reservation.refusal}`],
      endedAtMs: nowMs,
    };
    return [
      { do: "end-run", record, settledUsd: 0, reason: `budget: ${reservation.refusal}` },
      { do: "drop-trigger", reason: "its run was refused by the budget" },
      {
        do: "notify",
        severity: "warning",
        title: `${state.model}: run refused by the budget`,
        body: reservation.refusal,
        reason: "a refusal must be seen",
      },
    ];
  }
  return [
    {
      do: "request-training-run",
      to: { ...base, phase: "requested", sinceMs: nowMs, reservedUsd: reservation.usd },
      reason: trigger.reason,
    },
    { do: "clear-timer", kind: "trigger", reason: "the run it waited for starts" },
  ];
};

/** Under observe-only the whole policy is applied, and what it decides is only written down. */
const observeTrigger = (
  state: ModelState,
  trigger: Trigger,
  nowMs: number,
): readonly Decision[] => {
  const manifest = { ...state.manifest, mode: "active" as const };
  const decisions = applyPolicy({ ...state, manifest }, trigger, nowMs);
  const first = decisions.find((decision) => decision.do !== "remember");
  const what = first === undefined || first.do === "ignore" ? "ignored it" : `decided ${first.do}`;
  return ignore(`observe-only: would have ${what}: ${first?.reason ?? trigger.reason}`);
};

/** What comes of one trigger. */
export const decideTrigger = (
  state: ModelState,
  trigger: Trigger,
  nowMs: number,
): readonly Decision[] =>
  state.manifest.mode === "observe-only"
    ? observeTrigger(state, trigger, nowMs)
    : applyPolicy(state, trigger, nowMs);

/** Applies the policy to one trigger. */
const applyPolicy = (state: ModelState, trigger: Trigger, nowMs: number): readonly Decision[] => {
  if (state.seen.includes(trigger.content)) {
    return ignore(`${trigger.reason}, which already started or joined a run`);
  }
  const own = trigger.alert === undefined ? null : ownDoing(state, trigger.alert, nowMs);
  if (own !== null) return refuseOwnDoing(state, trigger, own);
  const pending = joined(state, trigger, nowMs);
  const remember: Decision = {
    do: "remember",
    content: trigger.content,
    reason: "the same content starts one run only",
  };
  const obstacle = obstacleTo(state);
  if (obstacle !== null) {
    return [
      { do: "hold-trigger", trigger: pending, reason: `${trigger.reason}; waits: ${obstacle}` },
      remember,
    ];
  }
  if (pending.dueAtMs <= nowMs) {
    return [...startRun(state, pending, nowMs), remember];
  }
  return [
    {
      do: "hold-trigger",
      trigger: pending,
      reason: `${trigger.reason}; waits until ${new Date(pending.dueAtMs).toISOString()} (${waitsFor(state, pending.dueAtMs)})`,
    },
    remember,
    { do: "set-timer", kind: "trigger", dueAtMs: pending.dueAtMs, reason: "the trigger comes due" },
  ];
};

/** A retrain for what we caused ourselves would cause the next one: a person decides. */
const refuseOwnDoing = (state: ModelState, trigger: Trigger, own: string): readonly Decision[] => {
  const reason = `no run for "${trigger.reason}": ${own}`;
  return state.parkedReason !== null
    ? ignore(reason)
    : [
        { do: "remember", content: trigger.content, reason: "people are told once" },
        ...parkModel(state, reason),
      ];
};

/** What a trigger that comes due at a time waits for. */
const waitsFor = (state: ModelState, dueAtMs: number): string => {
  const freeze = freezeAt(state.manifest, "runs", dueAtMs - 1);
  return freeze === null ? "debounce and cooldown" : freezeText(freeze);
};

/** What keeps every run of this model from starting now; null when nothing does. */
const obstacleTo = (state: ModelState): string | null => {
  if (state.isPaused) return "the model is paused";
  if (state.parkedReason !== null) return `the model is parked (${state.parkedReason})`;
  if (state.manifest.mode === "observe-only") return "the manifest says observe-only";
  if (state.run !== null) return `run ${state.run.run} is live`;
  return null;
};

const waitUntil = (trigger: PendingTrigger, what: string): readonly Decision[] => [
  { do: "hold-trigger", trigger, reason: `${trigger.reason}; waits for the ${what}` },
  {
    do: "set-timer",
    kind: "trigger",
    dueAtMs: trigger.dueAtMs,
    reason: `it waits for the ${what}`,
  },
];

/** A pending trigger under a manifest that was just applied: other windows may hold it, or none any more. */
export const reconsiderTrigger = (state: ModelState, nowMs: number): readonly Decision[] => {
  const { trigger } = state;
  if (trigger === null) return [];
  const dueAtMs = dueAt(state, trigger.kind, trigger.firstAtMs, nowMs);
  return dueAtMs === trigger.dueAtMs
    ? []
    : waitUntil({ ...trigger, dueAtMs }, "new manifest's policy");
};

/** A pending trigger came due, or what it waited for is over. */
export const decideDueTrigger = (state: ModelState, nowMs: number): readonly Decision[] => {
  if (state.trigger === null) return ignore("no trigger is waiting");
  const obstacle = obstacleTo(state);
  if (obstacle !== null) return ignore(`the trigger keeps waiting: ${obstacle}`);
  const freeze = freezeAt(state.manifest, "runs", nowMs);
  if (freeze !== null && state.trigger.dueAtMs < freeze.untilMs) {
    return waitUntil({ ...state.trigger, dueAtMs: freeze.untilMs }, freezeText(freeze));
  }
  return state.trigger.dueAtMs <= nowMs
    ? startRun(state, state.trigger, nowMs)
    : [
        {
          do: "set-timer",
          kind: "trigger",
          dueAtMs: state.trigger.dueAtMs,
          reason: "the trigger is not due yet",
        },
      ];
};
