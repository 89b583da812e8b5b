/** Runs a tuning job: its trials are custom jobs that write their metric into a file. */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { CloudContext } from "../../cloud.js";
import { statusCode } from "../../protocol/service.js";
import { timestampOf, valueOf } from "../messages.js";
import { runCustomJob } from "./custom-run.js";
import type { CustomJobSpec } from "./custom-request.js";
import type { JobEnd, KeptJob } from "./keeper.js";
import type { TuningRequest } from "./tuning-request.js";
import { trialParameters, trialsIn, type ParameterValue } from "./tuning-values.js";

/** Failed trials that end a job which does not say how many may fail: the service decides, and so does this. */
const failedTrialsMaxDefault = 3;

const metricLine = z.looseObject({ global_step: z.coerce.number().default(0) });

const storedTrial = z.looseObject({ id: z.string(), state: z.string() });

/** google.cloud.aiplatform.v1.Trial. */
type Trial = z.infer<typeof storedTrial>;

/** The last value of each metric that a trial wrote, as JSON lines. */
const readMetrics = async (file: string, ids: readonly string[]) => {
  const text = await readFile(file, "utf8").catch(() => "");
  const values = new Map<string, number>();
  let step = 0;
  for (const line of text.split("\n")) {
    const parsed = line.trim() === "" ? undefined : metricLine.safeParse(parseJson(line));
    if (parsed?.success !== true) continue;
    for (const id of ids) {
      const value = Number(parsed.data[id]);
      if (parsed.data[id] === undefined || !Number.isFinite(value)) continue;
      values.set(id, value);
      step = parsed.data.global_step;
    }
  }
  return { values, step };
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The job of one trial: its parameters as flags, its own output directory. */
const trialSpec = (
  spec: CustomJobSpec,
  trial: string,
  parameters: Readonly<Record<string, ParameterValue>>,
): CustomJobSpec => {
  const flags = Object.entries(parameters).map(([id, value]) => `--${id}=${value}`);
  const base = spec.baseOutputDirectory?.outputUriPrefix;
  return {
    ...spec,
    workerPoolSpecs: (spec.workerPoolSpecs ?? []).map((pool) =>
      pool.containerSpec === undefined
        ? pool
        : {
            ...pool,
            containerSpec: {
              ...pool.containerSpec,
              args: [...(pool.containerSpec.args ?? []), ...flags],
            },
          },
    ),
    ...(base === undefined
      ? {}
      : { baseOutputDirectory: { outputUriPrefix: `${base.replace(/\/+$/, "")}/${trial}` } }),
  };
};

/** Runs the trials, so many at once; what a crash interrupted goes on with the trials that had not ended. */
export const runTuningJob = async (
  context: CloudContext,
  job: KeptJob<TuningRequest>,
  signal: AbortSignal,
  note: (result: Readonly<Record<string, unknown>>) => void,
): Promise<JobEnd> => {
  const { studySpec, maxTrialCount, parallelTrialCount, maxFailedTrialCount, trialJobSpec } =
    job.request;
  const metricIds = (studySpec.metrics ?? []).map(({ metricId = "" }) => metricId);
  const folder = join(context.settings.folder, "jobs", job.id);
  await mkdir(folder, { recursive: true });
  const count = Math.min(maxTrialCount, trialsIn(studySpec));
  const trials = new Map<string, Trial>();
  for (const trial of z.array(storedTrial).parse(job.result["trials"] ?? [])) {
    if (trial.state !== "ACTIVE") trials.set(trial.id, trial);
  }
  const inOrder = (): readonly Trial[] =>
    [...trials.values()].toSorted((a, b) => Number(a.id) - Number(b.id));
  const put = (trial: Trial): void => {
    trials.set(trial.id, trial);
    note({ trials: inOrder() });
  };
  const failed = (): readonly Trial[] =>
    [...trials.values()].filter(({ state }) => state === "INFEASIBLE");
  const isOver = (): boolean =>
    signal.aborted || failed().length >= (maxFailedTrialCount || failedTrialsMaxDefault);

  const runTrial = async (index: number): Promise<void> => {
    const id = String(index + 1);
    const parameters = trialParameters(studySpec, job.id, index);
    const file = join(folder, `trial-${id}.metrics`);
    await rm(file, { force: true });
    const started: Trial = {
      id,
      state: "ACTIVE",
      parameters: Object.entries(parameters).map(([parameterId, value]) => ({
        parameterId,
        value: valueOf(value),
      })),
      startTime: timestampOf(context.now()),
    };
    put(started);
    const end = await runCustomJob(
      context,
      {
        ...job,
        id: join(job.id, id),
        request: trialSpec(trialJobSpec, id, parameters),
        result: {},
      },
      signal,
      { CLOUD_ML_JOB_ID: job.id, CLOUD_ML_TRIAL_ID: id, CLOUD_ML_HP_METRIC_FILE: file },
    );
    if (signal.aborted) return;
    const { values, step } = await readMetrics(file, metricIds);
    const missing = metricIds.find((metric) => !values.has(metric));
    const reason =
      end.error?.message ??
      (missing === undefined ? undefined : `The trial did not report the metric ${missing}.`);
    put({
      ...started,
      state: reason === undefined ? "SUCCEEDED" : "INFEASIBLE",
      ...(reason === undefined ? {} : { infeasibleReason: reason }),
      ...(values.size === 0
        ? {}
        : {
            finalMeasurement: {
              stepCount: String(step),
              metrics: [...values].map(([metricId, value]) => ({ metricId, value })),
            },
          }),
      endTime: timestampOf(context.now()),
    });
  };

  const waiting = Array.from({ length: count }, (_, index) => index).filter(
    (index) => !trials.has(String(index + 1)),
  );
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && !isOver(); next = waiting.shift()) {
      await runTrial(next);
    }
  };
  await Promise.all(Array.from({ length: parallelTrialCount }, worker));
  if (signal.aborted) {
    const message = "The job was cancelled.";
    const ended = inOrder().map((trial) =>
      trial.state === "ACTIVE"
        ? { ...trial, state: "INFEASIBLE", infeasibleReason: message }
        : trial,
    );
    const error = { code: statusCode.CANCELLED, message };
    return { state: "FAILED", error, result: { trials: ended } };
  }
  const tooMany = failed().length >= (maxFailedTrialCount || failedTrialsMaxDefault);
  const last = failed().at(-1)?.["infeasibleReason"];
  return tooMany
    ? {
        state: "FAILED",
        error: {
          code: statusCode.FAILED_PRECONDITION,
          message: `${failed().length} trials failed, which is the limit. The last one: ${String(last)}`,
        },
      }
    : { state: "SUCCEEDED" };
};
