/** The life of pipeline jobs: started, resumed after a crash, cancelled, each state written down and announced. */
import { setMaxListeners } from "node:events";
import type { CloudContext } from "../../cloud.js";
import { statusCode } from "../../protocol/service.js";
import { containersOf } from "../containers.js";
import type { RpcStatus } from "../messages.js";
import { InterruptedError } from "./container-task.js";
import type { TaskTools } from "./executors.js";
import { runPipeline, type RunEnd } from "./run.js";
import { slotsOf } from "./slots.js";
import { stateLogEntry } from "./state-log.js";
import {
  isFinal,
  type JobState,
  type PipelineStore,
  type JobRecord,
  type StoredJob,
} from "./store.js";

/** Limits of the pipeline service. */
export interface PipelineLimits {
  /** Containers of pipeline tasks that run at once. */
  readonly tasksMax: number;
  /** How long one attempt of a task may take. */
  readonly taskTimeoutMs: number;
}

/** The running jobs of one cloud. */
export interface PipelineJobs {
  /** Stores a new job and starts it. */
  readonly submit: (job: StoredJob) => Promise<void>;
  readonly cancel: (id: string) => Promise<void>;
  /** Takes up what a crash interrupted. */
  readonly resume: () => Promise<void>;
  /** Interrupts what runs, to be resumed at the next start. */
  readonly stop: () => Promise<void>;
}

interface Running {
  readonly cancel: AbortController;
  readonly ended: Promise<void>;
}

/** Makes the keeper of the jobs. */
export const pipelineJobs = (
  context: CloudContext,
  store: PipelineStore,
  limits: PipelineLimits,
): PipelineJobs => {
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  const running = new Map<string, Running>();
  const tools: TaskTools = {
    context,
    containers: containersOf(context),
    store,
    slots: slotsOf(limits.tasksMax),
    taskTimeoutMs: limits.taskTimeoutMs,
  };

  const announce = async (id: string): Promise<void> => {
    const job = store.record(id);
    if (job === undefined || job.unlogged.length === 0) return;
    const entries = job.unlogged.map(({ state, atMs }) =>
      stateLogEntry(context.settings, job, state, atMs),
    );
    try {
      await context.services.logging.write(entries);
    } catch (error) {
      // The states stay marked, and are written with the next one or at the next start.
      context.log(`vertex: the states of pipeline job ${id} were not logged: ${String(error)}`);
      return;
    }
    const latest = store.record(id);
    if (latest === undefined) return;
    const isWritten = (one: JobRecord["unlogged"][number]): boolean =>
      job.unlogged.some(({ state, atMs }) => state === one.state && atMs === one.atMs);
    store.putRecord({ ...latest, unlogged: latest.unlogged.filter((one) => !isWritten(one)) });
  };

  const enter = async (
    id: string,
    state: JobState,
    change: { readonly error?: RpcStatus } = {},
  ): Promise<void> => {
    const job = store.record(id);
    if (job === undefined) return;
    const now = context.now();
    store.putRecord({
      ...job,
      ...change,
      state,
      updateMs: now,
      ...(state === "RUNNING" && job.startMs === undefined ? { startMs: now } : {}),
      ...(isFinal(state) ? { endMs: now } : {}),
      unlogged: [...job.unlogged, { state, atMs: now }],
    });
    context.log(`vertex: pipeline job ${id} is ${state}${reasonOf(change.error)}`);
    await announce(id);
  };

  const conclude = async (id: string, end: RunEnd): Promise<void> => {
    switch (end.state) {
      case "SUCCEEDED":
        return enter(id, "SUCCEEDED");
      case "FAILED":
        return enter(id, "FAILED", { error: end.error });
      case "CANCELLED":
        return enter(id, "CANCELLED", {
          error: { code: statusCode.CANCELLED, message: `Pipeline job ${id} was cancelled.` },
        });
    }
  };

  const execute = async (job: StoredJob, cancelled: AbortSignal): Promise<void> => {
    await announce(job.id);
    if (job.state === "PENDING") await enter(job.id, "RUNNING");
    try {
      const end = await runPipeline(tools, job, { cancelled, stopping: stopping.signal });
      await conclude(job.id, end);
    } catch (error) {
      if (error instanceof InterruptedError) return;
      const message = error instanceof Error ? error.message : String(error);
      await enter(job.id, "FAILED", { error: { code: statusCode.INTERNAL, message } });
    }
  };

  const launch = (job: StoredJob): void => {
    const cancel = new AbortController();
    if (job.state === "CANCELLING") cancel.abort();
    const ended = execute(job, cancel.signal)
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) {
          context.log(`vertex: pipeline job ${job.id} was not recorded: ${String(error)}`);
        }
      })
      .finally(() => running.delete(job.id));
    running.set(job.id, { cancel, ended });
  };

  return {
    submit: async (job) => {
      store.createJob(job);
      // Nothing may be awaited between storing and launching, or a job could be stored and never run.
      launch(job);
    },
    cancel: async (id) => {
      const found = running.get(id);
      if (found === undefined) return;
      const isNew = store.record(id)?.state !== "CANCELLING";
      const entered = isNew ? enter(id, "CANCELLING") : Promise.resolve();
      found.cancel.abort();
      await entered;
    },
    resume: async () => {
      for (const { id, state } of store.records()) {
        if (running.has(id)) continue;
        const job = isFinal(state) ? undefined : store.job(id);
        if (job === undefined) {
          await announce(id);
        } else {
          context.log(`vertex: resuming pipeline job ${id} (${state})`);
          launch(job);
        }
      }
    },
    stop: async () => {
      stopping.abort();
      await Promise.all([...running.values()].map(({ ended }) => ended));
    },
  };
};

const reasonOf = (error: RpcStatus | undefined): string =>
  error === undefined ? "" : `: ${error.message}`;
