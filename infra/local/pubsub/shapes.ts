/** Pub/Sub's messages as handlers see them. */

/** google.protobuf.Duration. */
export interface Duration {
  readonly seconds?: string | number;
  readonly nanos?: number;
}

/** google.pubsub.v1.SchemaSettings. */
export interface SchemaSettings {
  readonly schema?: string;
  readonly encoding?: "JSON" | "BINARY";
  readonly firstRevisionId?: string;
  readonly lastRevisionId?: string;
}

/** google.pubsub.v1.Schema: one revision. */
export interface Schema {
  readonly name: string;
  readonly type?: string;
  readonly definition?: string;
  readonly revisionId?: string;
  readonly revisionCreateTime?: Duration;
}

/** google.pubsub.v1.Topic. */
export interface Topic {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly messageRetentionDuration?: Duration;
  readonly schemaSettings?: SchemaSettings;
  readonly ingestionDataSourceSettings?: object;
  readonly messageTransforms?: readonly object[];
}

/** google.pubsub.v1.PushConfig. */
export interface PushConfig {
  readonly pushEndpoint?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly oidcToken?: { readonly serviceAccountEmail?: string; readonly audience?: string };
  readonly pubsubWrapper?: object;
  readonly noWrapper?: { readonly writeMetadata?: boolean };
}

/** google.pubsub.v1.Subscription. */
export interface Subscription {
  readonly name: string;
  readonly topic: string;
  readonly pushConfig?: PushConfig;
  readonly ackDeadlineSeconds?: number;
  readonly retainAckedMessages?: boolean;
  readonly messageRetentionDuration?: Duration;
  readonly labels?: Readonly<Record<string, string>>;
  readonly enableMessageOrdering?: boolean;
  readonly expirationPolicy?: { readonly ttl?: Duration };
  readonly filter?: string;
  readonly deadLetterPolicy?: {
    readonly deadLetterTopic?: string;
    readonly maxDeliveryAttempts?: number;
  };
  readonly retryPolicy?: { readonly minimumBackoff?: Duration; readonly maximumBackoff?: Duration };
  readonly detached?: boolean;
  readonly enableExactlyOnceDelivery?: boolean;
  readonly state?: string;
  readonly bigqueryConfig?: object;
  readonly cloudStorageConfig?: object;
  readonly bigtableConfig?: object;
  readonly messageTransforms?: readonly object[];
}

/** google.pubsub.v1.Snapshot. */
export interface Snapshot {
  readonly name: string;
  readonly topic: string;
  readonly expireTime: Duration;
  readonly labels?: Readonly<Record<string, string>>;
}

/** google.pubsub.v1.PubsubMessage. */
export interface PubsubMessage {
  readonly data?: Buffer;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly messageId?: string;
  readonly publishTime?: Duration;
  readonly orderingKey?: string;
}

/** google.pubsub.v1.ReceivedMessage. */
export interface ReceivedMessage {
  readonly ackId: string;
  readonly message: PubsubMessage;
  readonly deliveryAttempt?: number;
}

/** A duration in milliseconds. */
export const durationMs = (duration: Duration): number =>
  Number(duration.seconds ?? 0) * 1000 + Math.round((duration.nanos ?? 0) / 1e6);

/** A point in time in milliseconds. */
export const timestampMs = (time: Duration): number =>
  Number(time.seconds ?? 0) * 1000 + (time.nanos ?? 0) / 1e6;

/** A point in time from milliseconds. */
export const timestampOf = (ms: number): { readonly seconds: string; readonly nanos: number } => ({
  seconds: String(Math.floor(ms / 1000)),
  nanos: (((ms % 1000) + 1000) % 1000) * 1e6,
});
