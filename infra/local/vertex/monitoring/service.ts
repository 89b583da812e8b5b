/**
 * The model monitoring jobs of JobService: kept, paused and resumed. No job computes statistics, so that none has a
 * schedule state or a next run, and the search for anomalies answers UNIMPLEMENTED.
 */
import type { CloudContext } from "../../cloud.js";
import { maskedFields, patched } from "../../protocol/masks.js";
import { RpcError, type CallContext, type ServiceImplementation } from "../../protocol/service.js";
import { writeAudit } from "../audit.js";
import { documentTable } from "../documents.js";
import type { EndpointStore } from "../endpoints/store.js";
import { compileFilter, sortBy, type FieldsOf } from "../jobs/list-filter.js";
import { maskFields } from "../jobs/read-mask.js";
import { emptyReply, timestampOf, typeUrl, type FieldMask } from "../messages.js";
import { generateId, locationName, parseName, parseParent } from "../names.js";
import { operationsOf } from "../operations.js";
import { page, type PageRequest } from "../paging.js";
import { checkMonitoring, type MonitoringFields, type MonitoringMessage } from "./request.js";

interface StoredMonitoring {
  readonly name: string;
  readonly endpoint: string;
  readonly fields: MonitoringFields;
  readonly state: "RUNNING" | "PAUSED";
  readonly createMs: number;
  readonly updateMs: number;
}

interface NameRequest {
  readonly name?: string;
}

interface ListRequest extends PageRequest {
  readonly parent?: string;
  readonly filter?: string;
  readonly readMask?: FieldMask;
}

interface CreateRequest {
  readonly parent?: string;
  readonly modelDeploymentMonitoringJob?: MonitoringMessage;
}

interface UpdateRequest {
  readonly modelDeploymentMonitoringJob?: MonitoringMessage;
  readonly updateMask?: FieldMask;
}

const service = "google.cloud.aiplatform.v1.JobService";
const kind = "ModelDeploymentMonitoringJob";
const collection = "modelDeploymentMonitoringJobs";
const pageSizeMax = 1_000;

const changeable: readonly (keyof MonitoringFields)[] = [
  "displayName",
  "labels",
  "modelDeploymentMonitoringObjectiveConfigs",
  "modelDeploymentMonitoringScheduleConfig",
  "loggingSamplingStrategy",
  "modelMonitoringAlertConfig",
  "logTtl",
  "enableMonitoringPipelineLogs",
];

/** The fields that an update is about: those of the mask, or without one those that are given. */
const fieldsToChange = (
  given: MonitoringFields,
  mask: FieldMask | undefined,
): readonly string[] => {
  const paths = mask?.paths ?? [];
  if (paths.includes("*")) return changeable;
  if (paths.length === 0) return changeable.filter((field) => given[field] !== undefined);
  const nested = paths.find((path) => path.includes("."));
  if (nested !== undefined) {
    throw new RpcError(
      "UNIMPLEMENTED",
      `Field "${nested}" in update_mask cannot be updated by itself in the local cloud: name the whole field.`,
    );
  }
  return maskedFields(mask, changeable, kind);
};

const message = (job: StoredMonitoring): Readonly<Record<string, unknown>> => ({
  ...job.fields,
  name: job.name,
  endpoint: job.endpoint,
  state: `JOB_STATE_${job.state}`,
  createTime: timestampOf(job.createMs),
  updateTime: timestampOf(job.updateMs),
});

const fieldOf: FieldsOf<StoredMonitoring> = (job, field) => {
  const { labels = {}, displayName } = job.fields;
  const label = /^labels[.](.+)$/.exec(field)?.[1];
  if (label !== undefined) return Object.hasOwn(labels, label) ? labels[label] : undefined;
  switch (field) {
    case "display_name":
      return displayName;
    case "state":
      return `JOB_STATE_${job.state}`;
    case "create_time":
      return { ms: job.createMs };
    default:
      return null;
  }
};

