/** Where decisions are kept: one journal document per event, one state document per model, timers as documents. */
import type { ContinuoEvent } from "../../events/index.js";
import type { DeployedModelId, ModelName, RolloutId, RunId } from "../../events/ids.js";
import type { Decision, TimerKind } from "../domain/decision.js";
import type { ModelState, RolloutRecord, RunRecord, TriggerKind } from "../domain/state.js";
import type { Head } from "./anchors.js";

/** One decision as the journal keeps it. */
export interface JournalDecision {
  readonly decision: Decision;
  /** Set when its effect was performed; decisions without an effect are done at once. */
  readonly isDone: boolean;
}

/** What one event did to one model. */
export interface JournalEntry {
  /** Hash of the event's source and id, and of the model that decided. */
  readonly key: string;
  readonly model: ModelName | null;
  readonly event: ContinuoEvent;
  readonly receivedAtMs: number;
  readonly function: string;
  readonly decisions: readonly JournalDecision[];
  /** Whether a decision's effect is still to be performed. */
  readonly isPending: boolean;
  /** Version of the model's state that was decided on, and the chain of state changes; null when nothing changed. */
  readonly stateVersion: number;
  readonly chain: {
    readonly sequence: number;
    readonly previous: string;
    readonly hash: string;
  } | null;
}

/** A timer document. */
export interface Timer {
  readonly model: ModelName;
  readonly kind: TimerKind;
  readonly dueAtMs: number;
}

/** What a decision transaction writes. */
export interface Commit {
  readonly entry: JournalEntry;
  /** The next state; null forgets the model, undefined leaves the state as it is. */
  readonly state?: ModelState | null;
  readonly timers: readonly (
    Timer | { readonly model: ModelName; readonly kind: TimerKind; readonly dueAtMs: null }
  )[];
  readonly runs: readonly RunRecord[];
  readonly rollouts: readonly RolloutRecord[];
}

/** Alerts that the coalescing gate suppressed: what one instance counted in one window. */
export interface AlertCount {
  /** Names the instance and the window, so that a later count of the same window replaces an earlier one. */
  readonly id: string;
  readonly model: ModelName | null;
  /** The run that answers them; null when none does, or none is known yet. */
  readonly run: RunId | null;
  readonly kind: Extract<TriggerKind, "drift" | "skew" | "decay">;
  readonly severity: "warning" | "critical";
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** The first few distinct ones. */
  readonly reasons: readonly string[];
}

/** A share of the open work: an equal, contiguous range of its slots. One worker scans one partition. */
export interface Partition {
  /** From 0 on. */
  readonly index: number;
  readonly count: number;
}

/** How to find the models that an event concerns. */
export type ModelQuery =
  | { readonly by: "dataset"; readonly keys: readonly string[] }
  | { readonly by: "deployed-model"; readonly id: DeployedModelId }
  | { readonly by: "endpoint"; readonly endpoint: string }
  | { readonly by: "all" };

/** A message that no function could read, or that failed too often. */
export interface DeadLetter {
  readonly id: string;
  readonly function: string;
  readonly topic: string;
  readonly reason: string;
  readonly receivedAtMs: number;
  /** The message as it came, base64, cut at 64 kB; `digest` covers the whole. */
  readonly data: string;
  readonly digest: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly redrivenAtMs: number | null;
}

/** The state store. Every method throws UnavailableError when the store can't be reached. */
export interface State {
  /**
   * Runs one decision in one transaction: reads the model's state (undefined when there is none), calls `decide`,
   * writes what it returns. `decide` may run more than once and must be pure; when it returns null nothing is
   * written. Returns the commit, or the existing entry when the journal already holds `key`.
   * Throws ConflictError when contention outlasted the retries.
   */
  readonly transact: (
    key: string,
    model: ModelName,
    decide: (state: ModelState | undefined) => Commit | null,
  ) => Promise<
    | { readonly outcome: "committed"; readonly commit: Commit }
    | { readonly outcome: "duplicate"; readonly entry: JournalEntry }
    | { readonly outcome: "nothing" }
  >;
  /** Journals an event that concerns no model; a duplicate is left as it is. */
  readonly record: (entry: JournalEntry) => Promise<void>;
  /** Marks every decision of an entry as done: one write. */
  readonly markDone: (key: string) => Promise<void>;
  readonly entry: (key: string) => Promise<JournalEntry | null>;
  /** A partition's entries with effects still to perform, received before a time, oldest first. */
  readonly pendingEntries: (query: {
    readonly partition: Partition;
    readonly beforeMs: number;
    readonly limit: number;
  }) => Promise<readonly JournalEntry[]>;
  /** The newest entries first, optionally of one model, or of one chain of events, or after a time and up to one. */
  readonly timeline: (query: {
    readonly model?: ModelName;
    readonly correlationId?: string;
    readonly afterMs?: number;
    readonly untilMs?: number;
    readonly limit: number;
  }) => Promise<readonly JournalEntry[]>;
  /** A model's entries that changed its state, by their place in its chain. */
  readonly chain: (query: {
    readonly model: ModelName;
    readonly afterSequence: number;
    readonly limit: number;
  }) => Promise<readonly JournalEntry[]>;
  /** The next models by name whose heads have changed since they were last anchored. */
  readonly unanchored: (query: {
    readonly after: ModelName | null;
    readonly limit: number;
  }) => Promise<readonly Head[]>;
  /** Notes that a head is anchored: one write, unless the model has changed since. */
  readonly markAnchored: (head: Head) => Promise<void>;
  readonly model: (model: ModelName) => Promise<ModelState | null>;
  readonly models: (query: ModelQuery) => Promise<readonly ModelState[]>;
  /** The next models by name: all of them, or those of a partition that have something open. */
  readonly modelPage: (query: {
    /** Absent for every model; else those with a live run, a rollout, a cleaning to do or a trigger that waits. */
    readonly openIn?: Partition;
    readonly after: ModelName | null;
    readonly limit: number;
  }) => Promise<readonly ModelState[]>;
  /** A partition's timers that are due, the one due longest first. */
  readonly dueTimers: (query: {
    readonly partition: Partition;
    readonly nowMs: number;
    readonly limit: number;
  }) => Promise<readonly Timer[]>;
  readonly run: (run: RunId) => Promise<RunRecord | null>;
  /** Ended runs, newest first. */
  readonly runs: (query: {
    readonly model?: ModelName;
    readonly limit: number;
  }) => Promise<readonly RunRecord[]>;
  readonly rollout: (rollout: RolloutId) => Promise<RolloutRecord | null>;
  /** Ended rollouts, newest first. */
  readonly rollouts: (query: {
    readonly model?: ModelName;
    readonly limit: number;
  }) => Promise<readonly RolloutRecord[]>;
  /** Stores what an instance counted so far in one window: one write of a document of its own. */
  readonly countAlerts: (count: AlertCount) => Promise<void>;
  /** The counts of the alerts that a run answers. */
  readonly alertCounts: (run: RunId) => Promise<readonly AlertCount[]>;
  readonly addDeadLetter: (letter: DeadLetter) => Promise<void>;
  readonly deadLetters: (limit: number) => Promise<readonly DeadLetter[]>;
  readonly deadLetter: (id: string) => Promise<DeadLetter | null>;
  readonly markRedriven: (id: string, atMs: number) => Promise<void>;
}
