/** Writes down how the tasks of one job get on. */
import { createHash } from "node:crypto";
import type { RpcStatus } from "../messages.js";
import type { PipelineStore, StoredTask, TaskState } from "./store.js";

/** What can be told about a task when it is first seen. */
interface NewTask {
  readonly path: string;
  readonly name: string;
  readonly parentId?: string;
  readonly kind: StoredTask["kind"];
}

/** The records of one job's tasks. */
export interface TaskRecords {
  readonly find: (path: string) => StoredTask | undefined;
  /** Creates the record in state PENDING, or returns what an interrupted run left. */
  readonly begin: (task: NewTask) => StoredTask;
  readonly change: (
    task: StoredTask,
    change: Partial<
      Pick<StoredTask, "inputs" | "outputs" | "resources" | "image" | "failedAttempts">
    >,
  ) => StoredTask;
  /** Moves the task to a state, with the reason when it did not go well. */
  readonly enter: (task: StoredTask, state: TaskState, error?: RpcStatus) => StoredTask;
  /** Ends the task. */
  readonly finish: (
    task: StoredTask,
    state: TaskState,
    result?: { readonly error?: RpcStatus; readonly outputs?: StoredTask["outputs"] },
  ) => StoredTask;
}

/** A positive int64 that is the same each time for the same words. */
export const idOf = (...words: readonly string[]): string => {
  const digest = createHash("sha256").update(words.join("\0")).digest();
  return String((digest.readBigUInt64BE(0) >> 2n) | (1n << 60n));
};

const nothing = { parameters: {}, artifacts: {} };

/** Opens the records of a job. */
export const taskRecords = (
  store: PipelineStore,
  job: { readonly id: string; readonly uuid: string },
  now: () => number,
): TaskRecords => {
  let sequence = store.tasks(job.id).length;
  const put = (task: StoredTask): StoredTask => {
    store.putTask(job.id, task);
    return task;
  };
  const withState = (task: StoredTask, state: TaskState, error?: RpcStatus): StoredTask => ({
    ...task,
    state,
    statuses: [...task.statuses, { state, atMs: now(), ...(error === undefined ? {} : { error }) }],
  });
  return {
    find: (path) => store.task(job.id, path),
    begin: ({ path, name, parentId, kind }) => {
      const known = store.task(job.id, path);
      if (known !== undefined) return known;
      const created: StoredTask = {
        path,
        id: idOf(job.uuid, path),
        name,
        ...(parentId === undefined ? {} : { parentId }),
        sequence,
        kind,
        state: "PENDING",
        createMs: now(),
        statuses: [],
        failedAttempts: 0,
        inputs: nothing,
        outputs: nothing,
      };
      sequence += 1;
      return put(withState(created, "PENDING"));
    },
    change: (task, change) => put({ ...task, ...change }),
    enter: (task, state, error) => {
      const entered = withState(task, state, error);
      return put(
        state === "RUNNING" && task.startMs === undefined
          ? { ...entered, startMs: now() }
          : entered,
      );
    },
    finish: (task, state, result = {}) => {
      const { error, outputs } = result;
      return put({
        ...withState(task, state, error),
        endMs: now(),
        ...(error === undefined ? {} : { error }),
        ...(outputs === undefined ? {} : { outputs }),
      });
    },
  };
};
