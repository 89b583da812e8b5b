/** The life that custom jobs and batch predictions share: stored, started, resumed after a crash, cancelled. */
import { setMaxListeners } from "node:events";
import type { CloudContext } from "../../cloud.js";
import { RpcError, statusCode } from "../../protocol/service.js";
import { documentTable } from "../documents.js";
import { timestampOf, type Labels, type RpcStatus } from "../messages.js";
import { asRpcError } from "../rest.js";
import { slotsOf } from "../pipelines/slots.js";
import type { FieldValue } from "./list-filter.js";

/** JobState without its prefix. */
export type JobState =
  | "PENDING"
  | "RUNNING"
  | "SUCCEEDED"
  | "PARTIALLY_SUCCEEDED"
  | "FAILED"
  | "CANCELLING"
  | "CANCELLED";

/** A job as it is stored; times in milliseconds. */
export interface KeptJob<Request> {
  readonly id: string;
  readonly name: string;
  readonly displayName: string;
  readonly labels: Labels;
  /** What the caller asked for, checked. */
  readonly request: Request;
  readonly state: JobState;
  readonly createMs: number;
  readonly updateMs: number;
  readonly startMs?: number;
  readonly endMs?: number;
  readonly error?: RpcStatus;
  /** Output-only fields of the job's message that its run has filled in. */
  readonly result: Readonly<Record<string, unknown>>;
}

/** How a run ended by itself. */
export interface JobEnd {
  readonly state: "SUCCEEDED" | "PARTIALLY_SUCCEEDED" | "FAILED";
  readonly error?: RpcStatus;
  readonly result?: Readonly<Record<string, unknown>>;
}

/** A kind of job. */
export interface JobKind<Request> {
  /** As people say it, for the log. */
  readonly label: string;
  readonly table: string;
  /** Jobs of this kind that run at once; more wait in state PENDING. */
  readonly jobsMax: number;
  /** Does the work; a job that a crash interrupted is run again from its start. */
  readonly run: (
    job: KeptJob<Request>,
    signal: AbortSignal,
    /** Adds output fields while it runs. */
    note: (result: JobEnd["result"]) => void,
  ) => Promise<JobEnd>;
}

/** The jobs of one kind. */
export interface JobKeeper<Request> {
  readonly find: (id: string) => KeptJob<Request> | undefined;
  readonly all: () => readonly KeptJob<Request>[];
  readonly submit: (job: KeptJob<Request>) => void;
  readonly cancel: (id: string) => void;
  readonly remove: (id: string) => void;
  readonly resume: () => void;
  readonly stop: () => Promise<void>;
}

const finalStates: readonly JobState[] = [
  "SUCCEEDED",
  "PARTIALLY_SUCCEEDED",
  "FAILED",
  "CANCELLED",
];

/** Whether a job in this state has ended. */
export const hasJobEnded = (state: JobState): boolean => finalStates.includes(state);

const reasonOf = (error: RpcStatus | undefined): string =>
  error === undefined ? "" : `: ${error.message}`;

