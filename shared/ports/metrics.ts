/** What the endpoints measured. */
import type { MetricCounts } from "../domain/segment.js";

/** Counts per deployed model in the windows that lie within a span of time. */
export interface Metrics {
  /**
   * Sums the endpoint's request, error and latency series over windows that start at or after `sinceMs` and end
   * at or before `untilMs`. A deployed model without points is absent; null when there is no point of a request.
   * Latency buckets of all arms are brought to one list of bounds (milliseconds).
   */
  readonly counts: (query: {
    readonly endpoint: string;
    readonly sinceMs: number;
    readonly untilMs: number;
    /** A metric of the user's own to read for the same span, and its label for the deployed model. */
    readonly business?: { readonly metric: string; readonly label: string };
  }) => Promise<MetricCounts | null>;
}
