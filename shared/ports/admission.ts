/** Who may submit to Vertex AI, and when: its quota of submissions is shared by a whole region. */
import type { ContinuoEvent } from "../../events/index.js";
import type { ModelName, RunId } from "../../events/ids.js";

/** A run that waits for its PipelineJob to be submitted. */
export interface WaitingSubmission {
  readonly run: RunId;
  readonly model: ModelName;
  /** The accelerator type whose jobs are limited in number; null when its jobs compete for submissions only. */
  readonly accelerator: string | null;
  readonly enqueuedAtMs: number;
  /** What is handled once it is admitted. */
  readonly event: ContinuoEvent;
}

/** What is known of a region's submissions: one document. */
export interface AdmissionLedger {
  /** Submissions of the last minute. */
  readonly admitted: readonly { readonly atMs: number; readonly count: number }[];
  /** The quota was used up: nothing is submitted before this time. */
  readonly closedUntilMs: number;
  /** Runs whose jobs may use an accelerator with a limit, by its type. */
  readonly holders: Readonly<
    Record<string, readonly { readonly model: ModelName; readonly run: RunId }[]>
  >;
}

/** The queue of submissions and the ledger that they are admitted by. */
export interface Admission {
  /** Puts a submission into the queue; one for the same event is left as it is. */
  readonly enqueue: (waiting: WaitingSubmission) => Promise<void>;
  /** The submissions that have waited longest, of one accelerator or of those without a limited one. */
  readonly waiting: (query: {
    readonly accelerator: string | null;
    readonly limit: number;
  }) => Promise<readonly WaitingSubmission[]>;
  /** Takes out what waits for this event; another request of the same run stays. */
  readonly remove: (event: ContinuoEvent) => Promise<void>;
  /** How many wait. */
  readonly length: () => Promise<number>;
  /** A run's place among those it competes with, from 1 on; null when it does not wait. */
  readonly place: (run: RunId) => Promise<number | null>;
  readonly ledger: () => Promise<AdmissionLedger>;
  /** Changes the ledger in a transaction; a null change writes nothing. Throws ConflictError under contention. */
  readonly change: (change: (ledger: AdmissionLedger) => AdmissionLedger | null) => Promise<void>;
}