/** Makes the part of JobService that is about monitoring. */
export const monitoringService = (
  context: CloudContext,
  endpoints: EndpointStore,
): ServiceImplementation => {
  const { settings } = context;
  const table = documentTable<StoredMonitoring>(context.db, "vertex_monitoring_jobs");
  const operations = operationsOf(context);

  const find = (given: string | undefined): StoredMonitoring => {
    const { name } = parseName(settings, collection, given);
    const job = table.get(name);
    if (job === undefined) throw new RpcError("NOT_FOUND", `The ${kind} ${name} does not exist.`);
    return job;
  };
  const put = (job: StoredMonitoring): StoredMonitoring => {
    table.put(job.name, job);
    return job;
  };
  const audit = (method: string, call: CallContext, resourceName: string, request: object) =>
    writeAudit(context, {
      method: `${service}.${method}`,
      principal: call.principal,
      resourceName,
      request,
    });

  const startUpdate = operations.define<{
    readonly name: string;
    readonly fields: MonitoringFields;
  }>({
    method: `${service}.Update${kind}`,
    metadataType: `Update${kind}OperationMetadata`,
    run: ({ name, fields }) => {
      const job = put({ ...find(name), fields, updateMs: context.now() });
      const response = { "@type": typeUrl(kind), ...message(job) };
      return Promise.resolve({ response, resourceName: name });
    },
  });
  const startDelete = operations.define<{ readonly name: string }>({
    method: `${service}.Delete${kind}`,
    metadataType: "DeleteOperationMetadata",
    run: ({ name }) => {
      table.remove(name);
      return Promise.resolve({ response: emptyReply, resourceName: name });
    },
  });

  const enter = async (
    method: string,
    request: NameRequest,
    call: CallContext,
    [from, to]: readonly [StoredMonitoring["state"], StoredMonitoring["state"]],
  ) => {
    const job = find(request.name);
    if (job.state !== from) {
      throw new RpcError(
        "FAILED_PRECONDITION",
        `The ${kind} ${job.name} is in state JOB_STATE_${job.state}: only one in JOB_STATE_${from} can become JOB_STATE_${to}.`,
      );
    }
    put({ ...job, state: to, updateMs: context.now() });
    await audit(method, call, job.name, request);
    return {};
  };

  return {
    service,
    types: [`google.cloud.aiplatform.v1.Update${kind}OperationMetadata`],
    unary: {
      CreateModelDeploymentMonitoringJob: async (request: CreateRequest, call: CallContext) => {
        parseParent(settings, request.parent);
        const { name: _, endpoint: given, ...fields } = request.modelDeploymentMonitoringJob ?? {};
        const endpoint = endpoints.get(parseName(settings, "endpoints", given).name);
        const now = context.now();
        const job = put({
          name: `${locationName(settings)}/${collection}/${generateId()}`,
          endpoint: endpoint.name,
          fields: checkMonitoring(fields, endpoint),
          state: "RUNNING",
          createMs: now,
          updateMs: now,
        });
        await audit(`Create${kind}`, call, locationName(settings), request);
        return message(job);
      },
      GetModelDeploymentMonitoringJob: ({ name }: NameRequest) => message(find(name)),
      ListModelDeploymentMonitoringJobs: (request: ListRequest) => {
        parseParent(settings, request.parent);
        const matches = compileFilter(request.filter ?? "", fieldOf);
        const all = table.list("").map(({ document }) => document);
        const found = sortBy(all.filter(matches), "create_time desc", fieldOf);
        const { items, nextPageToken } = page(found, request, pageSizeMax);
        return {
          modelDeploymentMonitoringJobs: items.map((job) =>
            maskFields(message(job), request.readMask),
          ),
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
        };
      },
      UpdateModelDeploymentMonitoringJob: (request: UpdateRequest, call: CallContext) => {
        const given = request.modelDeploymentMonitoringJob ?? {};
        const job = find(given.name);
        const fields = patched(job.fields, given, fieldsToChange(given, request.updateMask));
        return startUpdate({
          under: job.name,
          input: {
            name: job.name,
            fields: checkMonitoring(fields, endpoints.get(job.endpoint)),
          },
          request,
          principal: call.principal,
        });
      },
      DeleteModelDeploymentMonitoringJob: (request: NameRequest, call: CallContext) => {
        const { name } = find(request.name);
        return startDelete({
          under: name,
          input: { name },
          request,
          principal: call.principal,
          isImmediate: true,
        });
      },
      PauseModelDeploymentMonitoringJob: (request: NameRequest, call: CallContext) =>
        enter(`Pause${kind}`, request, call, ["RUNNING", "PAUSED"]),
      ResumeModelDeploymentMonitoringJob: (request: NameRequest, call: CallContext) =>
        enter(`Resume${kind}`, request, call, ["PAUSED", "RUNNING"]),
    },
  };
};
