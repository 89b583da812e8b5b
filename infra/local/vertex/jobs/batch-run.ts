/** Runs a batch prediction: starts the model's container, sends it the instances, writes the results. */
import { join } from "node:path";
import type { CloudContext } from "../../cloud.js";
import { RpcError, statusCode } from "../../protocol/service.js";
import { containersOf } from "../containers.js";
import { expandEnvironment } from "../images.js";
import { durationMs, jsonOfValue, type ModelContainerSpec, type RpcStatus } from "../messages.js";
import { gcsPlace } from "../pipelines/artifacts.js";
import { taskLog, type TaskLog } from "../pipelines/task-log.js";
import { startPredictor, type Predictor } from "../serving/predictor.js";
import { statusOfHttpCode } from "../rest.js";
import { instanceOf, readLines, type BatchInstance } from "./batch-instances.js";
import type { BatchPredictionMessage } from "./batch-request.js";
import type { JobEnd, KeptJob } from "./keeper.js";
import { environmentOf, machineLine } from "./resource-checks.js";

/** The model that a batch prediction uses. */
interface BatchModel {
  readonly displayName: string;
  readonly versionId?: string;
  readonly containerSpec: ModelContainerSpec;
  /** Directory of the artifacts, which the container gets as AIP_STORAGE_URI. */
  readonly storageUri?: string;
}

/** Finds a registered model by its name with `@version`; throws RpcError NOT_FOUND. */
export type FindBatchModel = (name: string) => BatchModel;

const batchSizeDefault = 64;
const batchesAtOnce = 2;
const requestTimeoutMs = 600_000;
const replyBytesMax = 256 * 1_048_576;
const startupMsDefault = 60_000;
const partialFailuresMax = 20;
const probe = { periodMs: 10_000, timeoutMs: 10_000, failuresMax: 4 };

type Line = Readonly<Record<string, unknown>>;

const modelOf = (request: BatchPredictionMessage, find: FindBatchModel): BatchModel => {
  const unmanaged = request.unmanagedContainerModel;
  if (unmanaged === undefined) return find(request.model ?? "");
  return {
    displayName: "unmanaged_container_model",
    containerSpec: unmanaged.containerSpec ?? {},
    ...(unmanaged.artifactUri === undefined ? {} : { storageUri: unmanaged.artifactUri }),
  };
};

const openLog = (context: CloudContext, jobId: string): TaskLog =>
  taskLog(context, {
    key: `${jobId}-${context.now()}`,
    file: join(context.settings.folder, "jobs", jobId, "prediction_container.log"),
    logId: "aiplatform.googleapis.com%2Fprediction_container",
    resource: {
      type: "aiplatform.googleapis.com/BatchPredictionJob",
      labels: {
        resource_container: `projects/${context.settings.projectNumber}`,
        location: context.settings.region,
        batch_prediction_job_id: jobId,
      },
    },
    labels: { "ml.googleapis.com/job_id": jobId },
  });

const startModel = (
  context: CloudContext,
  job: KeptJob<BatchPredictionMessage>,
  model: BatchModel,
  log: TaskLog,
): Predictor => {
  const spec = model.containerSpec;
  const machine = job.request.dedicatedResources?.machineSpec;
  const route = (given: string | undefined): string =>
    given === undefined || given === ""
      ? `/v1/endpoints/${job.id}/deployedModels/${job.id}:predict`
      : given;
  const startup = spec.deploymentTimeout;
  return startPredictor(
    {
      containers: containersOf(context),
      now: context.now,
      log: (line) => {
        context.log(`vertex: batch prediction ${job.id}: ${line}`);
      },
      onLog: log.line,
    },
    {
      label: `batch/${job.id}`,
      image: spec.imageUri ?? "",
      command: spec.command ?? [],
      args: spec.args ?? [],
      env: expandEnvironment(
        Object.entries({
          AIP_ACCELERATOR_TYPE: machine?.acceleratorType ?? "ACCELERATOR_TYPE_UNSPECIFIED",
          AIP_FRAMEWORK: "CUSTOM_CONTAINER",
          AIP_HEALTH_ROUTE: route(spec.healthRoute),
          AIP_MACHINE_TYPE: machine?.machineType ?? "",
          AIP_MODE: "PREDICTION",
          AIP_MODE_VERSION: "1.0.0",
          AIP_PREDICT_ROUTE: route(spec.predictRoute),
          AIP_PROJECT_NUMBER: context.settings.projectNumber,
          AIP_STORAGE_URI: model.storageUri ?? "",
          HOST: "127.0.0.1",
          ...environmentOf("containerSpec", spec.env),
        }),
      ),
      predictRoute: route(spec.predictRoute),
      healthRoute: route(spec.healthRoute),
      health: probe,
      liveness: probe,
      startupMsMax: startup === undefined ? startupMsDefault : durationMs(startup),
    },
    false,
  );
};

const predictBatch = async (
  predictor: Predictor,
  batch: readonly BatchInstance[],
  parameters: unknown,
): Promise<readonly unknown[]> => {
  const reply = await predictor.predict({
    contentType: "application/json",
    body: JSON.stringify({
      instances: batch.map(({ sent }) => sent),
      ...(parameters === undefined ? {} : { parameters }),
    }),
    timeoutMs: requestTimeoutMs,
    replyBytesMax,
  });
  const text = reply.body.toString("utf8");
  if (reply.code < 200 || reply.code > 299) {
    throw new RpcError(
      statusOfHttpCode(reply.code),
      `The model server answered ${reply.code}: ${text.slice(0, 500)}`,
    );
  }
  const body: unknown = JSON.parse(text);
  const predictions: unknown =
    typeof body === "object" && body !== null && "predictions" in body
      ? body.predictions
      : undefined;
  if (!Array.isArray(predictions) || predictions.length !== batch.length) {
    throw new RpcError(
      "INTERNAL",
      `The model server answered ${Array.isArray(predictions) ? `${predictions.length} predictions` : "no list of predictions"} for ${batch.length} instances.`,
    );
  }
  return predictions;
};