/** Makes the keeper of a kind of job. */
export const jobKeeper = <Request>(
  context: CloudContext,
  kind: JobKind<Request>,
): JobKeeper<Request> => {
  const table = documentTable<KeptJob<Request>>(context.db, kind.table);
  const slots = slotsOf(kind.jobsMax);
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  const running = new Map<
    string,
    { readonly cancel: AbortController; readonly ended: Promise<void> }
  >();

  const enter = (id: string, state: JobState, end: Partial<JobEnd> = {}): void => {
    const job = table.get(id);
    if (job === undefined) return;
    const now = context.now();
    table.put(id, {
      ...job,
      state,
      updateMs: now,
      ...(state === "RUNNING" && job.startMs === undefined ? { startMs: now } : {}),
      ...(hasJobEnded(state) ? { endMs: now } : {}),
      ...(end.error === undefined ? {} : { error: end.error }),
      result: { ...job.result, ...end.result },
    });
    context.log(`vertex: ${kind.label} ${id} is ${state}${reasonOf(end.error)}`);
  };

  const execute = async (job: KeptJob<Request>, cancelled: AbortSignal): Promise<void> => {
    const signal = AbortSignal.any([cancelled, stopping.signal]);
    // The caller sees the job before it runs, as it would on the real service.
    await new Promise((resolve) => setImmediate(resolve));
    let end: JobEnd;
    try {
      const release = await slots.acquire(signal);
      try {
        if (job.state === "PENDING") enter(job.id, "RUNNING");
        end = await kind.run(table.get(job.id) ?? job, signal, (result) => {
          const current = table.get(job.id);
          if (current === undefined) return;
          const updateMs = context.now();
          table.put(job.id, { ...current, updateMs, result: { ...current.result, ...result } });
        });
      } finally {
        release();
      }
    } catch (error) {
      const { status, message } = asRpcError(error);
      end = { state: "FAILED", error: { code: statusCode[status], message } };
    }
    if (cancelled.aborted) {
      const message = `The ${kind.label} was cancelled.`;
      enterCancelled(job.id, { code: statusCode.CANCELLED, message }, end.result);
    } else if (!stopping.signal.aborted) {
      enter(job.id, end.state, end);
    }
  };

  const enterCancelled = (id: string, error: RpcStatus, result: JobEnd["result"]): void =>
    enter(id, "CANCELLED", { error, ...(result === undefined ? {} : { result }) });

  const launch = (job: KeptJob<Request>): void => {
    const cancel = new AbortController();
    if (job.state === "CANCELLING") cancel.abort();
    const ended = execute(job, cancel.signal)
      .catch((error: unknown) => {
        context.log(`vertex: ${kind.label} ${job.id} was not recorded: ${String(error)}`);
      })
      .finally(() => running.delete(job.id));
    running.set(job.id, { cancel, ended });
  };

  return {
    find: table.get,
    all: () => table.list("").map(({ document }) => document),
    submit: (job) => {
      table.put(job.id, job);
      launch(job);
    },
    cancel: (id) => {
      const job = table.get(id);
      if (job === undefined || hasJobEnded(job.state)) {
        throw new RpcError(
          "FAILED_PRECONDITION",
          `The ${kind.label} ${id} has already ended with JOB_STATE_${job?.state ?? "UNSPECIFIED"}.`,
        );
      }
      if (job.state !== "CANCELLING") enter(id, "CANCELLING");
      running.get(id)?.cancel.abort();
    },
    remove: table.remove,
    resume: () => {
      for (const { document } of table.list("")) {
        if (hasJobEnded(document.state) || running.has(document.id)) continue;
        context.log(`vertex: resuming ${kind.label} ${document.id} (${document.state})`);
        launch(document);
      }
    },
    stop: async () => {
      stopping.abort();
      await Promise.all([...running.values()].map(({ ended }) => ended));
    },
  };
};

const timeField = (name: string, ms: number | undefined) =>
  ms === undefined ? {} : { [name]: timestampOf(ms) };

/** The fields that the messages of all jobs share. */
export const keptJobMessage = <Request>(
  job: KeptJob<Request>,
): Readonly<Record<string, unknown>> => ({
  name: job.name,
  displayName: job.displayName,
  labels: job.labels,
  state: `JOB_STATE_${job.state}`,
  ...timeField("createTime", job.createMs),
  ...timeField("updateTime", job.updateMs),
  ...timeField("startTime", job.startMs),
  ...timeField("endTime", job.endMs),
  ...(job.error === undefined ? {} : { error: job.error }),
  ...job.result,
});

const time = (ms: number | undefined): FieldValue => (ms === undefined ? undefined : { ms });

/** The fields of a job that a list filter may name; null for an unknown one. */
export const keptJobField = <Request>(job: KeptJob<Request>, field: string): FieldValue | null => {
  const label = /^labels[.](.+)$/.exec(field)?.[1];
  if (label !== undefined) return Object.hasOwn(job.labels, label) ? job.labels[label] : undefined;
  switch (field) {
    case "state":
      return `JOB_STATE_${job.state}`;
    case "display_name":
      return job.displayName;
    case "create_time":
      return time(job.createMs);
    case "update_time":
      return time(job.updateMs);
    case "start_time":
      return time(job.startMs);
    case "end_time":
      return time(job.endMs);
    default:
      return null;
  }
};
