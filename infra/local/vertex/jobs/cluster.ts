/** The environment of a training container: where it stands in its cluster and where its outputs go. */
import { jsonOfMessage } from "../messages.js";
import { replicasOf, type CustomJobSpec } from "./custom-request.js";
import { checkGcsDirectory } from "./resource-checks.js";

/** One process of a job. */
export interface Replica {
  readonly pool: number;
  readonly index: number;
  readonly address: string;
}

/** The replicas of a job without their addresses. */
export const replicaPlaces = (
  spec: CustomJobSpec,
): readonly { readonly pool: number; readonly index: number }[] =>
  (spec.workerPoolSpecs ?? []).flatMap((pool, poolIndex) =>
    Array.from({ length: replicasOf(pool) }, (_, index) => ({ pool: poolIndex, index })),
  );

const tensorflowRoles = ["chief", "worker", "ps", "evaluator"];

const clusterOf = (
  replicas: readonly Replica[],
  nameOf: (pool: number) => string,
): Readonly<Record<string, readonly string[]>> => {
  const cluster: Record<string, string[]> = {};
  for (const { pool, address } of replicas) (cluster[nameOf(pool)] ??= []).push(address);
  return cluster;
};

const taskIn = (replica: Replica, nameOf: (pool: number) => string) => ({
  type: nameOf(replica.pool),
  index: replica.index,
});

const outputVariables = (spec: CustomJobSpec): Readonly<Record<string, string>> => {
  if (spec.baseOutputDirectory === undefined) return {};
  const base = checkGcsDirectory("baseOutputDirectory", spec.baseOutputDirectory.outputUriPrefix);
  return {
    AIP_MODEL_DIR: `${base}/model/`,
    AIP_CHECKPOINT_DIR: `${base}/checkpoints/`,
    AIP_TENSORBOARD_LOG_DIR: `${base}/logs/`,
  };
};

const workerPool = (pool: number): string => `workerpool${pool}`;

const role = (pool: number): string => tensorflowRoles[pool] ?? workerPool(pool);

/** The variables that Vertex AI sets for one replica. */
export const replicaEnvironment = (
  job: { readonly id: string; readonly projectId: string; readonly spec: CustomJobSpec },
  replicas: readonly Replica[],
  replica: Replica,
): Readonly<Record<string, string>> => {
  const specText = JSON.stringify(jsonOfMessage(job.spec));
  return {
    CLOUD_ML_JOB_ID: job.id,
    CLOUD_ML_PROJECT_ID: job.projectId,
    CLUSTER_SPEC: JSON.stringify({
      cluster: clusterOf(replicas, workerPool),
      environment: "cloud",
      task: taskIn(replica, workerPool),
      job: specText,
    }),
    TF_CONFIG: JSON.stringify({
      cluster: clusterOf(replicas, role),
      environment: "cloud",
      task: taskIn(replica, role),
      job: specText,
    }),
    ...outputVariables(job.spec),
  };
};
