/** Runs one attempt of a container task. */
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { CloudContext } from "../../cloud.js";
import { RpcError, statusCode } from "../../protocol/service.js";
import type { Containers } from "../containers.js";
import { expandEnvironment } from "../images.js";
import { quotasOf, type Accelerators } from "../quotas.js";
import { download, localPathOf } from "./artifacts.js";
import { collectOutputs, type OutputPlaces } from "./outputs.js";
import {
  parseCommandWord,
  placeholdersOf,
  resolveText,
  resolveWords,
  textsOf,
  type PlaceholderScope,
  type RuntimeArtifact,
  type TaskValues,
} from "./placeholders.js";
import type { Component, ContainerExecutor } from "./spec.js";
import type { StoredJob, StoredTask } from "./store.js";
import { taskLog } from "./task-log.js";

/** A task failed for a reason of its own; the code is a canonical one. */
export class TaskError extends Error {
  override readonly name = "TaskError";
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The task was ended from outside, by a cancellation or because the cloud stops. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

/** One attempt. */
export interface ContainerTask {
  readonly context: CloudContext;
  readonly containers: Containers;
  readonly job: StoredJob;
  readonly task: StoredTask;
  readonly component: Component;
  readonly container: ContainerExecutor;
  readonly inputs: TaskValues;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const stopGraceMs = 3_000;

/** The folder of a task on this machine; nested as the tasks are, because a file name has its limit. */
const taskFolder = (context: CloudContext, jobId: string, path: string): string =>
  join(context.settings.folder, "pipelines", jobId, ...path.split("."));

const plannedArtifacts = (run: ContainerTask): Readonly<Record<string, RuntimeArtifact>> => {
  const { job, task, component, context } = run;
  const root = `${job.pipelineRoot}/${context.settings.projectNumber}/${job.id}/${task.name}_${task.id}`;
  return Object.fromEntries(
    Object.entries(component.outputDefinitions?.artifacts ?? {}).map(([name, definition]) => {
      const { schemaTitle, schemaVersion, instanceSchema } = definition.artifactType ?? {};
      const artifact: RuntimeArtifact = {
        name,
        uri: `${root}/${name}`,
        type: {
          ...(schemaTitle === undefined ? {} : { schemaTitle }),
          ...(schemaVersion === undefined ? {} : { schemaVersion }),
          ...(instanceSchema === undefined ? {} : { instanceSchema }),
        },
        metadata: definition.metadata ?? {},
      };
      return [name, artifact];
    }),
  );
};

const outputPlaces = (run: ContainerTask): OutputPlaces => {
  const folder = taskFolder(run.context, run.job.id, run.task.path);
  const names = Object.keys(run.component.outputDefinitions?.parameters ?? {});
  return {
    folder,
    metadataFile: join(folder, "outputs", "executor_output.json"),
    parameterFiles: Object.fromEntries(
      names.map((name) => [name, join(folder, "outputs", "parameters", name)]),
    ),
    artifacts: plannedArtifacts(run),
  };
};

const scopeOf = (run: ContainerTask, places: OutputPlaces): PlaceholderScope => ({
  inputs: run.inputs,
  outputParameterFiles: places.parameterFiles,
  outputArtifacts: places.artifacts,
  outputMetadataFile: places.metadataFile,
  localPath: (uri) => localPathOf(places.folder, uri),
  jobName: run.job.id,
  jobResourceName: run.job.name,
  jobUuid: run.job.uuid,
  taskName: run.task.name,
  taskUuid: run.task.id,
  pipelineRoot: run.job.pipelineRoot,
  jobCreateTime: new Date(run.job.createMs).toISOString(),
});

/** Input artifacts are brought here only when the container asks for their path. */
const pathInputs = (container: ContainerExecutor): ReadonlySet<string> => {
  const texts = [
    ...[...(container.command ?? []), ...(container.args ?? [])].flatMap((word) =>
      textsOf(parseCommandWord(word)),
    ),
    ...(container.env ?? []).map((variable) => variable.value ?? ""),
  ];
  return new Set(
    texts
      .flatMap(placeholdersOf)
      .flatMap((found) =>
        found.kind === "artifact" && found.direction === "inputs" && found.field === "path"
          ? [found.name]
          : [],
      ),
  );
};

const prepare = async (run: ContainerTask, places: OutputPlaces): Promise<void> => {
  await rm(join(places.folder, "gcs"), { recursive: true, force: true });
  await rm(join(places.folder, "outputs"), { recursive: true, force: true });
  await mkdir(join(places.folder, "outputs", "parameters"), { recursive: true });
  for (const name of pathInputs(run.container)) {
    for (const { uri } of run.inputs.artifacts[name] ?? []) {
      await download(run.context.services.storage, places.folder, uri);
    }
  }
  for (const { uri } of Object.values(places.artifacts)) {
    await mkdir(dirname(localPathOf(places.folder, uri)), { recursive: true });
  }
};

const acceleratorsOf = (container: ContainerExecutor): Accelerators | undefined => {
  const accelerator = container.resources?.accelerator;
  const type = accelerator?.resourceType ?? accelerator?.type;
  return type === undefined
    ? undefined
    : { type, count: Number(accelerator?.resourceCount ?? accelerator?.count ?? 1) };
};

const acceleratorLine = (accelerators: Accelerators | undefined): string =>
  accelerators === undefined
    ? "executed on CPU"
    : `accelerator ${accelerators.type} x ${accelerators.count} was asked for; executed on CPU`;

const inUse = new WeakMap<CloudContext["db"], Set<Accelerators>>();

/** Counts a task's accelerators until the returned function is called; refuses what the quota does not have. */
const holdAccelerators = (
  context: CloudContext,
  accelerators: Accelerators | undefined,
): (() => void) => {
  if (accelerators === undefined) return () => undefined;
  const quotas = quotasOf(context);
  const known = inUse.get(context.db);
  const held = known ?? new Set<Accelerators>();
  if (known === undefined) {
    inUse.set(context.db, held);
    quotas.countUsersOf(() => [...held]);
  }
  quotas.checkAccelerators([accelerators]);
  held.add(accelerators);
  return () => held.delete(accelerators);
};

const openLog = (run: ContainerTask, folder: string) => {
  const { context, job, task } = run;
  return taskLog(context, {
    key: `${task.id}-${task.failedAttempts}-${context.now()}`,
    file: join(folder, "log.txt"),
    logId: "workerpool0-0",
    resource: {
      type: "ml_job",
      labels: {
        project_id: context.settings.projectId,
        job_id: task.id,
        task_name: "workerpool0-0",
      },
    },
    labels: {
      "ml.googleapis.com/job_id": task.id,
      pipeline_job_id: job.id,
      pipeline_task_name: task.name,
    },
  });
};

const ended = (code: number | null, signal: string | null): string =>
  code === null ? `was ended by ${signal ?? "a signal"}` : `exited with code ${code}`;

const asTaskError = (error: unknown): unknown => {
  if (error instanceof TaskError || error instanceof InterruptedError) return error;
  if (error instanceof RpcError) {
    return new TaskError(statusCode[error.status], error.message, { cause: error });
  }
  if (error instanceof Error) {
    return new TaskError(statusCode.FAILED_PRECONDITION, error.message, { cause: error });
  }
  return error;
};

const runContainer = async (
  run: ContainerTask,
  places: OutputPlaces,
  log: ReturnType<typeof taskLog>,
): Promise<void> => {
  const scope = scopeOf(run, places);
  const { container: spec } = run;
  log.note(`${resolveText(spec.image, scope)}: ${acceleratorLine(acceleratorsOf(spec))}`);
  const container = await run.containers.startContainer({
    image: resolveText(spec.image, scope),
    command: resolveWords(spec.command ?? [], scope),
    args: resolveWords(spec.args ?? [], scope),
    env: expandEnvironment([
      ["CLOUD_ML_JOB_ID", run.task.id],
      ...(spec.env ?? []).map(
        ({ name, value }) => [name, resolveText(value ?? "", scope)] as const,
      ),
    ]),
    cwd: places.folder,
    onLog: log.line,
  });
  let isLate = false;
  const stop = (): void => void container.stop(stopGraceMs);
  const limit = setTimeout(() => {
    isLate = true;
    stop();
  }, run.timeoutMs);
  run.signal.addEventListener("abort", stop, { once: true });
  if (run.signal.aborted) stop();
  const { code, signal } = await container.exited;
  clearTimeout(limit);
  run.signal.removeEventListener("abort", stop);
  if (run.signal.aborted) throw new InterruptedError("the task was ended");
  if (isLate) {
    throw new TaskError(
      statusCode.DEADLINE_EXCEEDED,
      `the container did not end within ${run.timeoutMs / 1000} s and was stopped`,
    );
  }
  if (code !== 0) {
    throw new TaskError(
      statusCode.FAILED_PRECONDITION,
      `the container ${ended(code, signal)}. Its last lines: ${log.tail()}`,
    );
  }
};

/** Runs the attempt; returns the outputs, or throws TaskError or InterruptedError. */
export const runContainerTask = async (run: ContainerTask): Promise<TaskValues> => {
  const places = outputPlaces(run);
  const log = openLog(run, places.folder);
  let release: (() => void) | undefined;
  try {
    release = holdAccelerators(run.context, acceleratorsOf(run.container));
    await prepare(run, places);
    await runContainer(run, places, log);
    return await collectOutputs(run.context.services.storage, run.component, places);
  } catch (error) {
    const failure = asTaskError(error);
    if (failure instanceof TaskError) log.line(`task failed: ${failure.message}`, "stderr");
    throw failure;
  } finally {
    release?.();
    await log.close();
    await rm(join(places.folder, "gcs"), { recursive: true, force: true });
    await rm(join(places.folder, "outputs"), { recursive: true, force: true });
  }
};
