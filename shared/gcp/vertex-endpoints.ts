/** The Endpoints port on Vertex AI. */
import type { protos } from "@google-cloud/aiplatform";
import { z } from "zod";
import { deployedModelId, type DeployedModelId } from "../../events/ids.js";
import { RejectedError, UnavailableError } from "../domain/errors.js";
import type { EndpointFacts, ReplicaFacts } from "../domain/facts.js";
import type { Endpoints } from "../ports/vertex.js";
import { deploymentAttempts, labelsWithAttempt } from "./deployment-attempts.js";
import { asCloudError, attempting, translated } from "./errors.js";
import type { Rest } from "./rest.js";
import { equalSplits, presentSplit } from "./traffic-split.js";
import type { VertexApi, VertexOperation } from "./vertex-api.js";

type Endpoint = protos.google.cloud.aiplatform.v1.IEndpoint;
type DeployedModel = protos.google.cloud.aiplatform.v1.IDeployedModel;
type DedicatedResources = protos.google.cloud.aiplatform.v1.IDedicatedResources;
type MachineSpec = protos.google.cloud.aiplatform.v1.IMachineSpec;
type MutateDeployedModelRequest = Omit<
  protos.google.cloud.aiplatform.v1.IMutateDeployedModelRequest,
  "updateMask"
> & {
  /** In JSON a mask is its paths, joined by commas. */
  readonly updateMask: string;
};
type UndeployModelRequest = protos.google.cloud.aiplatform.v1.IUndeployModelRequest;

/** A DeployModelRequest in JSON; a manifest may name an accelerator that the installed types do not know yet. */
interface DeployModelRequest {
  readonly deployedModel: Omit<DeployedModel, "dedicatedResources"> & {
    readonly dedicatedResources: Omit<DedicatedResources, "machineSpec"> & {
      readonly machineSpec: Omit<MachineSpec, "acceleratorType"> & { acceleratorType?: string };
    };
  };
}

const creationMsMax = 30_000;
const creationPollMs = 200;
const splitAttemptsMax = 5;
/** Names and permissions may need this long after a creation until every part of Vertex AI knows them. */
const recentMs = 600_000;

const endpointShape = z.object({
  name: z.string(),
  etag: z.string().optional(),
  createTime: z.string().optional(),
  updateTime: z.string().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  deployedModels: z
    .array(
      z.object({
        id: deployedModelId,
        dedicatedResources: z
          .object({
            minReplicaCount: z.number().default(1),
            maxReplicaCount: z.number().optional(),
          })
          .optional(),
        status: z.object({ availableReplicaCount: z.number().default(0) }).optional(),
      }),
    )
    .default([]),
  trafficSplit: z.partialRecord(deployedModelId, z.number()).default({}),
});

type StoredEndpoint = z.infer<typeof endpointShape>;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const isRecent = ({ createTime }: StoredEndpoint): boolean =>
  createTime !== undefined && Date.now() - Date.parse(createTime) < recentMs;

const runningOf = (operations: readonly VertexOperation[]): VertexOperation | undefined =>
  operations.find(({ isDone }) => !isDone);

/** Replicas by deployed model; a service that reports no status is believed once nothing changes the endpoint. */
const replicasOf = (
  { deployedModels }: StoredEndpoint,
  isChanging: boolean,
): EndpointFacts["replicas"] =>
  Object.fromEntries(
    deployedModels.flatMap(({ id, dedicatedResources, status }): [string, ReplicaFacts][] => {
      if (dedicatedResources === undefined) return [];
      const { minReplicaCount: min, maxReplicaCount: max = min } = dedicatedResources;
      const available = status?.availableReplicaCount ?? (isChanging ? 0 : min);
      return [[id, { min, max, available }]];
    }),
  );

const factsOf = (
  endpoint: StoredEndpoint,
  operations: readonly VertexOperation[],
): EndpointFacts => {
  const deployed = endpoint.deployedModels.map(({ id }) => id);
  const failures: Record<DeployedModelId, string> = Object.fromEntries(
    deploymentAttempts(endpoint.labels, operations).flatMap(({ id, operation }) =>
      operation?.error === undefined || operation.error === null || deployed.includes(id)
        ? []
        : [[id, operation.error]],
    ),
  );
  return {
    deployed,
    trafficSplit: presentSplit(endpoint.trafficSplit),
    operation: runningOf(operations)?.name ?? null,
    failures,
    replicas: replicasOf(endpoint, runningOf(operations) !== undefined),
  };
};

