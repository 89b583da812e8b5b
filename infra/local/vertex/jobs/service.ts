/** JobService of Vertex AI: custom jobs, tuning jobs and batch predictions; the other kinds of job answer UNIMPLEMENTED. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { CloudContext, CloudProduct } from "../../cloud.js";
import {
  RpcError,
  type CallContext,
  type ServiceImplementation,
  type UnaryHandler,
} from "../../protocol/service.js";
import { writeAudit } from "../audit.js";
import { emptyReply, type FieldMask } from "../messages.js";
import { modelStore } from "../models/store.js";
import { generateId, locationName, parseName, parseParent } from "../names.js";
import { operationsOf } from "../operations.js";
import { checkTuningJob, type TuningMessage, type TuningRequest } from "./tuning-request.js";
import { runTuningJob } from "./tuning-run.js";
import { page, type PageRequest } from "../paging.js";
import { quotasOf } from "../quotas.js";
import { checkBatchPrediction, type BatchPredictionMessage } from "./batch-request.js";
import { runBatchPrediction, type FindBatchModel } from "./batch-run.js";
import {
  acceleratorsOf,
  checkCustomJob,
  type CustomJobMessage,
  type CustomJobSpec,
} from "./custom-request.js";
import { runCustomJob } from "./custom-run.js";
import {
  hasJobEnded,
  jobKeeper,
  keptJobField,
  keptJobMessage,
  type JobKeeper,
  type KeptJob,
} from "./keeper.js";
import { checkLabels } from "./labels.js";
import { compileFilter, sortBy } from "./list-filter.js";
import { maskFields } from "./read-mask.js";
import type { Labels } from "../messages.js";

/** Settings of the job service that a caller may change. */
export interface JobOptions {
  /** Jobs of one kind that run at once. */
  readonly jobsMax?: number;
  /** Finds registered models; the model registry of the same cloud unless given. */
  readonly findModel?: FindBatchModel;
}

interface NameRequest {
  readonly name?: string;
}

interface ListRequest extends PageRequest {
  readonly parent?: string;
  readonly filter?: string;
  readonly readMask?: FieldMask;
}

const serviceName = "google.cloud.aiplatform.v1.JobService";
const jobsMaxDefault = 2;
const pageSizeMax = 1_000;

/** What tells one kind of job from another at the service. */
interface Resource<Request> {
  /** `CustomJob`, as it stands in the names of methods. */
  readonly kind: string;
  readonly collection: string;
  readonly listField: string;
  readonly keeper: JobKeeper<Request>;
  readonly message: (job: KeptJob<Request>) => Readonly<Record<string, unknown>>;
}

