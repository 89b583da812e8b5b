/** google.cloud.aiplatform.v1.EndpointService. */
import type { CloudContext } from "../../cloud.js";
import { RpcError, type CallContext, type ServiceImplementation } from "../../protocol/service.js";
import { writeAudit } from "../audit.js";
import { checkDisplayName, checkEtag, checkLabels, checkMask, parseOrder } from "../fields.js";
import { parseFilter } from "../filters.js";
import {
  durationMs,
  emptyReply,
  typeUrl,
  type Endpoint,
  type FieldMask,
  type TrafficSplit,
} from "../messages.js";
import type { ModelStore } from "../models/store.js";
import { generateId, lastSegment, parseName, parseParent } from "../names.js";
import { operationsOf } from "../operations.js";
import { page, type PageRequest } from "../paging.js";
import type { Fleet } from "../serving/fleet.js";
import { checkPredictionLog } from "../serving/prediction-log.js";
import { deployments } from "./deploy.js";
import { endpointMessage, type EndpointStore, type StoredEndpoint } from "./store.js";
import { checkTrafficSplit } from "./traffic.js";

interface Named {
  readonly name?: string;
}

interface CreateEndpointRequest {
  readonly parent?: string;
  readonly endpoint?: Endpoint;
  readonly endpointId?: string;
}

interface ListEndpointsRequest extends PageRequest {
  readonly parent?: string;
  readonly filter?: string;
  readonly orderBy?: string;
}

interface UpdateEndpointRequest {
  readonly endpoint?: Endpoint;
  readonly updateMask?: FieldMask;
}

const service = "google.cloud.aiplatform.v1.EndpointService";
const pageSizeMax = 1_000;
const inferenceTimeoutMsMax = 600_000;
const endpointIdPattern = /^(?:[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}|0)$/;

const unsupported = ["network", "privateServiceConnectConfig", "encryptionSpec"] as const;

