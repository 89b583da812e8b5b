/** Endpoints as they are kept, and as replies show them. */
import type { CloudContext } from "../../cloud.js";
import { RpcError } from "../../protocol/service.js";
import { documentTable } from "../documents.js";
import { etagOf } from "../fields.js";
import {
  timestampOf,
  type DedicatedResources,
  type DeployedModel,
  type Endpoint,
  type Labels,
  type ModelContainerSpec,
  type PredictionLogConfig,
  type TrafficSplit,
} from "../messages.js";
import type { DeployedModelRef } from "../models/store.js";

/** A model on an endpoint, with all that starting its container needs. */
export interface StoredDeployedModel {
  readonly id: string;
  readonly model: string;
  readonly modelVersionId: string;
  readonly modelDisplayName: string;
  readonly displayName: string;
  readonly createMs: number;
  readonly resources: DedicatedResources;
  readonly containerSpec: ModelContainerSpec;
  readonly storageUri?: string;
  readonly serviceAccount?: string;
  readonly isContainerLoggingDisabled: boolean;
  readonly isAccessLoggingEnabled: boolean;
}

/** An endpoint. */
export interface StoredEndpoint {
  readonly name: string;
  readonly displayName: string;
  readonly description?: string;
  readonly labels: Labels;
  readonly deployedModels: readonly StoredDeployedModel[];
  readonly trafficSplit: TrafficSplit;
  readonly predictionLog?: PredictionLogConfig;
  readonly inferenceTimeoutMs?: number;
  readonly createMs: number;
  readonly updateMs: number;
  readonly revision: number;
}

/** How many replicas of a deployed model answer now, and a word about it. */
export interface ReplicaStatus {
  readonly availableReplicaCount: number;
  readonly message: string;
  readonly sinceMs: number;
}

/** The endpoints' durable state, kept in memory too because every prediction reads it. */
export interface EndpointStore {
  readonly find: (name: string) => StoredEndpoint | undefined;
  /** Throws NOT_FOUND. */
  readonly get: (name: string) => StoredEndpoint;
  readonly all: () => readonly StoredEndpoint[];
  /** Stores a change as the next revision. */
  readonly put: (endpoint: StoredEndpoint) => StoredEndpoint;
  readonly remove: (name: string) => void;
  readonly deploymentsOf: (modelName: string, versionId?: string) => readonly DeployedModelRef[];
}

/** Opens the endpoints. */
export const endpointStore = (context: CloudContext): EndpointStore => {
  const table = documentTable<StoredEndpoint>(context.db, "vertex_endpoints");
  const endpoints = new Map(table.list("").map(({ key, document }) => [key, document]));
  return {
    find: (name) => endpoints.get(name),
    get: (name) => {
      const endpoint = endpoints.get(name);
      if (endpoint === undefined) {
        throw new RpcError("NOT_FOUND", `The Endpoint "${name}" does not exist.`);
      }
      return endpoint;
    },
    all: () => [...endpoints.values()],
    put: (endpoint) => {
      const next = { ...endpoint, updateMs: context.now(), revision: endpoint.revision + 1 };
      table.put(next.name, next);
      endpoints.set(next.name, next);
      return next;
    },
    remove: (name) => {
      table.remove(name);
      endpoints.delete(name);
    },
    deploymentsOf: (modelName, versionId) =>
      [...endpoints.values()].flatMap((endpoint) =>
        endpoint.deployedModels
          .filter(
            (deployed) =>
              deployed.model === modelName &&
              (versionId === undefined || deployed.modelVersionId === versionId),
          )
          .map((deployed) => ({ endpoint: endpoint.name, deployedModelId: deployed.id })),
      ),
  };
};

/** A deployed model as a reply. */
export const deployedModelMessage = (
  deployed: StoredDeployedModel,
  status: ReplicaStatus | undefined,
): DeployedModel => ({
  id: deployed.id,
  model: deployed.model,
  modelVersionId: deployed.modelVersionId,
  displayName: deployed.displayName,
  createTime: timestampOf(deployed.createMs),
  dedicatedResources: deployed.resources,
  ...(deployed.serviceAccount === undefined ? {} : { serviceAccount: deployed.serviceAccount }),
  ...(deployed.isContainerLoggingDisabled ? { disableContainerLogging: true } : {}),
  ...(deployed.isAccessLoggingEnabled ? { enableAccessLogging: true } : {}),
  ...(status === undefined
    ? {}
    : {
        status: {
          ...(status.message === "" ? {} : { message: status.message }),
          lastUpdateTime: timestampOf(status.sinceMs),
          availableReplicaCount: status.availableReplicaCount,
        },
      }),
});

/** An endpoint as a reply. */
export const endpointMessage = (
  endpoint: StoredEndpoint,
  statusOf: (deployed: StoredDeployedModel) => ReplicaStatus | undefined,
): Endpoint => ({
  name: endpoint.name,
  displayName: endpoint.displayName,
  ...(endpoint.description === undefined ? {} : { description: endpoint.description }),
  ...(endpoint.deployedModels.length === 0
    ? {}
    : {
        deployedModels: endpoint.deployedModels.map((deployed) =>
          deployedModelMessage(deployed, statusOf(deployed)),
        ),
      }),
  ...(Object.keys(endpoint.trafficSplit).length === 0
    ? {}
    : { trafficSplit: endpoint.trafficSplit }),
  etag: etagOf(endpoint.name, endpoint.revision),
  ...(Object.keys(endpoint.labels).length === 0 ? {} : { labels: endpoint.labels }),
  createTime: timestampOf(endpoint.createMs),
  updateTime: timestampOf(endpoint.updateMs),
  ...(endpoint.predictionLog === undefined
    ? {}
    : { predictRequestResponseLoggingConfig: endpoint.predictionLog }),
  ...(endpoint.inferenceTimeoutMs === undefined
    ? {}
    : {
        clientConnectionConfig: {
          inferenceTimeout: {
            seconds: String(Math.floor(endpoint.inferenceTimeoutMs / 1000)),
            nanos: (endpoint.inferenceTimeoutMs % 1000) * 1e6,
          },
        },
      }),
});