const resourceHandlers = <Request>(
  context: CloudContext,
  resource: Resource<Request>,
): Readonly<Record<string, UnaryHandler>> => {
  const { settings } = context;
  const { kind, collection, keeper } = resource;
  const find = (name: string | undefined): KeptJob<Request> => {
    const parsed = parseName(settings, collection, name);
    if (!/^\d+$/.test(parsed.id)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `List of found errors:\t1.Field: name; Message: Invalid ${kind} resource name.\t`,
      );
    }
    const job = keeper.find(parsed.id);
    if (job === undefined) {
      throw new RpcError("NOT_FOUND", `The ${kind} ${parsed.name} does not exist.`);
    }
    return job;
  };
  const startDelete = operationsOf(context).define<NameRequest>({
    method: `${serviceName}.Delete${kind}`,
    metadataType: "DeleteOperationMetadata",
    run: async ({ name = "" }) => {
      const { id } = parseName(settings, collection, name);
      await rm(join(settings.folder, "jobs", id), { recursive: true, force: true });
      keeper.remove(id);
      return { response: emptyReply, resourceName: name };
    },
  });
  return {
    [`Get${kind}`]: ({ name }: NameRequest) => resource.message(find(name)),
    [`List${kind}s`]: (request: ListRequest) => {
      parseParent(settings, request.parent);
      const matches = compileFilter<KeptJob<Request>>(request.filter ?? "", keptJobField);
      const found = sortBy(keeper.all().filter(matches), "create_time desc", keptJobField);
      const { items, nextPageToken } = page(found, request, pageSizeMax);
      return {
        [resource.listField]: items.map((job) =>
          maskFields(resource.message(job), request.readMask),
        ),
        ...(nextPageToken === undefined ? {} : { nextPageToken }),
      };
    },
    [`Cancel${kind}`]: async ({ name }: NameRequest, call: CallContext) => {
      const job = find(name);
      keeper.cancel(job.id);
      await writeAudit(context, {
        method: `${serviceName}.Cancel${kind}`,
        principal: call.principal,
        resourceName: job.name,
        request: { name: job.name },
      });
      return {};
    },
    [`Delete${kind}`]: ({ name }: NameRequest, call: CallContext) => {
      const job = find(name);
      if (!hasJobEnded(job.state)) {
        throw new RpcError(
          "FAILED_PRECONDITION",
          `The ${kind} ${job.name} is in state JOB_STATE_${job.state}: cancel it or wait for its end before deleting it.`,
        );
      }
      return startDelete({
        under: job.name,
        input: { name: job.name },
        request: { name: job.name },
        principal: call.principal,
        isImmediate: true,
      });
    },
  };
};

/** The accelerators of the trials that run at once. */
const trialAccelerators = (request: TuningRequest) =>
  acceleratorsOf(request.trialJobSpec).map(({ type, count }) => ({
    type,
    count: count * Math.min(request.parallelTrialCount, request.maxTrialCount),
  }));

/** The registry of the same cloud as a source of models. */
const registeredModels = (context: CloudContext): FindBatchModel => {
  const store = modelStore(context);
  return (name) => {
    const { model, version } = store.resolve(parseName(context.settings, "models", name));
    const storageUri = version.managedUri ?? version.artifactUri;
    return {
      displayName: model.displayName,
      versionId: version.versionId,
      containerSpec: version.containerSpec,
      ...(storageUri === undefined ? {} : { storageUri }),
    };
  };
};

