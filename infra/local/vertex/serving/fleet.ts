/** All predictors of the local cloud: which runs for which deployed model, and what it counted. */
import type { CloudContext } from "../../cloud.js";
import { containersOf } from "../containers.js";
import type { ReplicaStatus, StoredDeployedModel, StoredEndpoint } from "../endpoints/store.js";
import { lastSegment } from "../names.js";
import { containerLog } from "./container-log.js";
import { servingMetrics, type ServingMetrics } from "./metrics.js";
import { startPredictor, type Predictor } from "./predictor.js";
import { predictorOptions } from "./predictor-options.js";

/** A running deployed model. */
export interface Serving {
  readonly predictor: Predictor;
  readonly metrics: ServingMetrics;
}

/** The predictors. */
export interface Fleet {
  readonly find: (endpointName: string, deployedModelId: string) => Serving | undefined;
  /** Starts a container; `isKept` when the model is deployed already and only its process is missing. */
  readonly start: (endpointName: string, deployed: StoredDeployedModel, isKept: boolean) => Serving;
  readonly end: (endpointName: string, deployedModelId: string) => Promise<void>;
  readonly statusOf: (endpointName: string, deployed: StoredDeployedModel) => ReplicaStatus;
  readonly startTimers: (endpoints: () => readonly StoredEndpoint[]) => void;
  readonly stop: (endpoints: readonly StoredEndpoint[]) => Promise<void>;
}

const replicaNote = ({ resources }: StoredDeployedModel): string => {
  const { minReplicaCount = 1, maxReplicaCount = minReplicaCount, machineSpec } = resources;
  const replicas =
    minReplicaCount === maxReplicaCount
      ? `${minReplicaCount}`
      : `${minReplicaCount} to ${maxReplicaCount}`;
  const accelerator =
    (machineSpec?.acceleratorCount ?? 0) > 0
      ? ` ${machineSpec?.acceleratorCount} x ${machineSpec?.acceleratorType} is recorded only: executed on CPU.`
      : "";
  return `Local cloud: one process stands for ${replicas} replica(s) of ${machineSpec?.machineType}.${accelerator}`;
};

const keyOf = (endpointName: string, id: string): string => `${endpointName}#${id}`;

/** Makes the fleet. */
export const predictorFleet = (context: CloudContext): Fleet => {
  const servings = new Map<string, Serving>();
  const logs = containerLog(context);
  let timer: NodeJS.Timeout | undefined;

  const flush = (endpoints: readonly StoredEndpoint[]): void => {
    for (const endpoint of endpoints) {
      for (const deployed of endpoint.deployedModels) {
        const serving = servings.get(keyOf(endpoint.name, deployed.id));
        serving?.metrics.flush(endpoint, deployed, {
          pid: serving.predictor.pid(),
          isAvailable: serving.predictor.phase() === "healthy",
        });
      }
    }
  };

  return {
    find: (endpointName, id) => servings.get(keyOf(endpointName, id)),
    start: (endpointName, deployed, isKept) => {
      const source = { endpointId: lastSegment(endpointName), deployedModelId: deployed.id };
      logs.line(source, replicaNote(deployed), "INFO");
      const predictor = startPredictor(
        {
          containers: containersOf(context),
          now: context.now,
          log: (line) => {
            context.log(`vertex: ${line}`);
          },
          onLog: (line, stream) => {
            if (deployed.isContainerLoggingDisabled) return;
            logs.line(source, line, stream === "stderr" ? "ERROR" : "INFO");
          },
        },
        predictorOptions(context.settings, endpointName, deployed),
        isKept,
      );
      const serving = { predictor, metrics: servingMetrics(context) };
      servings.set(keyOf(endpointName, deployed.id), serving);
      return serving;
    },
    end: async (endpointName, id) => {
      const key = keyOf(endpointName, id);
      const serving = servings.get(key);
      servings.delete(key);
      await serving?.predictor.stop();
    },
    statusOf: (endpointName, deployed) => {
      const predictor = servings.get(keyOf(endpointName, deployed.id))?.predictor;
      const phase = predictor?.phase() ?? "down";
      return {
        availableReplicaCount: phase === "healthy" ? (deployed.resources.minReplicaCount ?? 1) : 0,
        message: phase === "healthy" ? "" : `The model server is ${phase}.`,
        sinceMs: predictor?.sinceMs() ?? deployed.createMs,
      };
    },
    startTimers: (endpoints) => {
      logs.start();
      timer = setInterval(() => {
        try {
          flush(endpoints());
        } catch (error) {
          context.log(`vertex: metrics were not written: ${String(error)}`);
        }
      }, context.settings.metricPeriodMs);
      timer.unref();
    },
    stop: async (endpoints) => {
      clearInterval(timer);
      flush(endpoints);
      await Promise.all([...servings.values()].map(({ predictor }) => predictor.stop()));
      servings.clear();
      await logs.stop();
    },
  };
};
