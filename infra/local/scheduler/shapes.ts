/** Cloud Scheduler's messages as handlers see them. */

/** google.protobuf.Duration. */
export interface Duration {
  readonly seconds?: string | number;
  readonly nanos?: number;
}

/** google.protobuf.Timestamp. */
export interface Timestamp {
  readonly seconds?: string;
  readonly nanos?: number;
}

/** Who a target is called as. */
export interface TokenSettings {
  readonly serviceAccountEmail?: string;
  readonly audience?: string;
  readonly scope?: string;
}

/** google.cloud.scheduler.v1.HttpTarget. */
export interface HttpTarget {
  readonly uri?: string;
  readonly httpMethod?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly oidcToken?: TokenSettings;
  readonly oauthToken?: TokenSettings;
}

/** google.cloud.scheduler.v1.PubsubTarget. */
export interface PubsubTarget {
  readonly topicName?: string;
  readonly data?: Buffer;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** google.cloud.scheduler.v1.RetryConfig. */
export interface RetryConfig {
  readonly retryCount?: number;
  readonly maxRetryDuration?: Duration;
  readonly minBackoffDuration?: Duration;
  readonly maxBackoffDuration?: Duration;
  readonly maxDoublings?: number;
}

/** google.cloud.scheduler.v1.Job. */
export interface Job {
  readonly name: string;
  readonly description?: string;
  readonly pubsubTarget?: PubsubTarget;
  readonly httpTarget?: HttpTarget;
  readonly appEngineHttpTarget?: object;
  readonly schedule?: string;
  readonly timeZone?: string;
  readonly userUpdateTime?: Timestamp;
  readonly state?: "ENABLED" | "PAUSED" | "DISABLED" | "UPDATE_FAILED";
  readonly status?: { readonly code?: number; readonly message?: string };
  readonly scheduleTime?: Timestamp;
  readonly lastAttemptTime?: Timestamp;
  readonly retryConfig?: RetryConfig;
  readonly attemptDeadline?: Duration;
}

/** A point in time from milliseconds. */
export const timestampOf = (ms: number): Timestamp => ({
  seconds: String(Math.floor(ms / 1000)),
  nanos: (ms % 1000) * 1e6,
});

/** A point in time in milliseconds. */
export const msOf = (time: Timestamp | undefined): number =>
  Number(time?.seconds ?? 0) * 1000 + Math.floor((time?.nanos ?? 0) / 1e6);

/** A duration in milliseconds, or the given one where absent. */
export const durationMs = (duration: Duration | undefined, absentMs: number): number =>
  duration === undefined
    ? absentMs
    : Number(duration.seconds ?? 0) * 1000 + Math.round((duration.nanos ?? 0) / 1e6);
