/** Checks a CustomJob before it is accepted. */
import { RpcError } from "../../protocol/service.js";
import { durationMs, type Duration, type Labels } from "../messages.js";
import type { Accelerators } from "../quotas.js";
import {
  checkDisplayName,
  checkGcsDirectory,
  checkMachine,
  environmentOf,
  invalid,
  refuseFields,
  type EnvVar,
  type MachineSpec,
} from "./resource-checks.js";

/** google.cloud.aiplatform.v1.WorkerPoolSpec. */
export interface WorkerPoolSpec {
  readonly containerSpec?: {
    readonly imageUri?: string;
    readonly command?: readonly string[];
    readonly args?: readonly string[];
    readonly env?: readonly EnvVar[];
  };
  readonly pythonPackageSpec?: unknown;
  readonly machineSpec?: MachineSpec;
  readonly replicaCount?: string;
  readonly nfsMounts?: readonly unknown[];
  readonly lustreMounts?: readonly unknown[];
  readonly diskSpec?: { readonly bootDiskType?: string; readonly bootDiskSizeGb?: number };
}

/** google.cloud.aiplatform.v1.CustomJobSpec. */
export interface CustomJobSpec {
  readonly workerPoolSpecs?: readonly WorkerPoolSpec[];
  readonly scheduling?: {
    readonly timeout?: Duration;
    readonly strategy?: string;
    readonly restartJobOnWorkerRestart?: boolean;
    readonly disableRetries?: boolean;
  };
  readonly serviceAccount?: string;
  readonly network?: string;
  readonly baseOutputDirectory?: { readonly outputUriPrefix?: string };
  readonly persistentResourceId?: string;
  readonly reservedIpRanges?: readonly string[];
  readonly pscInterfaceConfig?: unknown;
  readonly tensorboard?: string;
  readonly enableWebAccess?: boolean;
  readonly enableDashboardAccess?: boolean;
  readonly experiment?: string;
  readonly experimentRun?: string;
  readonly models?: readonly string[];
}

/** google.cloud.aiplatform.v1.CustomJob. */
export interface CustomJobMessage {
  readonly displayName?: string;
  readonly jobSpec?: CustomJobSpec;
  readonly labels?: Labels;
  readonly encryptionSpec?: unknown;
}

const poolsMax = 4;
const replicasMax = 16;

const isEmptyPool = (pool: WorkerPoolSpec): boolean =>
  pool.containerSpec === undefined && pool.pythonPackageSpec === undefined;

/** How many replicas a pool has; a pool left empty has none. */
export const replicasOf = (pool: WorkerPoolSpec): number =>
  isEmptyPool(pool) ? 0 : Number(pool.replicaCount ?? "1") || 1;

/** The accelerators of all the job's replicas. */
export const acceleratorsOf = (spec: CustomJobSpec): readonly Accelerators[] =>
  (spec.workerPoolSpecs ?? []).flatMap((pool) => {
    const { acceleratorType: type = "", acceleratorCount: count = 0 } = pool.machineSpec ?? {};
    return count === 0 ? [] : [{ type, count: count * replicasOf(pool) }];
  });

const checkPool = (pool: WorkerPoolSpec, index: number): void => {
  const at = `jobSpec.workerPoolSpecs[${index}]`;
  if (isEmptyPool(pool) && index > 0) return;
  refuseFields(at, {
    pythonPackageSpec: pool.pythonPackageSpec,
    nfsMounts: pool.nfsMounts,
    lustreMounts: pool.lustreMounts,
  });
  if (!pool.containerSpec?.imageUri) throw invalid(`${at}.containerSpec.imageUri is missing.`);
  environmentOf(`${at}.containerSpec`, pool.containerSpec.env);
  checkMachine(at, pool.machineSpec);
  if (index === 0 && replicasOf(pool) !== 1) {
    throw invalid(`${at}.replicaCount must be 1: the first pool holds the primary replica.`);
  }
};

/** A pool that names no disk has the service's own. */
const withDisk = (pool: WorkerPoolSpec): WorkerPoolSpec =>
  isEmptyPool(pool)
    ? pool
    : { ...pool, diskSpec: { bootDiskType: "pd-ssd", bootDiskSizeGb: 100, ...pool.diskSpec } };

/** Checks the job and returns its specification and display name. */
export const checkCustomJob = (
  job: CustomJobMessage | undefined,
): { readonly displayName: string; readonly spec: CustomJobSpec } => {
  if (job === undefined) throw invalid("The request has no customJob.");
  const displayName = checkDisplayName(job.displayName);
  const spec = job.jobSpec ?? {};
  refuseFields("customJob", { encryptionSpec: job.encryptionSpec });
  refuseFields("jobSpec", {
    persistentResourceId: spec.persistentResourceId,
    reservedIpRanges: spec.reservedIpRanges,
    pscInterfaceConfig: spec.pscInterfaceConfig,
    tensorboard: spec.tensorboard,
    enableWebAccess: spec.enableWebAccess,
    enableDashboardAccess: spec.enableDashboardAccess,
    experiment: spec.experiment,
    experimentRun: spec.experimentRun,
    models: spec.models,
  });
  const pools = spec.workerPoolSpecs ?? [];
  if (pools.length === 0 || pools.length > poolsMax) {
    throw invalid(`jobSpec.workerPoolSpecs has ${pools.length} pools: give 1 to ${poolsMax}.`);
  }
  for (const [index, pool] of pools.entries()) checkPool(pool, index);
  const replicas = pools.reduce((sum, pool) => sum + replicasOf(pool), 0);
  if (replicas > replicasMax) {
    throw new RpcError(
      "RESOURCE_EXHAUSTED",
      `The job asks for ${replicas} replicas: this machine runs at most ${replicasMax} of one job.`,
    );
  }
  const timeout = spec.scheduling?.timeout;
  if (timeout !== undefined && durationMs(timeout) <= 0) {
    throw invalid("jobSpec.scheduling.timeout must be longer than 0 s.");
  }
  if (spec.baseOutputDirectory !== undefined) {
    checkGcsDirectory("jobSpec.baseOutputDirectory", spec.baseOutputDirectory.outputUriPrefix);
  }
  return { displayName, spec: { ...spec, workerPoolSpecs: pools.map(withDisk) } };
};
