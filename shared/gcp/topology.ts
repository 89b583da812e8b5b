/** The shape of what is provisioned; functions/manifest.ts exports exactly this. */

/** What provisioning reads of one function. */
export interface FunctionTopology {
  readonly name: string;
  readonly trigger: { readonly topic: string } | { readonly route: string };
  readonly timeoutSeconds: number;
  readonly retry: {
    readonly minBackoffSeconds: number;
    readonly maxBackoffSeconds: number;
    readonly deliveryAttemptsMax: number;
  };
}

/** A Cloud Logging sink that feeds a topic. */
export interface SinkTopology {
  readonly name: string;
  readonly topic: string;
  readonly filter: string;
}

/** A Cloud Scheduler job of the system itself. */
export interface SystemScheduleTopology {
  readonly name: string;
  readonly cron: string;
  readonly topic: string;
}

/** Everything that provisioning makes. */
export interface Topology {
  readonly functions: readonly FunctionTopology[];
  readonly sinks: readonly SinkTopology[];
  readonly systemSchedules: readonly SystemScheduleTopology[];
  readonly topicNames: readonly string[];
}

/** A file that must lie in the bucket. */
export interface ProvisionedFile {
  /** Its name in the bucket, for example continuo/pipelines/train.json. */
  readonly name: string;
  readonly body: Buffer;
  readonly contentType: string;
}

/** Where subscriptions push to, and as whom. */
export interface ProvisionOptions {
  /** Address under which each function is served by its name, for example https://x.run.app. */
  readonly pushBaseUrl: string;
  /** E-mail address in the pushes' OIDC tokens. */
  readonly pushIdentity: string;
  /** Time zone of the system's schedules; UTC unless said. */
  readonly scheduleTimeZone?: string;
  /** Files that must lie in the bucket, for example the pipeline template. */
  readonly files?: readonly ProvisionedFile[];
  /** Announce new objects under this prefix of the bucket to a topic, for example datasets/ to dataset. */
  readonly notification?: { readonly prefix: string; readonly topic: string };
}

/** What was made, changed and removed, one line each; empty when everything already was as it must be. */
export type Changes = readonly string[];

/** The topic that takes what could not be handled. */
export const deadLetterTopic = "dead-letter";

/** The mark by which we know what is ours to change and remove. */
export const ownerLabel = { "managed-by": "continuo" } as const;
