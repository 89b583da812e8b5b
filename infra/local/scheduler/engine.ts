/** The jobs of Cloud Scheduler and their times. */
import type { CloudContext } from "../cloud.js";
import type { TokenSigner } from "../identity.js";
import { RpcError } from "../protocol/service.js";
import { attempt, type AttemptStatus } from "./attempt.js";
import { parseSchedule } from "./schedule.js";
import { durationMs, msOf, timestampOf, type Job } from "./shapes.js";
import { jobTable } from "./table.js";

const troubleRetryMs = 1000;
const timerMsMax = 2 ** 31 - 1;

/** What the service calls. */
export type SchedulerEngine = ReturnType<typeof schedulerEngine>;

const notFound = (name: string): RpcError => new RpcError("NOT_FOUND", `Job not found: ${name}`);

const nextOf = (job: Job, afterMs: number): number | undefined =>
  parseSchedule(job.schedule ?? "", job.timeZone ?? "UTC").nextMs(afterMs);

/** Opens the jobs of the context's database. */
export function schedulerEngine(context: CloudContext, tokens: TokenSigner) {
  const { now, log } = context;
  const table = jobTable(context.db);
  const jobs = new Map<string, Job>(table.all().map((job) => [job.name, job]));
  const running = new Set<string>();
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;

  const put = (job: Job): Job => {
    jobs.set(job.name, job);
    table.put(job);
    return job;
  };

  /** With the next time of its schedule, which a paused job has not. */
  const scheduled = (job: Job): Job => {
    const { scheduleTime: _before, ...rest } = job;
    const nextMs = job.state === "ENABLED" ? nextOf(job, now()) : undefined;
    return nextMs === undefined ? rest : { ...rest, scheduleTime: timestampOf(nextMs) };
  };

  const pauseFor = async (ms: number): Promise<void> => {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(waiting);
        stopping.signal.removeEventListener("abort", end);
        resolve();
      };
      const waiting = setTimeout(end, ms);
      stopping.signal.addEventListener("abort", end);
    });
  };

  const attemptWithRetries = async (job: Job, scheduledMs: number): Promise<AttemptStatus> => {
    const retry = job.retryConfig ?? {};
    const beganMs = now();
    const limitMs = durationMs(retry.maxRetryDuration, 0);
    const minMs = durationMs(retry.minBackoffDuration, 5000);
    const maxMs = durationMs(retry.maxBackoffDuration, 3_600_000);
    let status = await attempt(job, scheduledMs, context, tokens, stopping.signal);
    for (let count = 0; count < (retry.retryCount ?? 0) && status.code !== 0; count += 1) {
      const waitMs = Math.min(maxMs, minMs * 2 ** Math.min(count, retry.maxDoublings ?? 5));
      if (limitMs > 0 && now() - beganMs + waitMs > limitMs) break;
      await pauseFor(waitMs);
      if (stopping.signal.aborted || !jobs.has(job.name)) break;
      status = await attempt(job, scheduledMs, context, tokens, stopping.signal);
    }
    return status;
  };

  const run = async (job: Job, scheduledMs: number): Promise<void> => {
    if (running.has(job.name)) {
      log(`${job.name} is still running: its time is skipped`);
      return;
    }
    running.add(job.name);
    const lastAttemptTime = timestampOf(now());
    const status = await attemptWithRetries(job, scheduledMs);
    running.delete(job.name);
    if (status.code !== 0) log(`${job.name} failed: ${status.message ?? `code ${status.code}`}`);
    const current = jobs.get(job.name);
    if (current !== undefined && !stopping.signal.aborted)
      put({ ...current, status, lastAttemptTime });
  };

  const tick = (): void => {
    try {
      fireDue();
    } catch (error) {
      log(`scheduler cannot write: ${error instanceof Error ? error.message : String(error)}`);
      clearTimeout(timer);
      timer = setTimeout(tick, troubleRetryMs);
      return;
    }
    arm();
  };

  const fireDue = (): void => {
    for (const job of jobs.values()) {
      const dueMs = msOf(job.scheduleTime);
      if (job.state !== "ENABLED" || job.scheduleTime === undefined || dueMs > now()) continue;
      // The next time is written before the attempt: a crash in between may miss one, never loops.
      const next = put(scheduled(job));
      void run(next, dueMs);
    }
  };

  const arm = (): void => {
    clearTimeout(timer);
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const job of jobs.values()) {
      if (job.state === "ENABLED" && job.scheduleTime !== undefined) {
        earliestMs = Math.min(earliestMs, msOf(job.scheduleTime));
      }
    }
    if (earliestMs === Number.POSITIVE_INFINITY || stopping.signal.aborted) return;
    timer = setTimeout(tick, Math.min(Math.max(earliestMs - now(), 0), timerMsMax));
  };

  const get = (name: string): Job => {
    const found = jobs.get(name);
    if (found === undefined) throw notFound(name);
    return found;
  };
  const save = (job: Job): Job => {
    const saved = put(scheduled({ ...job, userUpdateTime: timestampOf(now()) }));
    arm();
    return saved;
  };

  return {
    get,
    list: (parent: string): readonly Job[] =>
      [...jobs.values()]
        .filter((job) => job.name.startsWith(`${parent}/jobs/`))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    create: (job: Job): Job => {
      if (jobs.has(job.name)) {
        throw new RpcError("ALREADY_EXISTS", `Job already exists: ${job.name}`);
      }
      return save({ ...job, state: "ENABLED" });
    },
    save,
    drop: (name: string): void => {
      get(name);
      jobs.delete(name);
      table.drop(name);
      arm();
    },
    /** Forces an attempt now, also of a paused job; the schedule stays as it is. */
    runNow: (name: string): Job => {
      const job = get(name);
      void run(job, now());
      return { ...job, lastAttemptTime: timestampOf(now()) };
    },
    start: (): void => {
      // What fell due while nothing ran is missed, as it would be by a service that was down.
      for (const job of jobs.values()) put(scheduled(job));
      arm();
    },
    stop: (): void => {
      stopping.abort();
      clearTimeout(timer);
    },
  };
}
