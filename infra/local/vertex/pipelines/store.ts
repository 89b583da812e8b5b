/** What is remembered of pipeline jobs and their tasks. */
import type { CloudContext } from "../../cloud.js";
import { documentTable } from "../documents.js";
import type { Labels, RpcStatus } from "../messages.js";
import type { TaskValues } from "./placeholders.js";
import type { PipelineSpec } from "./spec.js";

/** PipelineState without its prefix. */
export type JobState = "PENDING" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELLING" | "CANCELLED";

/** PipelineTaskDetail.State. */
export type TaskState =
  | "PENDING"
  | "RUNNING"
  | "SUCCEEDED"
  | "CANCELLING"
  | "CANCELLED"
  | "FAILED"
  | "SKIPPED"
  | "NOT_TRIGGERED";

/** A pipeline job without its specification; times in milliseconds. */
export interface JobRecord {
  readonly id: string;
  readonly name: string;
  readonly uuid: string;
  readonly displayName: string;
  readonly labels: Labels;
  readonly pipelineName: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly pipelineRoot: string;
  readonly failurePolicy?: string;
  readonly serviceAccount?: string;
  readonly network?: string;
  readonly templateUri?: string;
  readonly templateVersion?: string;
  readonly state: JobState;
  readonly createMs: number;
  readonly startMs?: number;
  readonly endMs?: number;
  readonly updateMs: number;
  readonly error?: RpcStatus;
  /** States whose log entry is not known to be written yet, oldest first. */
  readonly unlogged: readonly { readonly state: JobState; readonly atMs: number }[];
}

/** A pipeline job. Its specification is large, never changes, and is therefore kept apart. */
export interface StoredJob extends JobRecord {
  readonly spec: PipelineSpec;
}

/** A task of a job as it is stored. */
export interface StoredTask {
  /** The names from the root to the task, joined by dots; an iteration's part is `#` and its number. */
  readonly path: string;
  readonly id: string;
  readonly name: string;
  readonly parentId?: string;
  /** Orders the tasks as they were created. */
  readonly sequence: number;
  readonly kind: "dag" | "container" | "importer" | "unknown";
  readonly state: TaskState;
  readonly createMs: number;
  readonly startMs?: number;
  readonly endMs?: number;
  readonly error?: RpcStatus;
  readonly statuses: readonly {
    readonly state: TaskState;
    readonly atMs: number;
    readonly error?: RpcStatus;
  }[];
  readonly failedAttempts: number;
  readonly inputs: TaskValues;
  readonly outputs: TaskValues;
  /** Machine and accelerators that the executor asked for. */
  readonly resources?: Readonly<Record<string, unknown>>;
  readonly image?: string;
  readonly imageDigest?: string;
}

/** The result of a task, kept for later tasks with the same component and inputs. */
export interface CachedResult {
  readonly outputs: TaskValues;
  readonly job: string;
  readonly taskId: string;
  /** Digest of each output artifact's objects by its uri. */
  readonly digests: Readonly<Record<string, string>>;
}

/** The durable memory of the pipeline service. */
export interface PipelineStore {
  readonly job: (id: string) => StoredJob | undefined;
  /** A job without its specification. */
  readonly record: (id: string) => JobRecord | undefined;
  readonly createJob: (job: StoredJob) => void;
  readonly putRecord: (record: JobRecord) => void;
  readonly records: () => readonly JobRecord[];
  readonly removeJob: (id: string) => void;
  readonly task: (jobId: string, path: string) => StoredTask | undefined;
  readonly putTask: (jobId: string, task: StoredTask) => void;
  /** The tasks of a job in the order in which they were created. */
  readonly tasks: (jobId: string) => readonly StoredTask[];
  readonly cached: (key: string) => CachedResult | undefined;
  readonly putCached: (key: string, result: CachedResult) => void;
  readonly removeCached: (key: string) => void;
}

const finalStates: readonly (JobState | TaskState)[] = [
  "SUCCEEDED",
  "FAILED",
  "CANCELLED",
  "SKIPPED",
  "NOT_TRIGGERED",
];

/** Whether a job or task in this state has ended. */
export const isFinal = (state: JobState | TaskState): boolean => finalStates.includes(state);

/** Opens the tables of the pipeline service. */
export const pipelineStore = (context: CloudContext): PipelineStore => {
  const records = documentTable<JobRecord>(context.db, "vertex_pipeline_jobs");
  const specs = documentTable<PipelineSpec>(context.db, "vertex_pipeline_specs");
  const tasks = documentTable<StoredTask>(context.db, "vertex_pipeline_tasks");
  const cache = documentTable<CachedResult>(context.db, "vertex_pipeline_cache");
  const deleteTasks = context.db.prepare(
    "DELETE FROM vertex_pipeline_tasks WHERE key >= ? AND key < ?",
  );
  return {
    job: (id) => {
      const record = records.get(id);
      const spec = specs.get(id);
      return record === undefined || spec === undefined ? undefined : { ...record, spec };
    },
    record: records.get,
    createJob: context.db.transaction(({ spec, ...record }: StoredJob) => {
      specs.put(record.id, spec);
      records.put(record.id, record);
    }),
    putRecord: (record) => records.put(record.id, record),
    records: () => records.list("").map(({ document }) => document),
    removeJob: (id) => {
      records.remove(id);
      specs.remove(id);
      deleteTasks.run(`${id}/`, `${id}/\u{10ffff}`);
    },
    task: (jobId, path) => tasks.get(`${jobId}/${path}`),
    putTask: (jobId, task) => tasks.put(`${jobId}/${task.path}`, task),
    tasks: (jobId) =>
      tasks
        .list(`${jobId}/`)
        .map(({ document }) => document)
        .toSorted((left, right) => left.sequence - right.sequence),
    cached: cache.get,
    putCached: cache.put,
    removeCached: cache.remove,
  };
};
