/** A world whose functions die once, at a given effect, before or after it took place. */
import type { DeployedModelId } from "../../events/ids.js";
import type { Manifest } from "../../shared/manifest/schema.js";
import type { Ports } from "../../shared/ports/ports.js";
import { UnavailableError } from "../../shared/domain/errors.js";
import { leaseMs } from "../../shared/runtime/guards.js";
import { uploadLeaseMs } from "../../shared/runtime/register-version.js";
import type { MemoryWorld } from "../fixtures/memory-ports.js";
import { arm, churn, storyOf, type Story } from "./story.js";

/** Where and how a story crashes, and what comes after it. */
export interface Crash {
  /** The number of the effect, from 0 on. */
  readonly position: number;
  readonly moment: "before" | "after";
  /** Pub/Sub delivers again at once, or only a later tick finds what is pending. */
  readonly recovery: "redelivery" | "tick";
}

class CrashError extends Error {
  override readonly name = "CrashError";
}

/** Wraps every method that changes something outside the transaction. */
export const crashingPorts = (
  ports: Ports,
  crash: Crash | null,
): {
  readonly ports: Ports;
  readonly effects: () => number;
  readonly hasCrashed: () => boolean;
} => {
  let count = 0;
  let hasCrashed = false;
  const guarded =
    <Args extends readonly unknown[]>(effect: (...args: Args) => Promise<void>) =>
    async (...args: Args): Promise<void> => {
      const isHere = crash !== null && !hasCrashed && count === crash.position;
      count += 1;
      if (isHere && crash.moment === "before") {
        hasCrashed = true;
        throw new CrashError(`before effect ${crash.position}`);
      }
      await effect(...args);
      if (isHere) {
        hasCrashed = true;
        throw new CrashError(`after effect ${crash.position}`);
      }
    };
  const { state, bus, pipelines, registry, endpoints, schedules } = ports;
  return {
    effects: () => count,
    hasCrashed: () => hasCrashed,
    ports: {
      ...ports,
      state: { ...state, markDone: guarded(state.markDone) },
      bus: { publish: guarded(bus.publish) },
      pipelines: {
        ...pipelines,
        submit: guarded(pipelines.submit),
        cancel: guarded(pipelines.cancel),
      },
      registry: {
        ...registry,
        upload: guarded(registry.upload),
        setAliases: guarded(registry.setAliases),
        importEvaluation: guarded(registry.importEvaluation),
      },
      endpoints: {
        ...endpoints,
        ensure: guarded(endpoints.ensure),
        deploy: guarded(endpoints.deploy),
        undeploy: guarded(endpoints.undeploy),
        setTrafficSplit: guarded(endpoints.setTrafficSplit),
      },
      schedules: { sync: guarded(schedules.sync) },
    },
  };
};

/** What a scenario does with a story. */
export type Scenario = (story: Story) => Promise<void>;

const production = "churn-production";

/** Lets the traffic split serve for one step: as many requests as its weights say, errors for the challenger. */
export const serve = (story: Story, errorShare: number): void => {
  const split = story.world.endpoints.get(production)?.split ?? {};
  const challenger = story.model().rollout?.deployed["production"];
  const entries = Object.entries<number>(split).map(([id, weight]) => [
    id,
    arm(weight * 10, id === challenger ? Math.floor(weight * 10 * errorShare) : 0),
  ]);
  const former = story.model().champion?.deployed["production"];
  const none = former === undefined || former in split ? {} : { [former]: arm(0) };
  story.world.series = { ...none, ...Object.fromEntries(entries) } as Record<
    DeployedModelId,
    ReturnType<typeof arm>
  >;
};

/** Passes time until a claim holds; throws when it never does. */
export const until = async (
  story: Story,
  claim: () => boolean,
  seconds = 1,
  beforeEach: () => void = () => undefined,
): Promise<void> => {
  for (let pass = 0; pass < 60 && !claim(); pass += 1) {
    beforeEach();
    await story.pass(seconds);
  }
  if (!claim()) throw new Error(`it never came: ${JSON.stringify(story.model().rollout)}`);
};

/** All that a person could see at the end, without times. */
export const endState = async (story: Story): Promise<unknown> => {
  const { world } = story;
  const state = world.models.get(churn) ?? null;
  const [runs, rollouts] = await Promise.all([
    world.ports.state.runs({ limit: 100 }),
    world.ports.state.rollouts({ limit: 100 }),
  ]);
  return {
    endpoints: [...world.endpoints].map(([name, { deployed, split }]) => [
      name,
      deployed.toSorted(),
      Object.entries<number>(split)
        .filter(([, weight]) => weight > 0)
        .map(([id, weight]) => `${id} ${weight} %`)
        .toSorted(),
    ]),
    jobs: [...world.jobs].map(([run, { state: jobState }]) => [run, jobState]),
    versions: world.versions.map(({ id, artifactUri, aliases }) => [
      id,
      artifactUri,
      aliases.toSorted(),
    ]),
    champion: state?.champion && { ...state.champion, sinceMs: 0 },
    open: { run: state?.run ?? null, rollout: state?.rollout ?? null, waiting: state?.waiting },
    trigger: state?.trigger ?? null,
    runs: runs.map(({ run, outcome }) => `${run} ${outcome}`).toSorted(),
    rollouts: rollouts.map(({ rollout, outcome }) => `${rollout} ${outcome}`).toSorted(),
    isPaused: state?.isPaused ?? null,
    pending: [...world.journal.values()].filter(({ isPending }) => isPending).length,
    timers: [...world.timers.keys()].toSorted(),
  };
};

/** Plays a scenario with one crash, or none, until nothing is pending, and says how it ended. */
export const play = async (
  manifest: Manifest,
  scenario: Scenario,
  crash: Crash | null,
): Promise<{ readonly end: unknown; readonly effects: number; readonly hasCrashed: boolean }> => {
  let guarded: ReturnType<typeof crashingPorts> | undefined;
  let passed: (() => Promise<void>) | undefined;
  /** Delivers again, as Pub/Sub does, until it is taken; each time a lease may have ended. */
  const untilTaken = async (again: () => Promise<void>, world: MemoryWorld): Promise<void> => {
    try {
      await again();
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      world.nowMs += leaseMs;
      await untilTaken(again, world);
    }
  };
  const story = await storyOf(manifest, {
    through: (ports) => {
      guarded = crashingPorts(ports, crash);
      return guarded.ports;
    },
    onFailure: async (error, again, world) => {
      if (!(error instanceof CrashError)) throw error;
      if (crash?.recovery === "redelivery") await untilTaken(again, world);
      else await passed?.();
    },
  });
  // Effects younger than 15 s are left alone by the tick: somebody may still be performing them. Those under a lease
  // wait until the lease of the one who died has ended.
  passed = () => story.pass(uploadLeaseMs / 1000 + 1);
  if (guarded?.hasCrashed() === true) await passed();
  await scenario(story);
  await passed();
  await passed();
  return {
    end: await endState(story),
    effects: guarded?.effects() ?? 0,
    hasCrashed: guarded?.hasCrashed() ?? false,
  };
};
