/** Runs the worker pools of a CustomJob as local processes. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { CloudContext } from "../../cloud.js";
import { statusCode } from "../../protocol/service.js";
import { containersOf, type Container } from "../containers.js";
import { expandEnvironment } from "../images.js";
import { durationMs } from "../messages.js";
import { taskLog, type TaskLog } from "../pipelines/task-log.js";
import { freePort } from "../serving/upstream.js";
import { replicaEnvironment, replicaPlaces, type Replica } from "./cluster.js";
import type { CustomJobSpec } from "./custom-request.js";
import type { JobEnd, KeptJob } from "./keeper.js";
import { environmentOf, machineLine } from "./resource-checks.js";

const timeoutMsDefault = 7 * 86_400_000;
const timerMsMax = 2_147_483_647;
const stopGraceMs = 3_000;

interface ReplicaEnd {
  readonly replica: Replica;
  readonly failure?: string;
}

const openLog = (context: CloudContext, jobId: string, replica: Replica): TaskLog => {
  const name = `workerpool${replica.pool}-${replica.index}`;
  return taskLog(context, {
    key: `${jobId}-${name}-${context.now()}`,
    file: join(context.settings.folder, "jobs", jobId, `${name}.log`),
    logId: name,
    resource: {
      type: "ml_job",
      labels: { project_id: context.settings.projectId, job_id: jobId, task_name: name },
    },
    labels: { "ml.googleapis.com/job_id": jobId },
  });
};

/** Runs the job; its primary replica decides, and the first replica to fail ends all. */
export const runCustomJob = async (
  context: CloudContext,
  job: KeptJob<CustomJobSpec>,
  signal: AbortSignal,
  more: Readonly<Record<string, string>> = {},
): Promise<JobEnd> => {
  const spec = job.request;
  const containers = containersOf(context);
  const replicas = await Promise.all(
    replicaPlaces(spec).map(async (place) => ({
      ...place,
      address: `127.0.0.1:${await freePort()}`,
    })),
  );
  const started: Container[] = [];
  let isEnding = false;
  const endAll = (): void => {
    isEnding = true;
    for (const container of started) void container.stop(stopGraceMs);
  };
  let isLate = false;
  const { timeout } = spec.scheduling ?? {};
  const limitMs = timeout === undefined ? timeoutMsDefault : durationMs(timeout);
  const limit = setTimeout(
    () => {
      isLate = true;
      endAll();
    },
    Math.min(limitMs, timerMsMax),
  );
  signal.addEventListener("abort", endAll, { once: true });

  const runReplica = async (replica: Replica): Promise<ReplicaEnd> => {
    const pool = spec.workerPoolSpecs?.[replica.pool];
    const container = pool?.containerSpec;
    const log = openLog(context, job.id, replica);
    const folder = join(
      context.settings.folder,
      "jobs",
      job.id,
      `${replica.pool}-${replica.index}`,
    );
    log.line(machineLine(pool?.machineSpec), "stdout");
    try {
      const process = await containers.startContainer({
        image: container?.imageUri ?? "",
        command: container?.command ?? [],
        args: container?.args ?? [],
        env: expandEnvironment([
          ...Object.entries(
            replicaEnvironment(
              { id: job.id, projectId: context.settings.projectId, spec },
              replicas,
              replica,
            ),
          ),
          ...Object.entries(more),
          ...Object.entries(environmentOf("containerSpec", container?.env)),
        ]),
        cwd: folder,
        onLog: log.line,
      });
      started.push(process);
      if (isEnding || signal.aborted) void process.stop(stopGraceMs);
      const { code, signal: endedBy } = await process.exited;
      if (code === 0 || isEnding) {
        if (replica.pool === 0) endAll();
        return { replica };
      }
      const how =
        code === null ? `was ended by ${endedBy ?? "a signal"}` : `exited with code ${code}`;
      endAll();
      return {
        replica,
        failure: `The replica workerpool${replica.pool}-${replica.index} ${how}. Its last lines: ${log.tail()}`,
      };
    } catch (error) {
      endAll();
      return { replica, failure: error instanceof Error ? error.message : String(error) };
    } finally {
      await log.close();
      await rm(folder, { recursive: true, force: true });
    }
  };

  const ends = await Promise.all(replicas.map(runReplica));
  clearTimeout(limit);
  signal.removeEventListener("abort", endAll);
  if (isLate) {
    const message = `The job did not end within its timeout of ${limitMs / 1000} s and was stopped.`;
    return { state: "FAILED", error: { code: statusCode.DEADLINE_EXCEEDED, message } };
  }
  const failure = ends.find((end) => end.failure !== undefined)?.failure;
  return failure === undefined
    ? { state: "SUCCEEDED" }
    : { state: "FAILED", error: { code: statusCode.FAILED_PRECONDITION, message: failure } };
};
