/** Where heads of the models' hash chains are kept so that nobody can change or remove them before their time. */
import type { ModelName } from "../../events/ids.js";

/** The end of a model's chain of state changes. */
export interface Head {
  readonly model: ModelName;
  readonly sequence: number;
  readonly hash: string;
}

/** A head, and when it was anchored by the clock of the place that keeps it. */
export interface Anchor extends Head {
  readonly anchoredAtMs: number;
}

/** The anchored heads. */
export interface Anchors {
  /** Anchors a head; one that is anchored already is left as it is, and costs no write. */
  readonly write: (head: Head) => Promise<void>;
  /** A model's anchored heads, in the order of their sequence. */
  readonly list: (model: ModelName) => Promise<readonly Anchor[]>;
}
