/** Deploying, undeploying and resizing models on an endpoint. */
import type { CloudContext } from "../../cloud.js";
import { RpcError, type CallContext } from "../../protocol/service.js";
import { checkMask } from "../fields.js";
import {
  typeUrl,
  type DedicatedResources,
  type DeployedModel,
  type FieldMask,
  type TrafficSplit,
} from "../messages.js";
import type { ModelStore } from "../models/store.js";
import { generateId, parseName } from "../names.js";
import { operationsOf, type OperationMessage } from "../operations.js";
import type { Fleet } from "../serving/fleet.js";
import {
  deployedModelMessage,
  type EndpointStore,
  type StoredDeployedModel,
  type StoredEndpoint,
} from "./store.js";
import { beingDeployed, checkTrafficSplit, nameBeingDeployed } from "./traffic.js";

/** google.cloud.aiplatform.v1.DeployModelRequest. */
export interface DeployModelRequest {
  readonly endpoint?: string;
  readonly deployedModel?: DeployedModel;
  readonly trafficSplit?: TrafficSplit;
}

/** google.cloud.aiplatform.v1.UndeployModelRequest. */
export interface UndeployModelRequest {
  readonly endpoint?: string;
  readonly deployedModelId?: string;
  readonly trafficSplit?: TrafficSplit;
}

/** google.cloud.aiplatform.v1.MutateDeployedModelRequest. */
export interface MutateDeployedModelRequest {
  readonly endpoint?: string;
  readonly deployedModel?: DeployedModel;
  readonly updateMask?: FieldMask;
}

interface DeployInput {
  readonly endpoint: string;
  readonly deployed: StoredDeployedModel;
  readonly trafficSplit: TrafficSplit;
}

interface UndeployInput {
  readonly endpoint: string;
  readonly id: string;
  readonly trafficSplit: TrafficSplit;
}

interface MutateInput {
  readonly endpoint: string;
  readonly deployed: StoredDeployedModel;
}

type Starter<Request> = (request: Request, call: CallContext) => Promise<OperationMessage>;

/** The three long-running calls that change what is deployed. */
export interface Deployments {
  readonly deployModel: Starter<DeployModelRequest>;
  readonly undeployModel: Starter<UndeployModelRequest>;
  readonly mutateDeployedModel: Starter<MutateDeployedModelRequest>;
}

const lookMsMax = 100;
const service = "google.cloud.aiplatform.v1.EndpointService";
const replicasMax = 1_000;

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

const checkResources = (resources: DedicatedResources | undefined): DedicatedResources => {
  if (resources === undefined) {
    throw invalid(
      "deployed_model.dedicated_resources is required: this model supports DEDICATED_RESOURCES only.",
    );
  }
  const { machineSpec } = resources;
  if (machineSpec === undefined) {
    throw invalid("deployed_model.dedicated_resources.machine_spec is required.");
  }
  const min = resources.minReplicaCount ?? 0;
  const max = resources.maxReplicaCount ?? 0;
  const required = resources.requiredReplicaCount ?? 0;
  if (min < 1) {
    throw invalid(
      `Invalid dedicated_resources.min_replica_count ${min}: it must be greater than or equal to 1.`,
    );
  }
  if (max !== 0 && max < min) {
    throw invalid(
      `Invalid dedicated_resources.max_replica_count ${max}: it must not be below min_replica_count ${min}.`,
    );
  }
  if (max > replicasMax) {
    throw invalid(`Invalid dedicated_resources.max_replica_count ${max}: ${replicasMax} at most.`);
  }
  if (required < 0 || required > (max === 0 ? min : max)) {
    throw invalid(`Invalid dedicated_resources.required_replica_count ${required}.`);
  }
  const hasAccelerator =
    machineSpec.acceleratorType !== undefined &&
    machineSpec.acceleratorType !== "ACCELERATOR_TYPE_UNSPECIFIED";
  if (hasAccelerator !== (machineSpec.acceleratorCount ?? 0) > 0) {
    throw invalid("machine_spec.accelerator_type and accelerator_count go together.");
  }
  return {
    ...resources,
    machineSpec: { ...machineSpec, machineType: machineSpec.machineType ?? "n1-standard-2" },
    minReplicaCount: min,
    maxReplicaCount: max === 0 ? min : max,
  };
};

/** Waits for a time of the cloud's own clock, which may be faster than the machine's. */
const waitUntil = (now: () => number, dueMs: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      clearTimeout(timer);
      reject(new RpcError("CANCELLED", "The deployment was interrupted."));
    };
    const look = (): void => {
      const leftMs = dueMs - now();
      if (leftMs > 0) {
        timer = setTimeout(look, Math.min(leftMs, lookMsMax));
        return;
      }
      signal.removeEventListener("abort", stop);
      resolve();
    };
    if (signal.aborted) stop();
    else {
      signal.addEventListener("abort", stop, { once: true });
      look();
    }
  });