/** The Endpoints port. */
export const vertexEndpoints = (api: VertexApi, rest: Rest): Endpoints => {
  const find = async (endpoint: string): Promise<StoredEndpoint | null> => {
    const found = await api.find(`endpoints/${endpoint}`);
    return found === null ? null : endpointShape.parse(found);
  };

  const existing = async (endpoint: string): Promise<StoredEndpoint> => {
    const found = await find(endpoint);
    if (found !== null) return found;
    throw new RejectedError(
      `Endpoint ${endpoint} does not exist. Create it with \`continuo apply\` of the manifest that names it.`,
    );
  };

  const untilExisting = async (endpoint: string): Promise<void> => {
    const deadline = performance.now() + creationMsMax;
    while ((await find(endpoint)) === null) {
      if (performance.now() > deadline) {
        throw new UnavailableError(
          `Endpoint ${endpoint} is still being created after ${String(creationMsMax / 1000)} s. It is looked at again.`,
          { retryAfterMs: 10_000 },
        );
      }
      await wait(creationPollMs);
    }
  };

  const patch = (endpoint: string, mask: string, body: Endpoint): Promise<unknown> =>
    api.request("PATCH", `endpoints/${endpoint}`, { query: { updateMask: mask }, body });

  /** Labels that people, Terraform or deployments have set stay. */
  const label = async (
    endpoint: string,
    found: StoredEndpoint,
    labels: Readonly<Record<string, string>>,
  ): Promise<void> => {
    if (Object.entries(labels).every(([key, value]) => found.labels[key] === value)) return;
    await patch(endpoint, "labels", {
      labels: { ...found.labels, ...labels },
      ...(found.etag === undefined ? {} : { etag: found.etag }),
    });
  };

  return {
    ensure: (endpoint, { labels, predictionLog, samplingRate }) =>
      attempting(`create endpoint ${endpoint}`, async () => {
        const found = await find(endpoint);
        if (found !== null) return label(endpoint, found, labels);
        const body: Endpoint = {
          displayName: endpoint,
          labels: { ...labels },
          ...(predictionLog === undefined || samplingRate === 0
            ? {}
            : {
                predictRequestResponseLoggingConfig: {
                  enabled: true,
                  samplingRate,
                  bigqueryDestination: { outputUri: predictionLog },
                },
              }),
        };
        try {
          await api.request("POST", "endpoints", { query: { endpointId: endpoint }, body });
        } catch (error) {
          if (asCloudError(error).status !== "ALREADY_EXISTS") throw error;
        }
        await untilExisting(endpoint);
      }),

    get: (endpoint) =>
      attempting(`read endpoint ${endpoint}`, async () => {
        const [found, operations] = await Promise.all([
          find(endpoint),
          api.operations(`endpoints/${endpoint}`),
        ]);
        return found === null ? null : factsOf(found, operations);
      }),

    deploy: async ({ endpoint, deployedModelId: id, ...deployment }) => {
      const what = `deploy ${deployment.model}@${deployment.versionId} as ${id} to endpoint ${endpoint}`;
      const [found, operations] = await attempting(what, () =>
        Promise.all([existing(endpoint), api.operations(`endpoints/${endpoint}`)]),
      );
      if (found.deployedModels.some((model) => model.id === id)) return;
      const attempt = deploymentAttempts(found.labels, operations).find((one) => one.id === id);
      // One id stands for one deployment: while it runs there is nothing to do, and when it failed the failure stands.
      if (attempt?.operation !== undefined) return;
      const running = runningOf(operations);
      if (running !== undefined) {
        throw new UnavailableError(
          `Could not ${what}: operation ${running.name} is changing the endpoint. It is tried again.`,
        );
      }
      const body: DeployModelRequest = {
        deployedModel: {
          id,
          model: `${api.parent}/models/${deployment.model}@${deployment.versionId}`,
          displayName: `${deployment.model}@${deployment.versionId}`,
          dedicatedResources: {
            machineSpec: {
              machineType: deployment.machineType,
              ...(deployment.accelerator === undefined
                ? {}
                : {
                    acceleratorType: deployment.accelerator.type,
                    acceleratorCount: deployment.accelerator.count,
                  }),
            },
            minReplicaCount: deployment.replicasMin,
            maxReplicaCount: deployment.replicasMax,
          },
        },
      };
      try {
        await patch(endpoint, "labels", {
          labels: labelsWithAttempt(found, operations, id),
          ...(found.etag === undefined ? {} : { etag: found.etag }),
        });
        await api.request("POST", `endpoints/${endpoint}:deployModel`, { body });
      } catch (error) {
        if (asCloudError(error).status === "ALREADY_EXISTS") return;
        throw translated(what, error, { isRecent: isRecent(found) });
      }
    },

    undeploy: (endpoint, id) =>
      attempting(`undeploy ${id} from endpoint ${endpoint}`, async () => {
        const found = await find(endpoint);
        if (found?.deployedModels.some((model) => model.id === id) !== true) return;
        const body: UndeployModelRequest = { deployedModelId: id };
        await api.request("POST", `endpoints/${endpoint}:undeployModel`, { body });
      }),

    scale: ({ endpoint, deployedModelId: id, replicasMin, replicasMax }, fence) =>
      attempting(`scale ${id} of endpoint ${endpoint} to ${replicasMin} replicas`, async () => {
        const found = await find(endpoint);
        const deployed = found?.deployedModels.find((model) => model.id === id);
        if (deployed?.dedicatedResources === undefined) return;
        const { minReplicaCount, maxReplicaCount = minReplicaCount } = deployed.dedicatedResources;
        if (minReplicaCount === replicasMin && maxReplicaCount === replicasMax) return;
        const body: MutateDeployedModelRequest = {
          deployedModel: {
            id,
            dedicatedResources: { minReplicaCount: replicasMin, maxReplicaCount: replicasMax },
          },
          updateMask: "dedicatedResources.minReplicaCount,dedicatedResources.maxReplicaCount",
        };
        fence?.();
        await api.request("POST", `endpoints/${endpoint}:mutateDeployedModel`, { body });
      }),

    setTrafficSplit: (endpoint, split, expected) =>
      attempting(`set the traffic split of endpoint ${endpoint}`, async () => {
        for (let attempt = 1; ; attempt += 1) {
          const found = await existing(endpoint);
          if (equalSplits(found.trafficSplit, split)) return;
          if (!equalSplits(found.trafficSplit, expected)) {
            throw new RejectedError(
              `Endpoint ${endpoint} has traffic split ${JSON.stringify(found.trafficSplit)}, neither ${JSON.stringify(expected)} as expected nor ${JSON.stringify(split)}: somebody else changed it, so it is left as it is. Set it back, or abort the rollout.`,
            );
          }
          try {
            await patch(endpoint, "trafficSplit", {
              trafficSplit: presentSplit(split),
              ...(found.etag === undefined ? {} : { etag: found.etag }),
            });
            return;
          } catch (error) {
            // A stale etag, or a reply that was lost: whatever the split is now decides.
            const { status } = asCloudError(error);
            const isWorthLooking =
              status === "ABORTED" || status === "UNAVAILABLE" || status === "DEADLINE_EXCEEDED";
            if (!isWorthLooking || attempt >= splitAttemptsMax) throw error;
          }
        }
      }),

    predict: async (endpoint, instances, deadlineMs) => {
      const startedAt = performance.now();
      try {
        const { code, body } = await rest.send({
          method: "POST",
          url: api.url(`endpoints/${endpoint}:predict`),
          body: { instances },
          deadlineMs,
        });
        const latencyMs = performance.now() - startedAt;
        const text = body.toString("utf8");
        return { status: code, latencyMs, body: parsed(text) };
      } catch (error) {
        const { status, message } = asCloudError(error);
        const isLate = status === "DEADLINE_EXCEEDED";
        const said = isLate ? `no answer within ${String(deadlineMs / 1000)} s` : message;
        return {
          status: isLate ? 504 : 503,
          latencyMs: performance.now() - startedAt,
          body: { error: { status, message: said } },
        };
      }
    },
  };
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};
