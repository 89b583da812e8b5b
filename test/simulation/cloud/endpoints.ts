/** Vertex AI endpoints in memory: one changing operation at a time, deployments that take time and may fail late. */
import { deployedModelId, type DeployedModelId, type ModelName } from "../../../events/ids.js";
import { RejectedError, UnavailableError } from "../../../shared/domain/errors.js";
import type { EndpointFacts, ReplicaFacts } from "../../../shared/domain/facts.js";
import { sameSplit } from "../../../shared/domain/rollout/traffic.js";
import type { Endpoints } from "../../../shared/ports/vertex.js";
import { randomOf } from "../random.js";
import { tellOperation, type CloudContext } from "./context.js";
import { qualityOf, type Quality } from "./quality.js";
import type { ModelRegistry } from "./registry.js";
import { staleReads } from "./stale-reads.js";

/** Percent of traffic by deployed model. */
export type Split = Readonly<Record<DeployedModelId, number>>;

/** One change of what an endpoint serves. */
export interface EndpointChange {
  readonly endpoint: string;
  readonly atMs: number;
  readonly what: "split" | "deployed" | "undeployed" | "undeploy asked";
  readonly by: "us" | "a person";
  readonly before: Split;
  readonly after: Split;
  readonly deployed: readonly DeployedModelId[];
  readonly about?: DeployedModelId;
}

/** One endpoint. */
export interface Endpoint {
  readonly name: string;
  deployed: readonly {
    readonly id: DeployedModelId;
    readonly quality: Quality;
    readonly by: ModelName;
    readonly versionId: string;
    readonly replicas: ReplicaFacts;
  }[];
  split: Split;
  operation: string | null;
  readonly failures: Record<DeployedModelId, string>;
  /** Every split with the time since when it held. */
  readonly history: { readonly sinceMs: number; readonly split: Split }[];
}

/** The Endpoints port, what people do behind its back, and what a check may look at. */
export interface EndpointWorld {
  readonly port: Endpoints;
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  readonly operationsRunning: () => number;
  readonly setSplitByHand: (endpoint: string, split: Split) => boolean;
  readonly undeployByHand: (endpoint: string, id: DeployedModelId) => boolean;
  /** How often a person touched each endpoint, and when last. */
  readonly handAtMs: ReadonlyMap<string, number>;
}

const deployMsMax = 8 * 60_000;
const undeployMsMax = 2 * 60_000;
const scaleMsMax = 4 * 60_000;

