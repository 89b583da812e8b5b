/** Bugs that real systems have, planted around the product: the simulation must catch each of them. */
import type { ModelName } from "../../events/ids.js";
import { runId } from "../../events/ids.js";
import { RejectedError, UnavailableError } from "../../shared/domain/errors.js";
import type { ModelState } from "../../shared/domain/state.js";
import type { Ports } from "../../shared/ports/ports.js";
import type { Commit, State } from "../../shared/ports/state.js";
import { hasEffect, perform } from "../../shared/runtime/perform.js";
import type { Invocation, Process } from "./processes.js";
import type { Plant } from "./run-seed.js";

type Wrap = (ports: Ports, invocation: Invocation) => Ports;

const withState = (ports: Ports, state: Partial<State>): Ports => ({
  ...ports,
  state: { ...ports.state, ...state },
});

const keyed = (commit: Commit | null, key: string): Commit | null =>
  commit === null ? null : { ...commit, entry: { ...commit.entry, key } };

/** Journals every delivery under a key of its own. */
const noInbox: Wrap = (ports, { label }) => {
  let count = 0;
  return withState(ports, {
    transact: (key, model, decide) => {
      count += 1;
      const own = `${key}/${label}/${count}`;
      return ports.state.transact(own, model, (state) => keyed(decide(state), own));
    },
  });
};

/** Knows a message by the id that Pub/Sub gave it. */
const dedupeByMessageId: Wrap = (ports, { label }) => {
  const [name = "", message = ""] = label.split("/");
  return withState(ports, {
    transact: (key, model, decide) => {
      const own = name.startsWith("on-") ? `${name}/${message}/${model}` : key;
      return ports.state.transact(own, model, (state) => keyed(decide(state), own));
    },
  });
};

/** Performs what it is about to decide, then commits. */
const effectBeforeCommit: Wrap = (ports) =>
  withState(ports, {
    transact: async (key, model, decide) => {
      const commit = decide((await ports.state.model(model)) ?? undefined);
      for (const [index, { decision }] of (commit?.entry.decisions ?? []).entries()) {
        if (commit === null || !hasEffect(decision)) continue;
        try {
          await perform(decision, { entry: commit.entry, index, model, ports });
        } catch (error) {
          if (!(error instanceof RejectedError)) throw error;
        }
      }
      return ports.state.transact(key, model, decide);
    },
  });

/** Reads the state, decides, and writes whatever it decided. */
const lostUpdate: Wrap = (ports) =>
  withState(ports, {
    transact: async (key, model, decide) => {
      const commit = decide((await ports.state.model(model)) ?? undefined);
      return ports.state.transact(key, model, () => commit);
    },
  });

/** Sets traffic from whatever it is. */
const splitWithoutCompare: Wrap = (ports) => ({
  ...ports,
  endpoints: {
    ...ports.endpoints,
    setTrafficSplit: async (endpoint, split, expected) => {
      const found = await ports.endpoints.get(endpoint);
      await ports.endpoints.setTrafficSplit(endpoint, split, found?.trafficSplit ?? expected);
    },
  },
});

/** Takes a refused budget for a failure that goes away. */
const retryOfARefusedBudget: Wrap = (ports) =>
  withState(ports, {
    transact: (key, model, decide) =>
      ports.state.transact(key, model, (state) => {
        const commit = decide(state);
        const isRefused = commit?.runs.some(({ reasons }) => reasons[0]?.startsWith("budget:"));
        if (isRefused === true) throw new UnavailableError("the budget is used up");
        return commit;
      }),
  });

/** Remembers in its process when the last run began. */
const cooldownInMemory = (): Plant => {
  const started = new Map<Process, Map<ModelName, number>>();
  return {
    wrap: (ports, { process }) => {
      const own = started.get(process) ?? new Map<ModelName, number>();
      started.set(process, own);
      const remembered = (state: ModelState): ModelState => ({
        ...state,
        lastRunStartedAtMs: own.get(state.model) ?? null,
      });
      return withState(ports, {
        transact: (key, model, decide) =>
          ports.state.transact(key, model, (state) => {
            const commit = decide(state === undefined ? undefined : remembered(state));
            const startedAtMs = commit?.state?.lastRunStartedAtMs;
            if (typeof startedAtMs === "number") own.set(model, startedAtMs);
            return commit;
          }),
      });
    },
  };
};

/** Every other process has a clock that is an hour ahead. */
const clockAnHourAhead: Wrap = (ports, { process }) => ({
  ...ports,
  clock: () => ports.clock() + (process.name.endsWith("2") ? 3_600_000 : 0),
});

/** Nobody finishes what a crash left. */
const noBackstop: Wrap = (ports) => withState(ports, { pendingEntries: async () => [] });

/** Marks effects as done when it decides them. */
const doneBeforePerformed: Wrap = (ports) =>
  withState(ports, {
    transact: async (key, model, decide) => {
      let decided: Commit | null = null;
      const result = await ports.state.transact(key, model, (state) => {
        decided = decide(state);
        return decided === null
          ? null
          : { ...decided, entry: { ...decided.entry, isPending: false } };
      });
      return result.outcome === "committed" && decided !== null
        ? { outcome: "committed", commit: decided }
        : result;
    },
  });

