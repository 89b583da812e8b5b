/** PipelineService of Vertex AI: pipeline jobs, run as DAGs of local containers. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { CloudContext, CloudProduct } from "../../cloud.js";
import { RpcError, type CallContext, type ServiceImplementation } from "../../protocol/service.js";
import { writeAudit } from "../audit.js";
import { compileFilter, sortBy } from "../jobs/list-filter.js";
import { maskFields } from "../jobs/read-mask.js";
import { emptyReply, type FieldMask } from "../messages.js";
import { parseName, parseParent } from "../names.js";
import { operationsOf } from "../operations.js";
import { page, type PageRequest } from "../paging.js";
import { hasEnded, jobField, jobMessage, jobMessageWithTasks } from "./job-message.js";
import { pipelineJobs, type PipelineLimits } from "./jobs.js";
import { pipelineStore, type StoredJob } from "./store.js";
import { readSubmission, type CreatePipelineJobRequest } from "./submission.js";

interface NameRequest {
  readonly name?: string;
}

interface ListRequest extends PageRequest {
  readonly parent?: string;
  readonly filter?: string;
  readonly orderBy?: string;
  readonly readMask?: FieldMask;
}

const serviceName = "google.cloud.aiplatform.v1.PipelineService";
const tasksMaxDefault = 2;
const taskTimeoutMsDefault = 86_400_000;
const pageSizeMax = 1_000;

const refuseRunning = (job: StoredJob): void => {
  if (hasEnded(job)) return;
  throw new RpcError(
    "FAILED_PRECONDITION",
    `The PipelineJob ${job.name} is in state PIPELINE_STATE_${job.state}: cancel it or wait for its end before deleting it.`,
  );
};

/** The pipeline service as a product of the local cloud. */
export const pipelineProduct = (
  context: CloudContext,
  options: Partial<PipelineLimits> = {},
): CloudProduct => {
  const { settings } = context;
  const store = pipelineStore(context);
  const jobs = pipelineJobs(context, store, {
    tasksMax: options.tasksMax ?? tasksMaxDefault,
    taskTimeoutMs: options.taskTimeoutMs ?? taskTimeoutMsDefault,
  });
  const operations = operationsOf(context);

  const find = (name: string | undefined): StoredJob => {
    const parsed = parseName(settings, "pipelineJobs", name);
    const job = store.job(parsed.id);
    if (job === undefined) {
      throw new RpcError("NOT_FOUND", "The PipelineJob does not exist.");
    }
    return job;
  };

  const refuseDuplicate = (id: string): void => {
    if (store.record(id) !== undefined) {
      throw new RpcError("ALREADY_EXISTS", `Requested entity already exists: pipeline job ${id}.`);
    }
  };

  const create = async (request: CreatePipelineJobRequest, call: CallContext) => {
    const parent = parseParent(settings, request.parent);
    if (request.pipelineJobId !== undefined) refuseDuplicate(request.pipelineJobId);
    const job = await readSubmission(context, request);
    // Reading a template takes time, so that the same id may have been taken meanwhile.
    refuseDuplicate(job.id);
    await jobs.submit(job);
    const message = jobMessage(job);
    const { pipelineSpec: _, ...summary } = message;
    await writeAudit(context, {
      method: `${serviceName}.CreatePipelineJob`,
      principal: call.principal,
      resourceName: parent,
      request: { parent, pipelineJobId: job.id, pipelineJob: { displayName: job.displayName } },
      response: summary,
    });
    return message;
  };

  const list = (request: ListRequest) => {
    parseParent(settings, request.parent);
    const matches = compileFilter(request.filter ?? "", jobField);
    const found = sortBy(
      store.records().filter(matches),
      request.orderBy || "create_time desc",
      jobField,
    );
    const { items, nextPageToken } = page(found, request, pageSizeMax);
    return {
      pipelineJobs: items.flatMap(({ id }) => {
        const job = store.job(id);
        return job === undefined ? [] : [maskFields(jobMessage(job), request.readMask)];
      }),
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    };
  };

  const startDelete = operations.define<{ readonly name: string }>({
    method: `${serviceName}.DeletePipelineJob`,
    metadataType: "DeleteOperationMetadata",
    run: async ({ name }) => {
      const { id } = parseName(settings, "pipelineJobs", name);
      await rm(join(settings.folder, "pipelines", id), { recursive: true, force: true });
      store.removeJob(id);
      return { response: emptyReply, resourceName: name };
    },
  });

  const service: ServiceImplementation = {
    service: serviceName,
    unary: {
      CreatePipelineJob: create,
      GetPipelineJob: ({ name }: NameRequest) => {
        const job = find(name);
        return jobMessageWithTasks(settings, job, store.tasks(job.id));
      },
      ListPipelineJobs: list,
      CancelPipelineJob: async ({ name }: NameRequest, call: CallContext) => {
        const job = find(name);
        if (hasEnded(job)) {
          throw new RpcError(
            "FAILED_PRECONDITION",
            `The PipelineJob ${job.name} has already ended with PIPELINE_STATE_${job.state}.`,
          );
        }
        await jobs.cancel(job.id);
        await writeAudit(context, {
          method: `${serviceName}.CancelPipelineJob`,
          principal: call.principal,
          resourceName: job.name,
          request: { name: job.name },
        });
        return {};
      },
      DeletePipelineJob: ({ name }: NameRequest, call: CallContext) => {
        const job = find(name);
        refuseRunning(job);
        return startDelete({
          under: job.name,
          input: { name: job.name },
          request: { name: job.name },
          principal: call.principal,
          isImmediate: true,
        });
      },
    },
  };

  return { services: [service], start: jobs.resume, stop: jobs.stop };
};
