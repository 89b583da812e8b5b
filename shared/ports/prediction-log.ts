/** Logged requests and predictions. */
import type { DeployedModelId } from "../../events/ids.js";

/** One logged prediction: one instance of one request. */
export interface LoggedPrediction {
  readonly timeMs: number;
  readonly deployedModelId: DeployedModelId;
  readonly instance: Readonly<Record<string, unknown>>;
  readonly prediction: unknown;
  /** How much each feature moved this prediction, where somebody asked for it. */
  readonly attributions?: Readonly<Record<string, number>>;
  /** The request that it came in, where the log says. */
  readonly requestId?: string;
}

/** Reads what an endpoint logged; BigQuery on Google Cloud, JSON lines in the bucket locally. */
export interface PredictionLog {
  /**
   * The predictions of a folder or table logged in a span of time, oldest first: of more than `rowsMax` the newest, or
   * the first ones where `isFirst` says so.
   */
  readonly read: (query: {
    readonly location: string;
    readonly endpoint: string;
    /** Whose predictions; those of every deployed model when absent. */
    readonly deployedModelId?: DeployedModelId;
    readonly isFirst?: boolean;
    readonly sinceMs: number;
    readonly untilMs: number;
    readonly rowsMax: number;
  }) => Promise<readonly LoggedPrediction[]>;
}
