/** Runs the DAG of a pipeline job; started again after a crash, it takes up where the records end. */
import { setMaxListeners } from "node:events";
import { statusCode } from "../../protocol/service.js";
import type { RpcStatus } from "../messages.js";
import { ConditionError, holds, parseCondition } from "./condition.js";
import { InterruptedError, TaskError } from "./container-task.js";
import { dagOutputs } from "./dag-outputs.js";
import { runContainerExecutor, runImporter, type TaskEnd, type TaskTools } from "./executors.js";
import { componentOf, executorOf, runsAfterFailure, upstreamOf } from "./graph.js";
import { completeInputs, resolveInputs } from "./inputs.js";
import type { TaskValues } from "./placeholders.js";
import { slotsOf } from "./slots.js";
import type { Component, Dag, Task } from "./spec.js";
import { isFinal, type StoredJob, type StoredTask } from "./store.js";
import { taskRecords } from "./task-records.js";
import { ValueError } from "./values.js";

/** How a job's DAG ended. */
export type RunEnd =
  | { readonly state: "SUCCEEDED" }
  | { readonly state: "FAILED"; readonly error: RpcStatus }
  | { readonly state: "CANCELLED" };

/** Why a run is being ended from outside. */
export interface RunSignals {
  /** The user cancelled the job: its tasks end as CANCELLED. */
  readonly cancelled: AbortSignal;
  /** The cloud stops: the records stay as they are, to be resumed. */
  readonly stopping: AbortSignal;
}

interface Scope {
  readonly path: string;
  readonly parentId?: string;
  readonly component: Component;
  readonly dag: Dag;
  readonly values: TaskValues;
}

const iterationsMax = 1_000;

const isDone = (task: StoredTask): boolean =>
  task.state === "SUCCEEDED" || task.state === "SKIPPED";

const statusOf = (error: unknown): RpcStatus => {
  if (error instanceof TaskError) return { code: error.code, message: error.message };
  if (error instanceof ValueError || error instanceof ConditionError) {
    return { code: statusCode.INVALID_ARGUMENT, message: error.message };
  }
  return {
    code: statusCode.INTERNAL,
    message: error instanceof Error ? error.message : String(error),
  };
};

const isLoop = (task: Task): boolean =>
  task.parameterIterator !== undefined || task.artifactIterator !== undefined;

const itemsOf = (task: Task, inputs: TaskValues): readonly unknown[] => {
  const { raw, inputParameter } = task.parameterIterator?.items ?? {};
  const value = raw ?? inputs.parameters[inputParameter ?? ""];
  const items: unknown = typeof value === "string" ? JSON.parse(value) : value;
  if (!Array.isArray(items)) throw new ValueError("the items of the loop are not a list");
  return items;
};

/** The inputs of each iteration of a loop. */
const iterationsOf = (task: Task, given: TaskValues): readonly TaskValues[] => {
  const { artifactIterator: artifacts, parameterIterator: parameters } = task;
  const iterations: readonly TaskValues[] =
    artifacts === undefined
      ? itemsOf(task, given).map((item) => ({
          ...given,
          parameters: { ...given.parameters, [parameters?.itemInput ?? ""]: item },
        }))
      : (given.artifacts[artifacts.items.inputArtifact] ?? []).map((artifact) => ({
          ...given,
          artifacts: { ...given.artifacts, [artifacts.itemInput]: [artifact] },
        }));
  if (iterations.length > iterationsMax) {
    throw new ValueError(`the loop has ${iterations.length} items, ${iterationsMax} are allowed`);
  }
  return iterations;
};

const failureOf = (failed: readonly StoredTask[]): RpcStatus => ({
  code: statusCode.FAILED_PRECONDITION,
  message: `The DAG failed because some tasks failed. The failed tasks are: [${failed.map(({ name }) => name).join(", ")}].; ${failed.map(({ name, error }) => `${name}: ${error?.message ?? "failed"}`).join("; ")}`,
});