const statusOf = (error: unknown): RpcStatus =>
  error instanceof RpcError
    ? { code: statusCode[error.status], message: error.message }
    : {
        code: statusCode.INTERNAL,
        message: error instanceof Error ? error.message : String(error),
      };

const directoryOf = (
  request: BatchPredictionMessage,
  model: BatchModel,
  createMs: number,
): string => {
  const prefix = (request.outputConfig?.gcsDestination?.outputUriPrefix ?? "").replace(/\/+$/, "");
  const name = model.displayName.replaceAll(/[/\s]/g, "_");
  return `${prefix}/prediction-${name}-${new Date(createMs).toISOString()}`;
};

const writeLines = async (
  context: CloudContext,
  uri: string,
  lines: readonly Line[],
): Promise<void> => {
  const place = gcsPlace(uri);
  if (place === undefined) return;
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  await context.services.storage.write(
    place.bucket,
    place.name,
    Buffer.from(text),
    "application/jsonl",
  );
};

interface Results {
  /** One place per input line, so that the output keeps the input's order. */
  readonly predictions: (Line | undefined)[];
  readonly failures: Line[];
  readonly reasons: RpcStatus[];
}

const readInstances = (
  lines: readonly string[],
  request: BatchPredictionMessage,
  results: Results,
): readonly { readonly at: number; readonly instance: BatchInstance }[] =>
  lines.flatMap((line, at) => {
    const instance = instanceOf(line, request.instanceConfig ?? {});
    if (!("reason" in instance)) return [{ at, instance }];
    const error = {
      code: statusCode.INVALID_ARGUMENT,
      message: `line ${at + 1}: ${instance.reason}`,
    };
    results.failures.push({ instance: instance.text, error });
    results.reasons.push(error);
    return [];
  });

/** Sends all instances in batches, a few at once. */
const predictAll = async (
  predictor: Predictor,
  instances: readonly { readonly at: number; readonly instance: BatchInstance }[],
  request: BatchPredictionMessage,
  results: Results,
  signal: AbortSignal,
): Promise<void> => {
  const size = request.manualBatchTuningParameters?.batchSize || batchSizeDefault;
  const parameters =
    request.modelParameters === undefined ? undefined : jsonOfValue(request.modelParameters);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < instances.length && !signal.aborted) {
      const batch = instances.slice(next, next + size);
      next += size;
      try {
        const predictions = await predictBatch(
          predictor,
          batch.map(({ instance }) => instance),
          parameters,
        );
        for (const [index, { at, instance }] of batch.entries()) {
          results.predictions[at] = { ...instance.shown, prediction: predictions[index] };
        }
      } catch (error) {
        const reason = statusOf(error);
        results.reasons.push(reason);
        for (const { instance } of batch)
          results.failures.push({ ...instance.shown, error: reason });
      }
    }
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, work));
};

/** Runs the job. */
export const runBatchPrediction = async (
  context: CloudContext,
  find: FindBatchModel,
  job: KeptJob<BatchPredictionMessage>,
  signal: AbortSignal,
): Promise<JobEnd> => {
  const { request } = job;
  const model = modelOf(request, find);
  const lines = await readLines(
    context.services.storage,
    request.inputConfig?.gcsSource?.uris ?? [],
  );
  const results: Results = { predictions: [], failures: [], reasons: [] };
  const instances = readInstances(lines, request, results);
  const log = openLog(context, job.id);
  log.line(machineLine(request.dedicatedResources?.machineSpec), "stdout");
  const predictor = startModel(context, job, model, log);
  const stop = (): void => void predictor.stop();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    await predictor.becameHealthy;
    await predictAll(predictor, instances, request, results, signal);
  } finally {
    signal.removeEventListener("abort", stop);
    await predictor.stop();
    await log.close();
  }
  if (signal.aborted) throw new RpcError("CANCELLED", "The batch prediction was ended.");

  const directory = directoryOf(request, model, job.createMs);
  const predictions = results.predictions.filter((line) => line !== undefined);
  await writeLines(context, `${directory}/prediction.results-00000-of-00001`, predictions);
  await writeLines(
    context,
    `${directory}/prediction.errors_stats-00000-of-00001`,
    results.failures,
  );
  const result = {
    outputInfo: { gcsOutputDirectory: directory },
    completionStats: {
      successfulCount: String(predictions.length),
      failedCount: String(results.failures.length),
      incompleteCount: "0",
    },
    ...(results.reasons.length === 0
      ? {}
      : { partialFailures: results.reasons.slice(0, partialFailuresMax) }),
  };
  if (results.failures.length === 0) return { state: "SUCCEEDED", result };
  if (predictions.length > 0) return { state: "PARTIALLY_SUCCEEDED", result };
  const [first] = results.reasons;
  return {
    state: "FAILED",
    result,
    error: {
      code: first?.code ?? statusCode.INTERNAL,
      message: `All ${results.failures.length} instances failed, the first with: ${first?.message ?? ""}`,
    },
  };
};
