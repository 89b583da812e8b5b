/** What the endpoints measured. */
import type { DeployedModelId } from "../../events/ids.js";
import type { MetricCounts } from "../domain/segment.js";

/** A stretch of time of one endpoint. */
export interface MetricQuery {
  readonly endpoint: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** A metric of the user's own to read for the same span: its label for the deployed model, and the models wanted. */
  readonly business?: {
    readonly metric: string;
    readonly label: string;
    readonly of: readonly DeployedModelId[];
  };
}

/** What was found: null when there is no point of a request; an error when it could not be read. */
export type MetricAnswer = { readonly counts: MetricCounts | null } | { readonly error: Error };

/** Counts per deployed model in the windows that lie within a span of time. */
export interface Metrics {
  /**
   * Sums each endpoint's request, error and latency series over windows that start at or after `sinceMs` and end
   * at or before `untilMs`. A deployed model without points is absent. Latency buckets of all arms are brought to one
   * list of bounds (milliseconds). One answer for each query, in their order: what cannot be read of one says nothing
   * about the others. Many queries at once take few calls.
   */
  readonly counts: (queries: readonly MetricQuery[]) => Promise<readonly MetricAnswer[]>;
}