/** Runs a job to its end; throws InterruptedError when the cloud stops first. */
export const runPipeline = async (
  tools: TaskTools,
  job: StoredJob,
  signals: RunSignals,
): Promise<RunEnd> => {
  const { spec } = job;
  const records = taskRecords(tools.store, job, tools.context.now);
  const signal = AbortSignal.any([signals.cancelled, signals.stopping]);
  // Every task that waits for its turn listens; how many do is bounded by the pipeline.
  setMaxListeners(0, signal);
  const isFailFast = job.failurePolicy === "PIPELINE_FAILURE_POLICY_FAIL_FAST";
  let hasFailed = false;

  const runDag = async (scope: Scope): Promise<TaskValues> => {
    const { dag } = scope;
    const ended = new Map<string, StoredTask>();
    const outcomes = new Map<string, Promise<StoredTask>>();
    const outcomeOf = (name: string): Promise<StoredTask> => {
      const known = outcomes.get(name);
      if (known !== undefined) return known;
      const outcome = runTask(scope, name, outcomeOf, ended).then((task) => {
        ended.set(name, task);
        return task;
      });
      outcomes.set(name, outcome);
      return outcome;
    };
    const settled = await Promise.allSettled(Object.keys(dag.tasks).map(outcomeOf));
    for (const result of settled) if (result.status === "rejected") throw result.reason;
    const failed = [...ended.values()].filter(({ state }) => state === "FAILED");
    if (failed.length > 0) {
      const { code, message } = failureOf(failed);
      throw new TaskError(code, message);
    }
    if (signals.cancelled.aborted) throw new InterruptedError("the job was cancelled");
    return dagOutputs(dag, (name) => ended.get(name)?.outputs);
  };

  const runComponent = async (
    task: Task,
    component: Component,
    given: TaskValues,
    record: StoredTask,
  ): Promise<TaskEnd> => {
    const inputs = completeInputs(component, given);
    const started = records.change(record, { inputs });
    if (component.dag !== undefined) {
      const running = started.state === "RUNNING" ? started : records.enter(started, "RUNNING");
      const outputs = await runDag({
        path: `${record.path}.`,
        parentId: record.id,
        component,
        dag: component.dag,
        values: inputs,
      });
      return { record: running, state: "SUCCEEDED", outputs };
    }
    const executor = executorOf(spec, component);
    const run = { tools, job, records, task, component, inputs, signal };
    if (executor?.container !== undefined) {
      return runContainerExecutor(run, executor.container, started);
    }
    if (executor?.importer !== undefined) return runImporter(run, executor.importer, started);
    throw new TaskError(statusCode.UNIMPLEMENTED, "this kind of executor is not implemented here");
  };

  /** Runs what the record stands for and writes its end down; only a stopping cloud makes it throw. */
  const conclude = async (record: StoredTask, run: () => Promise<TaskEnd>): Promise<StoredTask> => {
    const latest = (): StoredTask => records.find(record.path) ?? record;
    try {
      const end = await run();
      return records.finish(latest(), end.state, { outputs: end.outputs });
    } catch (error) {
      if (signals.stopping.aborted && !signals.cancelled.aborted) {
        throw new InterruptedError("the cloud stops", { cause: error });
      }
      if (error instanceof InterruptedError) {
        const reason = { code: statusCode.CANCELLED, message: "The job was cancelled." };
        return records.finish(latest(), "CANCELLED", { error: reason });
      }
      hasFailed = true;
      return records.finish(latest(), "FAILED", { error: statusOf(error) });
    }
  };

  const runIterations = async (
    task: Task,
    component: Component,
    given: TaskValues,
    record: StoredTask,
  ): Promise<TaskEnd> => {
    const running = record.state === "RUNNING" ? record : records.enter(record, "RUNNING");
    const iterations = iterationsOf(task, given);
    const limit = task.iteratorPolicy?.parallelismLimit ?? 0;
    const slots = slotsOf(limit === 0 ? iterationsMax : limit);
    const children = await Promise.allSettled(
      iterations.map(async (values, index) => {
        const path = `${record.path}.#${index}`;
        const known = records.find(path);
        if (known !== undefined && isFinal(known.state)) return known;
        const release = await slots.acquire(signal);
        try {
          const child = records.begin({
            path,
            name: record.name,
            parentId: record.id,
            kind: record.kind,
          });
          return await conclude(child, () => runComponent(task, component, values, child));
        } finally {
          release();
        }
      }),
    );
    const ended: StoredTask[] = [];
    for (const child of children) {
      if (child.status === "rejected") throw child.reason;
      ended.push(child.value);
    }
    const failed = ended.filter(({ state }) => state === "FAILED");
    if (failed.length > 0) {
      const [first] = failed;
      throw new TaskError(
        statusCode.FAILED_PRECONDITION,
        `${failed.length} of ${ended.length} iterations failed, the first with: ${first?.error?.message ?? ""}`,
      );
    }
    if (signals.cancelled.aborted) throw new InterruptedError("the job was cancelled");
    return { record: running, state: "SUCCEEDED", outputs: collected(component, ended) };
  };

  const runTask = async (
    scope: Scope,
    name: string,
    outcomeOf: (name: string) => Promise<StoredTask>,
    ended: ReadonlyMap<string, StoredTask>,
  ): Promise<StoredTask> => {
    const task = scope.dag.tasks[name];
    const component = task === undefined ? undefined : componentOf(spec, task);
    if (task === undefined || component === undefined) {
      throw new TaskError(statusCode.INTERNAL, `task ${name} has no component`);
    }
    const upstream = await Promise.all(upstreamOf(task).map(outcomeOf));
    const path = `${scope.path}${name}`;
    const known = records.find(path);
    if (known !== undefined && isFinal(known.state)) {
      if (known.state === "FAILED") hasFailed = true;
      return known;
    }
    if (signals.stopping.aborted) throw new InterruptedError("the cloud stops");
    const record = records.begin({
      path,
      name,
      ...(scope.parentId === undefined ? {} : { parentId: scope.parentId }),
      kind: kindOf(component),
    });
    if (signals.cancelled.aborted) return records.finish(record, "CANCELLED");
    if (!runsAfterFailure(task)) {
      const isHeldBack = isFailFast && hasFailed;
      if (isHeldBack || !upstream.every(isDone)) return records.finish(record, "NOT_TRIGGERED");
    }
    let given: TaskValues;
    try {
      given = resolveInputs(task, component, {
        surroundings: scope.values,
        upstream: (producer) => {
          const producerTask = ended.get(producer);
          return producerTask === undefined
            ? undefined
            : { outputs: producerTask.outputs, finalStatus: () => finalStatus(job, producerTask) };
        },
      });
      const condition = task.triggerPolicy?.condition ?? "";
      if (condition !== "" && !holds(parseCondition(condition), given.parameters)) {
        return records.finish(records.change(record, { inputs: given }), "NOT_TRIGGERED");
      }
    } catch (error) {
      hasFailed = true;
      return records.finish(record, "FAILED", { error: statusOf(error) });
    }
    const wired = records.change(record, { inputs: given });
    return conclude(wired, () =>
      isLoop(task)
        ? runIterations(task, component, given, wired)
        : runComponent(task, component, given, wired),
    );
  };

  const kindOf = (component: Component): StoredTask["kind"] => {
    if (component.dag !== undefined) return "dag";
    const executor = executorOf(spec, component);
    if (executor?.container !== undefined) return "container";
    return executor?.importer === undefined ? "unknown" : "importer";
  };

  try {
    const root: Dag = spec.root.dag ?? { tasks: {} };
    const values = completeInputs(spec.root, { parameters: job.parameters, artifacts: {} });
    await runDag({ path: "", component: spec.root, dag: root, values });
    return { state: "SUCCEEDED" };
  } catch (error) {
    if (signals.cancelled.aborted) return { state: "CANCELLED" };
    if (error instanceof InterruptedError) throw error;
    return { state: "FAILED", error: statusOf(error) };
  }
};

/** What a loop gives: a list of each output, in the order of the items. */
const collected = (component: Component, iterations: readonly StoredTask[]): TaskValues => {
  const definitions = component.outputDefinitions ?? {};
  return {
    parameters: Object.fromEntries(
      Object.keys(definitions.parameters ?? {}).map((name) => [
        name,
        iterations.flatMap(({ outputs }) =>
          Object.hasOwn(outputs.parameters, name) ? [outputs.parameters[name]] : [],
        ),
      ]),
    ),
    artifacts: Object.fromEntries(
      Object.keys(definitions.artifacts ?? {}).map((name) => [
        name,
        iterations.flatMap(({ outputs }) => outputs.artifacts[name] ?? []),
      ]),
    ),
  };
};

/** PipelineTaskFinalStatus, as an exit handler gets it. */
const finalStatus = (job: StoredJob, task: StoredTask): unknown => ({
  state: task.state,
  pipelineJobResourceName: job.name,
  pipelineTaskName: task.name,
  ...(task.error === undefined ? {} : { error: task.error }),
});