/** Makes a region without endpoints; whoever watches is told of every change. */
export const endpointWorld = (
  context: CloudContext,
  registry: ModelRegistry,
  watch: (change: EndpointChange) => void,
): EndpointWorld => {
  const { seed, scheduler, trace, profile } = context;
  const endpoints = new Map<string, Endpoint>();
  const handAtMs = new Map<string, number>();
  /** Which deployed model each endpoint's running deployment is about. */
  const deploying = new Map<string, DeployedModelId>();
  const reads = staleReads<string, EndpointFacts>(context, "an endpoint");
  let operations = 0;
  let running = 0;

  const existing = (name: string): Endpoint => {
    const found = endpoints.get(name);
    if (found === undefined) throw new RejectedError(`endpoint ${name} does not exist`);
    return found;
  };

  const refresh = (endpoint: Endpoint): void =>
    reads.changed(endpoint.name, {
      deployed: endpoint.deployed.map(({ id }) => id),
      trafficSplit: endpoint.split,
      operation: endpoint.operation,
      failures: { ...endpoint.failures },
      replicas: Object.fromEntries(endpoint.deployed.map(({ id, replicas }) => [id, replicas])),
    });

  const tell = (
    endpoint: Endpoint,
    change: Pick<EndpointChange, "what" | "by" | "before"> & Partial<EndpointChange>,
  ): void => {
    refresh(endpoint);
    if (change.what === "split") {
      endpoint.history.push({ sinceMs: scheduler.nowMs(), split: endpoint.split });
    }
    trace.line(
      () =>
        `cloud ${endpoint.name} ${change.what} ${change.about ?? ""} by ${change.by}: ${JSON.stringify(endpoint.split)}`,
    );
    watch({
      endpoint: endpoint.name,
      atMs: scheduler.nowMs(),
      after: endpoint.split,
      deployed: endpoint.deployed.map(({ id }) => id),
      ...change,
    });
  };

  const refuseWhileBusy = ({ name, operation }: Endpoint): void => {
    if (operation !== null) {
      throw new UnavailableError(`operation ${operation} is changing endpoint ${name}`);
    }
  };

  /** Starts an operation that ends by itself, late failures included. */
  const operate = (
    endpoint: Endpoint,
    method: "DeployModel" | "UndeployModel" | "MutateDeployedModel",
    id: DeployedModelId,
    msMax: number,
    end: (error: string | null) => void,
  ): void => {
    operations += 1;
    running += 1;
    const name = `operations/${endpoint.name}/${operations}`;
    const random = randomOf(seed, `${method}/${endpoint.name}/${id}/${operations}`);
    endpoint.operation = name;
    refresh(endpoint);
    scheduler.after(random.between(1000, msMax), () => {
      running -= 1;
      endpoint.operation = null;
      const error = random.chance(profile().lateFailure) ? `${method} ran out of machines` : null;
      if (error !== null) trace.count("late failure");
      end(error);
      refresh(endpoint);
      tellOperation(context, { name, method, endpoint: endpoint.name, error });
    });
  };

  const isAllowed = (endpoint: Endpoint, split: Split): boolean => {
    const weights = Object.entries<number>(split);
    const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
    return (
      (weights.length === 0 || total === 100) &&
      weights.every(([id]) => endpoint.deployed.some((model) => model.id === id))
    );
  };

  const setSplit = (endpoint: Endpoint, split: Split, by: EndpointChange["by"]): void => {
    const before = endpoint.split;
    endpoint.split = { ...split };
    tell(endpoint, { what: "split", by, before });
  };

  const remove = (endpoint: Endpoint, id: DeployedModelId, by: EndpointChange["by"]): void => {
    endpoint.deployed = endpoint.deployed.filter((model) => model.id !== id);
    const { [id]: _gone, ...split } = endpoint.split;
    endpoint.split = split;
    tell(endpoint, { what: "undeployed", by, before: endpoint.split, about: id });
  };

  const touched = (name: string): void => {
    handAtMs.set(name, scheduler.nowMs());
    trace.count("endpoint changed by hand");
  };

  return {
    endpoints,
    handAtMs,
    operationsRunning: () => running,
    setSplitByHand: (name, split) => {
      const endpoint = existing(name);
      if (endpoint.operation !== null || !isAllowed(endpoint, split)) return false;
      touched(name);
      setSplit(endpoint, split, "a person");
      return true;
    },
    undeployByHand: (name, id) => {
      const endpoint = existing(name);
      if (endpoint.operation !== null || (endpoint.split[id] ?? 0) > 0) return false;
      touched(name);
      remove(endpoint, id, "a person");
      return true;
    },
    port: {
      ensure: async (name) => {
        if (endpoints.has(name)) return;
        const endpoint: Endpoint = {
          name,
          deployed: [],
          split: {},
          operation: null,
          failures: {},
          history: [{ sinceMs: scheduler.nowMs(), split: {} }],
        };
        endpoints.set(name, endpoint);
        refresh(endpoint);
      },
      get: async (name) => reads.read(name) ?? null,
      deploy: async ({ endpoint: name, model, versionId, deployedModelId: id, ...wanted }) => {
        const endpoint = existing(name);
        // One id stands for one deployment: one that runs goes on, and one that failed stays failed.
        const isKnown =
          endpoint.deployed.some((deployed) => deployed.id === id) ||
          endpoint.failures[id] !== undefined ||
          deploying.get(name) === id;
        if (isKnown) return;
        refuseWhileBusy(endpoint);
        const version = registry.version(model, versionId);
        if (version === undefined) {
          throw new RejectedError(`version ${model}@${versionId} does not exist`);
        }
        deploying.set(name, id);
        operate(endpoint, "DeployModel", id, deployMsMax, (error) => {
          deploying.delete(name);
          if (error !== null) {
            endpoint.failures[id] = error;
            return;
          }
          const quality = qualityOf(seed, version.artifactUri);
          const { replicasMin: min, replicasMax: max } = wanted;
          const replicas = { min, max, available: min };
          endpoint.deployed = [
            ...endpoint.deployed,
            { id, quality, by: model, versionId, replicas },
          ];
          tell(endpoint, { what: "deployed", by: "us", before: endpoint.split, about: id });
        });
      },
      undeploy: async (name, id) => {
        const endpoint = existing(name);
        if (!endpoint.deployed.some((model) => model.id === id)) return;
        refuseWhileBusy(endpoint);
        tell(endpoint, { what: "undeploy asked", by: "us", before: endpoint.split, about: id });
        if ((endpoint.split[id] ?? 0) > 0) throw new RejectedError(`${id} has traffic`);
        operate(endpoint, "UndeployModel", id, undeployMsMax, (error) => {
          if (error === null) remove(endpoint, id, "us");
        });
      },
      scale: async ({
        endpoint: name,
        deployedModelId: id,
        replicasMin: min,
        replicasMax: max,
      }) => {
        const endpoint = existing(name);
        const found = endpoint.deployed.find((model) => model.id === id)?.replicas;
        if (found === undefined || (found.min === min && found.max === max)) return;
        refuseWhileBusy(endpoint);
        operate(endpoint, "MutateDeployedModel", id, scaleMsMax, (error) => {
          if (error !== null) return;
          endpoint.deployed = endpoint.deployed.map((model) =>
            model.id === id ? { ...model, replicas: { min, max, available: min } } : model,
          );
        });
      },
      setTrafficSplit: async (name, split, expected) => {
        const endpoint = existing(name);
        if (sameSplit(endpoint.split, split)) return;
        refuseWhileBusy(endpoint);
        if (!sameSplit(endpoint.split, expected)) {
          throw new RejectedError(
            `traffic of ${name} is ${JSON.stringify(endpoint.split)}, not ${JSON.stringify(expected)}`,
          );
        }
        const wanted = parsedSplit(split);
        if (!isAllowed(endpoint, wanted)) {
          throw new RejectedError(`${JSON.stringify(split)} names a model that is not deployed`);
        }
        setSplit(endpoint, wanted, "us");
      },
      predict: async (name) => {
        const endpoint = existing(name);
        const [served] = Object.entries<number>(endpoint.split).toSorted((a, b) => b[1] - a[1]);
        const model = endpoint.deployed.find(({ id }) => id === served?.[0]);
        return model === undefined || model.quality === "broken"
          ? { status: 500, latencyMs: 5, body: {} }
          : { status: 200, latencyMs: 5, body: {} };
      },
    },
  };
};

const parsedSplit = (split: Readonly<Record<string, number>>): Split =>
  Object.fromEntries(
    Object.entries(split)
      .filter(([, weight]) => weight > 0)
      .map(([id, weight]) => [deployedModelId.parse(id), weight]),
  );

/** The endpoint that a model's environment has. */
export const endpointName = (model: ModelName, environment: string): string =>
  `${model}-${environment}`;