/** Lets Vertex AI choose the job's id, so that a repeated call starts another job. */
const anotherJobPerCall = (): Plant => {
  let calls = 0;
  const submitted = new Set<string>();
  return {
    wrap: (ports) => ({
      ...ports,
      pipelines: {
        ...ports.pipelines,
        submit: (request, spec) => {
          calls += 1;
          const isRepeated = submitted.has(request.run);
          submitted.add(request.run);
          const run = isRepeated ? runId.parse(`${request.run}-${calls}`) : request.run;
          return ports.pipelines.submit({ ...request, run }, spec);
        },
      },
    }),
  };
};

/** Undeploys whoever has no traffic as soon as the split is set. */
const earlyCleanUp: Wrap = (ports) => ({
  ...ports,
  endpoints: {
    ...ports.endpoints,
    setTrafficSplit: async (endpoint, split, expected) => {
      await ports.endpoints.setTrafficSplit(endpoint, split, expected);
      const found = await ports.endpoints.get(endpoint);
      for (const id of found?.deployed ?? []) {
        if ((split[id] ?? 0) === 0) await ports.endpoints.undeploy(endpoint, id);
      }
    },
  },
});

/** Looks at an endpoint as it was when its process first saw it, for up to ten looks. */
const cachedEndpoints = (): Plant => {
  const cache = new Map<string, { looks: number; value: ReturnType<Ports["endpoints"]["get"]> }>();
  return {
    wrap: (ports, { process }) => ({
      ...ports,
      endpoints: {
        ...ports.endpoints,
        get: (endpoint) => {
          const key = `${process.name}/${endpoint}`;
          const known = cache.get(key);
          if (known !== undefined && known.looks < 10) {
            known.looks += 1;
            return known.value;
          }
          const value = ports.endpoints.get(endpoint);
          cache.set(key, { looks: 0, value });
          return value;
        },
      },
    }),
  };
};

/** Adds aliases and never removes one. */
const aliasesOnlyAdded: Wrap = (ports) => ({
  ...ports,
  registry: {
    ...ports.registry,
    setAliases: (model, version, aliases) =>
      ports.registry.setAliases(
        model,
        version,
        aliases.filter((alias) => !alias.startsWith("-")),
      ),
  },
});

/** Takes the newest evaluation that it has read for the one that it asked for. */
const newestEvaluation = (): Plant => {
  let newest: Awaited<ReturnType<Ports["pipelines"]["get"]>> = null;
  return {
    wrap: (ports) => ({
      ...ports,
      pipelines: {
        ...ports.pipelines,
        get: async (run) => {
          const found = await ports.pipelines.get(run);
          const before = newest;
          if (found?.evaluation) newest = found;
          return found?.evaluation && before ? { ...found, evaluation: before.evaluation } : found;
        },
      },
    }),
  };
};

/** Forgets what a job's machines cost. */
const freeMachines: Wrap = (ports) => ({
  ...ports,
  pipelines: {
    ...ports.pipelines,
    get: async (run) => {
      const found = await ports.pipelines.get(run);
      return found === null ? null : { ...found, machineSeconds: 0 };
    },
  },
});

/** Gives every publication an id of its own. */
const freshEventIds = (): Plant => {
  let count = 0;
  return {
    wrap: (ports) => ({
      ...ports,
      bus: {
        publish: (topic, { data, attributes }) => {
          count += 1;
          const text = data.toString("utf8").replace(/"id":"/, `"id":"${count}-`);
          return ports.bus.publish(topic, { data: Buffer.from(text), attributes });
        },
      },
    }),
  };
};

/** Holds a lease and never asks whether it still does. */
const leaseWithoutFencing: Wrap = (ports) => ({
  ...ports,
  leases: {
    ...ports.leases,
    acquire: async (...asked) => {
      const lease = await ports.leases.acquire(...asked);
      return lease === null ? null : { ...lease, isCurrent: () => true };
    },
  },
});

/** Takes every lease at once, whoever holds it. */
const nobodyWaits: Wrap = (ports) => ({
  ...ports,
  leases: {
    ...ports.leases,
    acquire: async (name) => {
      const lease = await ports.leases.acquire(name, 0);
      return lease === null ? null : { ...lease, isCurrent: () => true };
    },
  },
});

/** Every bug by its name; made anew for each seed, since some remember. */
export const plantedBugs: Readonly<Record<string, () => Plant>> = {
  "no inbox": () => ({ wrap: noInbox }),
  "dedupe by message id": () => ({ wrap: dedupeByMessageId }),
  "effect before commit": () => ({ wrap: effectBeforeCommit }),
  "lost update": () => ({ wrap: lostUpdate }),
  "lease without fencing": () => ({ wrap: leaseWithoutFencing }),
  "lease that nobody waits for": () => ({ wrap: nobodyWaits }),
  "split set without compare": () => ({ wrap: splitWithoutCompare }),
  "retry of a refused budget": () => ({ wrap: retryOfARefusedBudget }),
  "cooldown in a process's memory": cooldownInMemory,
  "clock an hour ahead": () => ({ wrap: clockAnHourAhead }),
  "acknowledged before it is handled": () => ({ isAcknowledgedFirst: true }),
  "nobody finishes what a crash left": () => ({ wrap: noBackstop }),
  "done before it is performed": () => ({ wrap: doneBeforePerformed }),
  "another job per call": anotherJobPerCall,
  "clean-up before the bake ends": () => ({ wrap: earlyCleanUp }),
  "endpoints read from a cache": cachedEndpoints,
  "aliases are only added": () => ({ wrap: aliasesOnlyAdded }),
  "the newest evaluation": newestEvaluation,
  "machines cost nothing": () => ({ wrap: freeMachines }),
  "a fresh id per publication": freshEventIds,
};
