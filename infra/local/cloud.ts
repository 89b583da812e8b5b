/** What the services of the local cloud need of each other and of the machine. */
import type Database from "libsql";
import type { HttpRoute, ServiceImplementation } from "./protocol/service.js";

/** Settings, read once by main.ts from flags and environment; every duration in milliseconds. */
export interface CloudSettings {
  /** Project id and number; names accept either, replies use what the real service uses. */
  readonly projectId: string;
  readonly projectNumber: string;
  readonly region: string;
  /** Folder that holds every durable thing: `cloud.db`, `objects/`, `keys/`. */
  readonly folder: string;
  /** How long a model deployment takes after its container became healthy. */
  readonly deployDelayMs: number;
  /** Submissions of jobs and operations that Vertex AI takes in any minute; no limit when absent. */
  readonly submissionsPerMinuteMax?: number;
  /** Accelerators that training may use at once, by type (NVIDIA_TESLA_T4); a type without an entry has no limit. */
  readonly acceleratorsMax?: Readonly<Record<string, number>>;
  /** How long a finished long-running operation can be read; 30 days when absent. */
  readonly operationLifeMs?: number;
  /** Time from a metric point's end to its visibility through Monitoring. */
  readonly metricDelayMs: number;
  /** Width of one metric sample (60,000 on Google Cloud). */
  readonly metricPeriodMs: number;
  /** What an acknowledgement survives: the death of the process (unless said), or also the loss of power. */
  readonly durable?: "process" | "power";
  /** Path of a JSON file mapping container image names to local commands (see containers.ts). */
  readonly imagesFile: string;
}

/** A Pub/Sub message as another service publishes it. */
export interface OutgoingMessage {
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
}

/** A Cloud Logging entry in its JSON form (LogEntry of logging v2), as the services write it. */
export type LogEntryJson = Readonly<Record<string, unknown>> & {
  readonly logName: string;
  readonly insertId: string;
  readonly timestamp: string;
};

/** One sample of a metric, https://cloud.google.com/monitoring/api/ref_v3/rest/v3/TimeSeries */
export interface MetricPoint {
  readonly metricType: string;
  readonly metricLabels: Readonly<Record<string, string>>;
  readonly resourceType: string;
  readonly resourceLabels: Readonly<Record<string, string>>;
  readonly metricKind: "GAUGE" | "DELTA" | "CUMULATIVE";
  readonly startMs: number;
  readonly endMs: number;
  readonly value:
    | { readonly int64: number }
    | { readonly double: number }
    | {
        readonly distribution: {
          readonly count: number;
          readonly mean: number;
          readonly sumOfSquaredDeviation: number;
          /** Finite upper bounds; bucketCounts has one more element than bounds. */
          readonly bounds: readonly number[];
          readonly bucketCounts: readonly number[];
        };
      };
}

/** The services' in-process faces; each is given by the service that owns it. */
export interface CloudServices {
  readonly pubsub: {
    /** Publishes durably to `projects/P/topics/T`; throws RpcError NOT_FOUND for an unknown topic. */
    publish(topic: string, messages: readonly OutgoingMessage[]): Promise<readonly string[]>;
  };
  readonly storage: {
    /** Reads an object; throws RpcError NOT_FOUND. */
    read(bucket: string, name: string): Promise<Buffer>;
    /** Opens an object of any size; throws RpcError NOT_FOUND. */
    open(bucket: string, name: string): Promise<AsyncIterable<Buffer>>;
    /** Creates or overwrites an object and sends its notifications. */
    write(
      bucket: string,
      name: string,
      body: Buffer | AsyncIterable<Buffer>,
      contentType?: string,
    ): Promise<void>;
    /** Names under a prefix, sorted. */
    list(bucket: string, prefix: string): Promise<readonly string[]>;
  };
  readonly logging: {
    /** Stores entries and feeds the sinks whose filter they match. */
    write(entries: readonly LogEntryJson[]): Promise<void>;
  };
  readonly monitoring: {
    /** Stores samples; they become visible `metricDelayMs` after their end. */
    write(points: readonly MetricPoint[]): void;
  };
}

/** What every service is made with. */
export interface CloudContext {
  readonly settings: CloudSettings;
  /**
   * The one database, WAL mode, synchronous=NORMAL: a commit survives the death of this process. Each service
   * creates its own tables, prefixed with its name, when it is made.
   */
  readonly db: Database.Database;
  /** The time in milliseconds; every service takes its time from here. */
  readonly now: () => number;
  /** The other services; look them up at call time, never while being made. */
  readonly services: CloudServices;
  /** The address everything is served at, for example `http://127.0.0.1:8790`; known once listening. */
  readonly address: () => string;
  /** One line about what happened, for the cloud's own log. */
  readonly log: (line: string) => void;
}

/** One product of the local cloud. */
export interface CloudProduct {
  readonly services: readonly ServiceImplementation[];
  readonly routes?: readonly HttpRoute[];
  /** Called once after listening: resume what a crash interrupted, start timers. */
  readonly start?: () => Promise<void> | void;
  /** Called once before exit: end children, stop timers. */
  readonly stop?: () => Promise<void> | void;
}