const find = (endpoint: StoredEndpoint, id: string | undefined): StoredDeployedModel => {
  const deployed = endpoint.deployedModels.find((model) => model.id === id);
  if (deployed === undefined) {
    throw new RpcError(
      "NOT_FOUND",
      `The DeployedModel "${id ?? ""}" does not exist on ${endpoint.name}.`,
    );
  }
  return deployed;
};

const chooseId = (endpoint: StoredEndpoint, wanted: string | undefined): string => {
  if (wanted === undefined || wanted === "") return generateId();
  if (!/^[1-9][0-9]{0,9}$/.test(wanted)) {
    throw invalid(
      `Invalid deployed_model.id "${wanted}": it has 1 to 10 digits and does not begin with 0.`,
    );
  }
  if (endpoint.deployedModels.some(({ id }) => id === wanted)) {
    throw new RpcError(
      "ALREADY_EXISTS",
      `The DeployedModel "${wanted}" already exists on ${endpoint.name}.`,
    );
  }
  return wanted;
};

/** Makes the calls. */
export const deployments = (
  context: CloudContext,
  models: ModelStore,
  endpoints: EndpointStore,
  fleet: Fleet,
  checkIdle: (endpointName: string) => void,
): Deployments => {
  const operations = operationsOf(context);
  const { settings } = context;

  const show = (endpoint: string, deployed: StoredDeployedModel): DeployedModel =>
    deployedModelMessage(deployed, fleet.statusOf(endpoint, deployed));

  const endpointOf = (text: string | undefined): StoredEndpoint =>
    endpoints.get(parseName(settings, "endpoints", text).name);

  const deploy = operations.define<DeployInput>({
    method: `${service}.DeployModel`,
    metadataType: "DeployModelOperationMetadata",
    run: async ({ endpoint: name, deployed, trafficSplit }, operation) => {
      const isDone = endpoints.get(name).deployedModels.some(({ id }) => id === deployed.id);
      if (!isDone) {
        operation.report({ deploymentStage: "STARTING_MODEL_SERVER" });
        const { predictor } = fleet.start(name, deployed, false);
        const interrupt = (): void => {
          void fleet.end(name, deployed.id);
        };
        operation.signal.addEventListener("abort", interrupt, { once: true });
        try {
          await predictor.becameHealthy;
          operation.report({ deploymentStage: "FINISHING_UP" });
          const dueMs = context.now() + settings.deployDelayMs;
          await waitUntil(context.now, dueMs, operation.signal);
          if (predictor.phase() !== "healthy") {
            throw new RpcError(
              "FAILED_PRECONDITION",
              `Model server exited unexpectedly: it is ${predictor.phase()} after it had become healthy.`,
            );
          }
        } catch (error) {
          operation.report({ deploymentStage: "FAILED_TO_DEPLOY" });
          await fleet.end(name, deployed.id);
          throw error;
        } finally {
          operation.signal.removeEventListener("abort", interrupt);
        }
        const endpoint = endpoints.get(name);
        endpoints.put({
          ...endpoint,
          deployedModels: [...endpoint.deployedModels, { ...deployed, createMs: context.now() }],
          trafficSplit:
            Object.keys(trafficSplit).length === 0
              ? endpoint.trafficSplit
              : nameBeingDeployed(trafficSplit, deployed.id),
        });
        operation.report({ deploymentStage: "SUCCESSFULLY_DEPLOYED" });
      }
      return {
        resourceName: name,
        response: {
          "@type": typeUrl("DeployModelResponse"),
          deployedModel: show(name, find(endpoints.get(name), deployed.id)),
        },
      };
    },
  });

  const undeploy = operations.define<UndeployInput>({
    method: `${service}.UndeployModel`,
    metadataType: "UndeployModelOperationMetadata",
    run: async ({ endpoint: name, id, trafficSplit }) => {
      const endpoint = endpoints.get(name);
      const deployedModels = endpoint.deployedModels.filter((deployed) => deployed.id !== id);
      if (deployedModels.length < endpoint.deployedModels.length) {
        const { [id]: _, ...kept } =
          Object.keys(trafficSplit).length === 0 ? endpoint.trafficSplit : trafficSplit;
        endpoints.put({
          ...endpoint,
          deployedModels,
          trafficSplit: deployedModels.length === 0 ? {} : kept,
        });
      }
      await fleet.end(name, id);
      return { resourceName: name, response: { "@type": typeUrl("UndeployModelResponse") } };
    },
  });

  const mutate = operations.define<MutateInput>({
    method: `${service}.MutateDeployedModel`,
    metadataType: "MutateDeployedModelOperationMetadata",
    run: ({ endpoint: name, deployed }) => {
      const endpoint = endpoints.get(name);
      endpoints.put({
        ...endpoint,
        deployedModels: endpoint.deployedModels.map((model) =>
          model.id === deployed.id ? deployed : model,
        ),
      });
      return Promise.resolve({
        resourceName: name,
        response: {
          "@type": typeUrl("MutateDeployedModelResponse"),
          deployedModel: show(name, deployed),
        },
      });
    },
  });

  return {
    deployModel: (request, call) => {
      const endpoint = endpointOf(request.endpoint);
      const given = request.deployedModel ?? {};
      const { model, version } = models.resolve(parseName(settings, "models", given.model));
      if (given.automaticResources !== undefined || (given.sharedResources ?? "") !== "") {
        throw invalid(
          `The Model "${model.name}" does not support automatic or shared resources: use deployed_model.dedicated_resources.`,
        );
      }
      if (given.explanationSpec !== undefined) {
        throw new RpcError("UNIMPLEMENTED", "Explanations are not served in the local cloud.");
      }
      const resources = checkResources(given.dedicatedResources);
      const id = chooseId(endpoint, given.id);
      const trafficSplit = request.trafficSplit ?? {};
      checkTrafficSplit(trafficSplit, [
        beingDeployed,
        ...endpoint.deployedModels.map((deployed) => deployed.id),
      ]);
      checkIdle(endpoint.name);
      const deployed: StoredDeployedModel = {
        id,
        model: model.name,
        modelVersionId: version.versionId,
        modelDisplayName: model.displayName,
        displayName:
          (given.displayName ?? "") === "" ? model.displayName : (given.displayName ?? ""),
        createMs: context.now(),
        resources,
        containerSpec: version.containerSpec,
        ...(version.managedUri === undefined ? {} : { storageUri: version.managedUri }),
        ...(given.serviceAccount === undefined ? {} : { serviceAccount: given.serviceAccount }),
        isContainerLoggingDisabled: given.disableContainerLogging === true,
        isAccessLoggingEnabled: given.enableAccessLogging === true,
      };
      return deploy({
        under: endpoint.name,
        input: { endpoint: endpoint.name, deployed, trafficSplit },
        request,
        principal: call.principal,
      });
    },

    undeployModel: (request, call) => {
      const endpoint = endpointOf(request.endpoint);
      const { id } = find(endpoint, request.deployedModelId);
      const given = request.trafficSplit ?? {};
      checkTrafficSplit(
        given,
        endpoint.deployedModels.map((deployed) => deployed.id),
      );
      const after = Object.keys(given).length === 0 ? endpoint.trafficSplit : given;
      const isLast = endpoint.deployedModels.length === 1;
      if (!isLast && (after[id] ?? 0) > 0) {
        throw new RpcError(
          "FAILED_PRECONDITION",
          `DeployedModel "${id}" has ${after[id]} % of the traffic of ${endpoint.name}: send its traffic elsewhere first, or with traffic_split in this call.`,
        );
      }
      checkIdle(endpoint.name);
      return undeploy({
        under: endpoint.name,
        input: { endpoint: endpoint.name, id, trafficSplit: given },
        request,
        principal: call.principal,
      });
    },

    mutateDeployedModel: (request, call) => {
      const endpoint = endpointOf(request.endpoint);
      const given = request.deployedModel ?? {};
      const before = find(endpoint, given.id);
      const paths = checkMask(request.updateMask, [
        "dedicated_resources",
        "dedicated_resources.min_replica_count",
        "dedicated_resources.max_replica_count",
        "dedicated_resources.required_replica_count",
        "dedicated_resources.autoscaling_metric_specs",
        "min_replica_count",
        "max_replica_count",
        "required_replica_count",
        "autoscaling_metric_specs",
        "disable_container_logging",
      ]);
      const changed = given.dedicatedResources ?? {};
      const fields = [
        ["minReplicaCount", "min_replica_count"],
        ["maxReplicaCount", "max_replica_count"],
        ["requiredReplicaCount", "required_replica_count"],
        ["autoscalingMetricSpecs", "autoscaling_metric_specs"],
      ] as const;
      const updates = fields
        .filter(
          ([field, path]) =>
            paths.has(path) ||
            paths.has(`dedicated_resources.${path}`) ||
            (paths.has("dedicated_resources") && changed[field] !== undefined),
        )
        .map(([field]) => [field, changed[field]]);
      const resources = checkResources({ ...before.resources, ...Object.fromEntries(updates) });
      checkIdle(endpoint.name);
      return mutate({
        under: endpoint.name,
        input: {
          endpoint: endpoint.name,
          deployed: {
            ...before,
            resources,
            isContainerLoggingDisabled: paths.has("disable_container_logging")
              ? given.disableContainerLogging === true
              : before.isContainerLoggingDisabled,
          },
        },
        request,
        principal: call.principal,
      });
    },
  };
};