const checkConfig = (endpoint: Endpoint): void => {
  checkLabels(endpoint.labels);
  checkPredictionLog(endpoint.predictRequestResponseLoggingConfig);
  const used = unsupported.find(
    (field) => endpoint[field] !== undefined && endpoint[field] !== "" && endpoint[field] !== null,
  );
  const isPrivate =
    endpoint.enablePrivateServiceConnect === true || endpoint.dedicatedEndpointEnabled === true;
  if (used !== undefined || isPrivate) {
    throw new RpcError(
      "UNIMPLEMENTED",
      `endpoint.${used ?? "private or dedicated serving"} is not available in the local cloud: use a public endpoint.`,
    );
  }
  const timeout = endpoint.clientConnectionConfig?.inferenceTimeout;
  if (timeout !== undefined) {
    const ms = durationMs(timeout);
    if (!(ms > 0 && ms <= inferenceTimeoutMsMax)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Invalid client_connection_config.inference_timeout of ${ms} ms: at most ${inferenceTimeoutMsMax / 1000} s.`,
      );
    }
  }
};

const configOf = (
  endpoint: Endpoint,
): Pick<StoredEndpoint, "predictionLog" | "inferenceTimeoutMs"> => {
  const timeout = endpoint.clientConnectionConfig?.inferenceTimeout;
  return {
    ...(endpoint.predictRequestResponseLoggingConfig === undefined
      ? {}
      : { predictionLog: endpoint.predictRequestResponseLoggingConfig }),
    ...(timeout === undefined ? {} : { inferenceTimeoutMs: durationMs(timeout) }),
  };
};

/** Makes the service of endpoints. */
export const endpointService = (
  context: CloudContext,
  models: ModelStore,
  endpoints: EndpointStore,
  fleet: Fleet,
): ServiceImplementation => {
  const operations = operationsOf(context);
  const { settings } = context;

  const show = (endpoint: StoredEndpoint): Endpoint =>
    endpointMessage(endpoint, (deployed) => fleet.statusOf(endpoint.name, deployed));

  /** One operation at a time may change an endpoint. */
  const checkIdle = (endpointName: string): void => {
    const running = operations.runningUnder(endpointName);
    if (running !== undefined) {
      throw new RpcError(
        "FAILED_PRECONDITION",
        `There are other operations running on the Endpoint "${endpointName}". Operation(s) are: ${running}. Wait for their end and try again.`,
      );
    }
  };

  const { deployModel, undeployModel, mutateDeployedModel } = deployments(
    context,
    models,
    endpoints,
    fleet,
    checkIdle,
  );

  const startCreate = operations.define<StoredEndpoint>({
    method: `${service}.CreateEndpoint`,
    metadataType: "CreateEndpointOperationMetadata",
    run: (wanted) => {
      const endpoint = endpoints.find(wanted.name) ?? endpoints.put(wanted);
      const { etag: _etag, createTime: _create, updateTime: _update, ...created } = show(endpoint);
      // The service leaves the etag and the times to the first read.
      return Promise.resolve({
        resourceName: endpoint.name,
        response: { "@type": typeUrl("Endpoint"), ...created },
      });
    },
  });

  const startDelete = operations.define<{ readonly name: string }>({
    method: `${service}.DeleteEndpoint`,
    metadataType: "DeleteOperationMetadata",
    run: ({ name }) => {
      endpoints.remove(name);
      return Promise.resolve({ resourceName: name, response: emptyReply });
    },
  });

  const createEndpoint = (request: CreateEndpointRequest, call: CallContext) => {
    const parent = parseParent(settings, request.parent);
    const given = request.endpoint ?? {};
    const wantedId = request.endpointId ?? "";
    if (wantedId !== "" && !endpointIdPattern.test(wantedId)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Invalid endpoint_id "${wantedId}": up to 63 characters of [a-z0-9-] that begin with a letter and do not end with "-", or up to 9 digits without a leading zero.`,
      );
    }
    const displayName = checkDisplayName("endpoint.display_name", given.displayName);
    checkConfig(given);
    checkTrafficSplit(given.trafficSplit ?? {}, []);
    const name = `${parent}/endpoints/${wantedId === "" ? generateId() : wantedId}`;
    if (endpoints.find(name) !== undefined || operations.runningUnder(name) !== undefined) {
      throw new RpcError("ALREADY_EXISTS", `The Endpoint "${name}" already exists.`);
    }
    const now = context.now();
    return startCreate({
      under: name,
      input: {
        name,
        displayName,
        ...(given.description === undefined ? {} : { description: given.description }),
        labels: given.labels ?? {},
        deployedModels: [],
        trafficSplit: {},
        ...configOf(given),
        createMs: now,
        updateMs: now,
        revision: 0,
      },
      request,
      principal: call.principal,
      auditResource: parent,
    });
  };

  const updateEndpoint = async (
    request: UpdateEndpointRequest,
    call: CallContext,
  ): Promise<Endpoint> => {
    const given = request.endpoint ?? {};
    const before = endpoints.get(parseName(settings, "endpoints", given.name).name);
    const paths = checkMask(request.updateMask, [
      "display_name",
      "description",
      "labels",
      "traffic_split",
      "predict_request_response_logging_config",
      "client_connection_config",
    ]);
    checkConfig(given);
    const split: TrafficSplit = given.trafficSplit ?? {};
    if (paths.has("traffic_split")) {
      checkTrafficSplit(
        split,
        before.deployedModels.map(({ id }) => id),
      );
    }
    checkIdle(before.name);
    checkEtag(before.name, before.revision, given.etag);
    const { description, predictionLog, inferenceTimeoutMs, ...rest } = before;
    const config = configOf(given);
    const nextDescription = paths.has("description") ? given.description : description;
    const nextLog = paths.has("predict_request_response_logging_config")
      ? config.predictionLog
      : predictionLog;
    const nextTimeout = paths.has("client_connection_config")
      ? config.inferenceTimeoutMs
      : inferenceTimeoutMs;
    const after = endpoints.put({
      ...rest,
      ...(nextDescription === undefined ? {} : { description: nextDescription }),
      ...(nextLog === undefined ? {} : { predictionLog: nextLog }),
      ...(nextTimeout === undefined ? {} : { inferenceTimeoutMs: nextTimeout }),
      displayName: paths.has("display_name")
        ? checkDisplayName("endpoint.display_name", given.displayName)
        : rest.displayName,
      labels: paths.has("labels") ? (given.labels ?? {}) : rest.labels,
      trafficSplit: paths.has("traffic_split") ? split : rest.trafficSplit,
    });
    const reply = show(after);
    await writeAudit(context, {
      method: `${service}.UpdateEndpoint`,
      principal: call.principal,
      resourceName: after.name,
      request,
      response: { "@type": typeUrl("Endpoint"), ...reply },
    });
    return reply;
  };

  return {
    service,
    types: [
      "CreateEndpointOperationMetadata",
      "DeleteOperationMetadata",
      "DeployModelOperationMetadata",
      "DeployModelResponse",
      "UndeployModelOperationMetadata",
      "UndeployModelResponse",
      "MutateDeployedModelOperationMetadata",
      "MutateDeployedModelResponse",
    ].map((name) => `google.cloud.aiplatform.v1.${name}`),
    unary: {
      CreateEndpoint: createEndpoint,
      UpdateEndpoint: updateEndpoint,
      DeployModel: deployModel,
      UndeployModel: undeployModel,
      MutateDeployedModel: mutateDeployedModel,

      GetEndpoint: (request: Named) =>
        show(endpoints.get(parseName(settings, "endpoints", request.name).name)),

      ListEndpoints: (request: ListEndpointsRequest) => {
        parseParent(settings, request.parent);
        const matches = parseFilter(request.filter, "endpoint");
        const found = endpoints
          .all()
          .filter(({ name, displayName, labels }) =>
            matches({ id: lastSegment(name), displayName, labels }),
          )
          .toSorted(parseOrder(request.orderBy));
        const { items, nextPageToken } = page(found, request, pageSizeMax);
        return {
          endpoints: items.map(show),
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
        };
      },

      DeleteEndpoint: (request: Named, call: CallContext) => {
        const endpoint = endpoints.get(parseName(settings, "endpoints", request.name).name);
        if (endpoint.deployedModels.length > 0) {
          throw new RpcError(
            "FAILED_PRECONDITION",
            `The Endpoint "${endpoint.name}" has ${endpoint.deployedModels.length} deployed model(s) (${endpoint.deployedModels.map(({ id }) => id).join(", ")}): undeploy them first.`,
          );
        }
        checkIdle(endpoint.name);
        return startDelete({
          under: endpoint.name,
          input: { name: endpoint.name },
          request,
          principal: call.principal,
          isImmediate: true,
        });
      },
    },
  };
};
