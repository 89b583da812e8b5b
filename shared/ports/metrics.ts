/** What the endpoints measured. */
import type { DeployedModelId } from "../../events/ids.js";
import type { ArmCounts } from "../domain/state.js";

/** Counts per deployed model in the windows that lie within a span of time. */
export interface Metrics {
  /**
   * Sums the endpoint's request, error and latency series over windows that start at or after `sinceMs` and end
   * at or before `untilMs`. A deployed model without points is absent; null when there is no point at all.
   * Latency buckets of all arms are brought to one list of bounds (milliseconds).
   */
  readonly counts: (query: {
    readonly endpoint: string;
    readonly sinceMs: number;
    readonly untilMs: number;
  }) => Promise<{
    readonly endMs: number;
    readonly bounds: readonly number[];
    readonly arms: Readonly<Record<DeployedModelId, ArmCounts>>;
    /** The latency counts of each window, oldest first, by deployed model. */
    readonly windows: readonly Readonly<Record<DeployedModelId, readonly number[]>>[];
  } | null>;
}
