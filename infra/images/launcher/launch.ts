/**
 * Runs one job of Vertex AI to its end. CreateCustomJob has no request id, so a repeated task finds its job by
 * a label first; should two have been made, the oldest counts and the others are cancelled.
 */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { ImageError } from "../arguments.js";
import { UncertainError, type VertexRequest } from "./vertex-rest.js";

/** Kinds of job and their collections. */
const collections = {
  CustomJob: "customJobs",
  BatchPredictionJob: "batchPredictionJobs",
  HyperparameterTuningJob: "hyperparameterTuningJobs",
} as const;

/** A kind of job that can be launched. */
type JobKind = keyof typeof collections;

/** What to launch. */
export interface Launch {
  readonly kind: JobKind;
  /** The job as Vertex AI's REST API takes it. */
  readonly payload: Readonly<Record<string, unknown>>;
  /** Equal for every attempt at the same work. */
  readonly key: string;
  readonly pollMs: number;
  /** Aborted when the platform stops the task. */
  readonly signal: AbortSignal;
  readonly log: (message: string) => void;
}

/** The label that marks a launched job. */
const launchLabel = "continuo-launch";

const createAttemptsMax = 5;
const cancelWaitMsMax = 60_000;

const job = z.object({
  name: z.string(),
  state: z.string().default("JOB_STATE_UNSPECIFIED"),
  createTime: z.string().default(""),
  error: z.object({ message: z.string().default("") }).optional(),
});

/** A job as far as the launcher reads it. */
export type LaunchedJob = Readonly<z.infer<typeof job>>;

const ended = new Set([
  "JOB_STATE_SUCCEEDED",
  "JOB_STATE_FAILED",
  "JOB_STATE_CANCELLED",
  "JOB_STATE_EXPIRED",
  "JOB_STATE_PARTIALLY_SUCCEEDED",
]);

/** A label value of 40 lower-case characters. */
const labelValue = (key: string): string =>
  createHash("sha256").update(key).digest("hex").slice(0, 40);

/** A job's path below its project and location. */
const pathOf = (name: string): string => name.split("/").slice(-2).join("/");

/** Sorts jobs by age. */
const order = ({ createTime, name }: LaunchedJob): string => `${createTime} ${name}`;

/** Jobs with the launch's label, oldest first. */
async function find(request: VertexRequest, launch: Launch): Promise<readonly LaunchedJob[]> {
  const collection = collections[launch.kind];
  const page = z.object({
    [collection]: z.array(job).default([]),
    nextPageToken: z.string().default(""),
  });
  const found: LaunchedJob[] = [];
  let pageToken = "";
  do {
    const filter = `labels.${launchLabel}="${labelValue(launch.key)}"`;
    const query = new URLSearchParams({ filter, pageSize: "100", pageToken });
    const parsed = page.parse(await request("GET", `${collection}?${query.toString()}`));
    found.push(...z.array(job).parse(parsed[collection]));
    pageToken = z.string().parse(parsed["nextPageToken"]);
  } while (pageToken !== "");
  return found.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
}

/** Asks for a job's end; a job that has ended already is fine. */
async function cancel(request: VertexRequest, { name }: LaunchedJob): Promise<void> {
  try {
    await request("POST", `${pathOf(name)}:cancel`, {});
  } catch (cause) {
    const now = job.parse(await request("GET", pathOf(name)));
    if (!ended.has(now.state)) throw cause;
  }
}

/** Creates the job with its label; an uncertain outcome is no error, the next look decides. */
async function create(request: VertexRequest, launch: Launch): Promise<void> {
  const own = z
    .record(z.string(), z.string())
    .catch({})
    .parse(launch.payload["labels"] ?? {});
  const labels = { ...own, [launchLabel]: labelValue(launch.key) };
  try {
    await request("POST", collections[launch.kind], { ...launch.payload, labels });
  } catch (cause) {
    if (!(cause instanceof UncertainError)) throw cause;
    launch.log(`the outcome of the creation is unknown, looking for the job: ${cause.message}`);
  }
}

/** The launch's one job, found or created. */
async function ensure(request: VertexRequest, launch: Launch): Promise<LaunchedJob> {
  for (let attempt = 1; attempt <= createAttemptsMax; attempt += 1) {
    const [oldest, ...surplus] = await find(request, launch);
    if (oldest !== undefined) {
      for (const extra of surplus) await cancel(request, extra);
      return oldest;
    }
    launch.signal.throwIfAborted();
    await create(request, launch);
  }
  throw new ImageError(`${launch.kind} could not be created in ${createAttemptsMax} attempts`);
}

/** Waits until the job has ended; stops waiting when the signal comes. */
async function wait(
  request: VertexRequest,
  started: LaunchedJob,
  pollMs: number,
  signal: AbortSignal | undefined,
): Promise<LaunchedJob> {
  let current = started;
  while (!ended.has(current.state)) {
    if (signal?.aborted === true) break;
    await delay(pollMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    current = job.parse(await request("GET", pathOf(started.name)));
  }
  return current;
}

/** Forwards the platform's stop to the job and gives it a while to end. */
async function stop(request: VertexRequest, launched: LaunchedJob, pollMs: number): Promise<void> {
  await cancel(request, launched);
  const limit = AbortSignal.timeout(cancelWaitMsMax);
  await wait(request, launched, Math.min(pollMs, 1000), limit);
}

/** Runs the job to its end; throws an ImageError unless it succeeded. */
export async function launchJob(request: VertexRequest, launch: Launch): Promise<LaunchedJob> {
  const launched = await ensure(request, launch);
  launch.log(`${launch.kind} ${launched.name}`);
  const last = await wait(request, launched, launch.pollMs, launch.signal);
  if (!ended.has(last.state)) {
    await stop(request, launched, launch.pollMs);
    throw new ImageError(`${launched.name} was cancelled because this task was stopped`);
  }
  if (last.state !== "JOB_STATE_SUCCEEDED") {
    const message = last.error?.message ?? "no message";
    throw new ImageError(`${launched.name} ended as ${last.state}: ${message}`);
  }
  return last;
}