/** The job service as a product of the local cloud. */
export const jobProduct = (context: CloudContext, options: JobOptions = {}): CloudProduct => {
  const { settings } = context;
  const jobsMax = options.jobsMax ?? jobsMaxDefault;
  const findModel = options.findModel ?? registeredModels(context);
  const customJobs: Resource<CustomJobSpec> = {
    kind: "CustomJob",
    collection: "customJobs",
    listField: "customJobs",
    keeper: jobKeeper(context, {
      label: "custom job",
      table: "vertex_custom_jobs",
      jobsMax,
      run: (job, signal) => runCustomJob(context, job, signal),
    }),
    message: (job) => ({ ...keptJobMessage(job), jobSpec: job.request }),
  };
  const tuningJobs: Resource<TuningRequest> = {
    kind: "HyperparameterTuningJob",
    collection: "hyperparameterTuningJobs",
    listField: "hyperparameterTuningJobs",
    keeper: jobKeeper(context, {
      label: "tuning job",
      table: "vertex_tuning_jobs",
      jobsMax,
      run: (job, signal, note) => runTuningJob(context, job, signal, note),
    }),
    message: (job) => ({ ...job.request, ...keptJobMessage(job) }),
  };
  const batchPredictions: Resource<BatchPredictionMessage> = {
    kind: "BatchPredictionJob",
    collection: "batchPredictionJobs",
    listField: "batchPredictionJobs",
    keeper: jobKeeper(context, {
      label: "batch prediction",
      table: "vertex_batch_prediction_jobs",
      jobsMax,
      run: (job, signal) => runBatchPrediction(context, findModel, job, signal),
    }),
    message: (job) => ({ ...shownRequest(job.request), ...keptJobMessage(job) }),
  };

  const quotas = quotasOf(context);
  quotas.countUsersOf(() =>
    tuningJobs.keeper
      .all()
      .filter(({ state }) => !hasJobEnded(state))
      .flatMap(({ request }) => trialAccelerators(request)),
  );
  quotas.countUsersOf(() =>
    customJobs.keeper
      .all()
      .filter(({ state }) => !hasJobEnded(state))
      .flatMap(({ request }) => acceleratorsOf(request)),
  );

  const newJob = <Request>(
    collection: string,
    displayName: string,
    labels: Labels | undefined,
    request: Request,
  ): KeptJob<Request> => {
    const now = context.now();
    const id = generateId();
    return {
      id,
      name: `${locationName(settings)}/${collection}/${id}`,
      displayName,
      labels: checkLabels(labels),
      request,
      state: "PENDING",
      createMs: now,
      updateMs: now,
      result: {},
    };
  };

  const accept = async <Request>(
    resource: Resource<Request>,
    job: KeptJob<Request>,
    call: CallContext,
  ) => {
    resource.keeper.submit(job);
    const message = resource.message(job);
    await writeAudit(context, {
      method: `${serviceName}.Create${resource.kind}`,
      principal: call.principal,
      resourceName: locationName(settings),
      request: { parent: locationName(settings), displayName: job.displayName, labels: job.labels },
      response: { name: job.name },
    });
    return message;
  };

  const service: ServiceImplementation = {
    service: serviceName,
    unary: {
      CreateCustomJob: (
        request: { readonly parent?: string; readonly customJob?: CustomJobMessage },
        call: CallContext,
      ) => {
        parseParent(settings, request.parent);
        const { displayName, spec } = checkCustomJob(request.customJob);
        quotas.checkAccelerators(acceleratorsOf(spec));
        const job = newJob("customJobs", displayName, request.customJob?.labels, spec);
        return accept(customJobs, job, call);
      },
      ...resourceHandlers(context, customJobs),
      CreateHyperparameterTuningJob: (
        request: { readonly parent?: string; readonly hyperparameterTuningJob?: TuningMessage },
        call: CallContext,
      ) => {
        parseParent(settings, request.parent);
        const given = checkTuningJob(request.hyperparameterTuningJob);
        quotas.checkAccelerators(trialAccelerators(given.request));
        const { labels } = request.hyperparameterTuningJob ?? {};
        const { displayName } = given;
        const job = newJob("hyperparameterTuningJobs", displayName, labels, given.request);
        return accept(tuningJobs, job, call);
      },
      ...resourceHandlers(context, tuningJobs),
      CreateBatchPredictionJob: (
        request: {
          readonly parent?: string;
          readonly batchPredictionJob?: BatchPredictionMessage;
        },
        call: CallContext,
      ) => {
        parseParent(settings, request.parent);
        const given = checkBatchPrediction(request.batchPredictionJob);
        const labels = request.batchPredictionJob?.labels;
        const job = newJob("batchPredictionJobs", given.displayName, labels, given.request);
        // A model that does not exist refuses the request, not the run.
        const { model } = given.request;
        const versionId = model ? findModel(model).versionId : undefined;
        const known =
          versionId === undefined ? job : { ...job, result: { modelVersionId: versionId } };
        return accept(batchPredictions, known, call);
      },
      ...resourceHandlers(context, batchPredictions),
    },
  };
  return {
    services: [service],
    start: () => {
      customJobs.keeper.resume();
      tuningJobs.keeper.resume();
      batchPredictions.keeper.resume();
    },
    stop: async () => {
      await Promise.all([
        customJobs.keeper.stop(),
        tuningJobs.keeper.stop(),
        batchPredictions.keeper.stop(),
      ]);
    },
  };
};

/** The container specification of an unmanaged model is input only. */
const shownRequest = (request: BatchPredictionMessage): BatchPredictionMessage => {
  if (request.unmanagedContainerModel === undefined) return request;
  const { containerSpec: _, ...shown } = request.unmanagedContainerModel;
  return { ...request, unmanagedContainerModel: shown };
};
