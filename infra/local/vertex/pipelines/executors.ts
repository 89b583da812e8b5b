/** Runs the component of a task that is no DAG: a container, with cache and retries, or an importer. */
import type { CloudContext } from "../../cloud.js";
import { RpcError } from "../../protocol/service.js";
import type { Containers } from "../containers.js";
import { cacheKey, recall, remember } from "./cache.js";
import { runContainerTask, TaskError } from "./container-task.js";
import {
  placeholdersOf,
  resolveConstant,
  type RuntimeArtifact,
  type TaskValues,
} from "./placeholders.js";
import { pause, type Slots } from "./slots.js";
import type { Component, ContainerExecutor, ImporterExecutor, Task } from "./spec.js";
import type { PipelineStore, StoredJob, StoredTask } from "./store.js";
import type { TaskRecords } from "./task-records.js";
import { ValueError } from "./values.js";

/** What tasks are run with. */
export interface TaskTools {
  readonly context: CloudContext;
  readonly containers: Containers;
  readonly store: PipelineStore;
  readonly slots: Slots;
  readonly taskTimeoutMs: number;
}

/** One task to run. */
export interface TaskRun {
  readonly tools: TaskTools;
  readonly job: StoredJob;
  readonly records: TaskRecords;
  readonly task: Task;
  readonly component: Component;
  readonly inputs: TaskValues;
  readonly signal: AbortSignal;
}

/** A task that ended well: its record in its last state before the end, and what it gives. */
export interface TaskEnd {
  readonly record: StoredTask;
  readonly state: "SUCCEEDED" | "SKIPPED";
  readonly outputs: TaskValues;
}

const backoffMsMax = 3_600_000;

const secondsToMs = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Number(text.slice(0, -1)) * 1000;

/** How long to wait before the next attempt. */
const retryDelayMs = (task: Task, failedAttempts: number): number => {
  const policy = task.retryPolicy ?? {};
  const first = secondsToMs(policy.backoffDuration, 0);
  const limit = Math.min(secondsToMs(policy.backoffMaxDuration, backoffMsMax), backoffMsMax);
  return Math.min(first * (policy.backoffFactor ?? 2) ** (failedAttempts - 1), limit);
};

const attempts = async (
  run: TaskRun,
  container: ContainerExecutor,
  begun: StoredTask,
): Promise<TaskEnd> => {
  const { tools, job, records, task, component, inputs, signal } = run;
  let record = begun;
  for (;;) {
    const release = await tools.slots.acquire(signal);
    try {
      record = records.enter(record, "RUNNING");
      const outputs = await runContainerTask({
        context: tools.context,
        containers: tools.containers,
        job,
        task: record,
        component,
        container,
        inputs,
        timeoutMs: tools.taskTimeoutMs,
        signal,
      });
      return { record, state: "SUCCEEDED", outputs };
    } catch (error) {
      if (!(error instanceof TaskError)) throw error;
      record = records.change(record, { failedAttempts: record.failedAttempts + 1 });
      if (record.failedAttempts > (task.retryPolicy?.maxRetryCount ?? 0)) throw error;
      record = records.enter(record, "PENDING", { code: error.code, message: error.message });
    } finally {
      release();
    }
    await pause(retryDelayMs(task, record.failedAttempts), signal);
  }
};

/** Runs a container task, or takes the result of an earlier one. */
export const runContainerExecutor = async (
  run: TaskRun,
  container: ContainerExecutor,
  begun: StoredTask,
): Promise<TaskEnd> => {
  const { tools, job, records, task, component, inputs } = run;
  const record = records.change(begun, {
    image: container.image,
    ...(container.resources === undefined ? {} : { resources: container.resources }),
  });
  if (task.cachingOptions?.enableCache !== true) return attempts(run, container, record);
  const key = await cacheKey(tools.context, component, container, inputs);
  const cached = await recall(tools.context, tools.store, key);
  if (cached !== undefined) return { record, state: "SKIPPED", outputs: cached.outputs };
  const end = await attempts(run, container, record);
  await remember(tools.context, tools.store, key, {
    outputs: end.outputs,
    job: job.name,
    taskId: record.id,
  });
  return end;
};

const resolveDeep = (value: unknown, parameters: TaskValues["parameters"]): unknown => {
  if (typeof value === "string") {
    const [only] = placeholdersOf(value);
    // A value that is nothing but one placeholder keeps the parameter's type.
    if (only?.kind === "input-parameter" && /^\{\{\$[^}]*\}\}$/.test(value)) {
      return parameters[only.name];
    }
    return resolveConstant(value, parameters);
  }
  if (Array.isArray(value)) return value.map((item) => resolveDeep(item, parameters));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      resolveConstant(key, parameters),
      resolveDeep(item, parameters),
    ]),
  );
};

/** Makes an artifact of something that exists already. */
export const runImporter = (
  run: TaskRun,
  importer: ImporterExecutor,
  record: StoredTask,
): TaskEnd => {
  const { component, inputs, records } = run;
  const running = records.enter(record, "RUNNING");
  const { runtimeParameter, constant } = importer.artifactUri;
  const uri =
    runtimeParameter === undefined
      ? resolveDeep(constant, inputs.parameters)
      : inputs.parameters[runtimeParameter];
  if (typeof uri !== "string" || uri === "") {
    throw new ValueError(
      `the importer's artifact uri must be a text and is ${JSON.stringify(uri)}`,
    );
  }
  const [name, definition] = Object.entries(component.outputDefinitions?.artifacts ?? {})[0] ?? [];
  if (name === undefined)
    throw new RpcError("INVALID_ARGUMENT", "The importer declares no output.");
  const { schemaTitle, schemaVersion } = importer.typeSchema ?? definition?.artifactType ?? {};
  const metadata = resolveDeep(importer.metadata ?? {}, inputs.parameters);
  const artifact: RuntimeArtifact = {
    name,
    uri,
    type: {
      ...(schemaTitle === undefined ? {} : { schemaTitle }),
      ...(schemaVersion === undefined ? {} : { schemaVersion }),
    },
    metadata: Object.fromEntries(Object.entries(metadata ?? {})),
  };
  return {
    record: running,
    state: "SUCCEEDED",
    outputs: { parameters: {}, artifacts: { [name]: [artifact] } },
  };
};
