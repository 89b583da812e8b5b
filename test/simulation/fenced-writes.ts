/** Watches the writes that need a lease: each must be sent by whoever holds it, and by nobody who held it once. */
import type { Ports } from "../../shared/ports/ports.js";
import type { MemoryLeases } from "../fixtures/memory-leases.js";
import type { Finding } from "./world.js";

/** The ports of one invocation, whose writes under leases are checked at the moment at which they are sent. */
export const watchFencedWrites = (
  ports: Ports,
  { held }: Pick<MemoryLeases, "held">,
  found: (finding: Finding) => void,
  count: (fault: string) => void = () => undefined,
): Ports => {
  /** Epochs that this invocation was given, by lease. */
  const own = new Map<string, number>();
  const check = (lease: string, what: string): void => {
    const epoch = own.get(lease);
    const newest = held.get(lease)?.epoch ?? 0;
    if (epoch === undefined) found(`${what} was sent without lease ${lease}`);
    else if (epoch < newest)
      found(`${what} was sent in epoch ${epoch} of ${lease}, after ${newest}`);
  };
  const { leases, registry, endpoints, schedules } = ports;
  return {
    ...ports,
    leases: {
      ...leases,
      acquire: async (name, lastsMs) => {
        const isHeldStill = held.get(name)?.isHeld === true;
        const lease = await leases.acquire(name, lastsMs);
        if (lease === null) return null;
        own.set(name, lease.epoch);
        if (isHeldStill) count("lease that outlived its holder");
        const isCurrent = (): boolean => {
          const is = lease.isCurrent();
          if (!is) count("holder that outlived its lease");
          return is;
        };
        return { ...lease, isCurrent };
      },
    },
    registry: {
      ...registry,
      upload: (version, ...rest) => {
        check(`version--${version.model}`, `upload ${version.alias}`);
        return registry.upload(version, ...rest);
      },
      setAliases: (model, version, aliases, ...rest) => {
        check(`aliases--${model}`, `aliases ${aliases.join(" ")} of ${model}@${version}`);
        return registry.setAliases(model, version, aliases, ...rest);
      },
      importEvaluation: (model, version, evaluation, ...rest) => {
        check(`evaluations--${model}`, `evaluation ${evaluation.name} of ${model}@${version}`);
        return registry.importEvaluation(model, version, evaluation, ...rest);
      },
    },
    endpoints: {
      ...endpoints,
      scale: (scaling, ...rest) => {
        check(`endpoint--${scaling.endpoint}`, `scaling of ${scaling.deployedModelId}`);
        return endpoints.scale(scaling, ...rest);
      },
    },
    schedules: {
      sync: (model, wanted, ...rest) => {
        check(`schedules--${model}`, `schedules of ${model}`);
        return schedules.sync(model, wanted, ...rest);
      },
    },
  };
};
