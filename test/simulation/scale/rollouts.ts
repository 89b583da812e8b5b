/** A tick over thousands of rollouts whose analysis cannot tell yet. */
import type { ModelName } from "../../../events/ids.js";
import type { ModelState } from "../../../shared/domain/state.js";
import type { Ports } from "../../../shared/ports/ports.js";
import { defaultLimits } from "../../../shared/runtime/quota.js";
import { tick } from "../../../shared/runtime/tick.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { arm, storyOf } from "../../flow/story.js";
import { schedulerAt } from "../scheduler.js";
import { spread } from "./fleet.js";
import { countedSeries } from "./time-series.js";

/** What the tick did. */
export interface InconclusiveTick {
  readonly rollouts: number;
  readonly partitions: number;
  /** Rollouts whose metrics were looked at. */
  readonly looked: number;
  /** Calls of ListTimeSeries that the looks took. */
  readonly listCalls: number;
  /** Processor time of one partition's tick, on average. */
  readonly cpuMs: number;
  /** The longest tick of a partition, on the virtual clock; processor time is not in it. */
  readonly longestMs: number;
  readonly writes: number;
  readonly messages: number;
  /** Calls that read something at Vertex AI. */
  readonly vertexReads: number;
  /** Calls that change something at Vertex AI. */
  readonly effects: number;
}

const minuteMs = 60_000;
/** A call of ListTimeSeries, and a round trip to Firestore. */
const listMs = 500;
const storeMs = 20;

/** Each model has endpoints of its own. */
const renamed = (state: ModelState, model: ModelName): ModelState => {
  const { manifest } = state;
  const { promotion } = manifest;
  const environments = promotion.environments.map((environment) => ({
    ...environment,
    endpoint: `${model}-${environment.name}`,
  }));
  return { ...state, model, manifest: { ...manifest, promotion: { ...promotion, environments } } };
};

/**
 * Ticks once over a fleet of rollouts whose step has lasted for so many minutes, one partition after another, through
 * the adapter of Cloud Monitoring.
 */
export const inconclusiveTick = async (
  rollouts: number,
  partitions: number,
  stepMinutes = 2,
): Promise<InconclusiveTick> => {
  const story = await storyOf(
    manifestOf({
      rollout: {
        steps: [10, 100],
        bakeSeconds: 3600,
        analysis: { ingestDelaySeconds: 0, requestsMin: 5000, inconclusiveSecondsMax: 7200 },
      },
    }),
  );
  await story.firstChampion();
  await story.train("february");
  for (let visit = 0; visit < 9 && story.model().rollout?.phase !== "progressing"; visit += 1) {
    await story.pass(1);
  }
  const { world } = story;
  const { champion, rollout } = story.model();
  const [first, second] = [champion?.deployed["production"], rollout?.deployed["production"]];
  if (first === undefined || second === undefined) throw new Error("no rollout progresses");
  world.series = { [first]: arm(9), [second]: arm(1) };
  await story.pass(60);
  // The story's own rollout is one of them.
  await spread(world, rollouts - 1, (model) => renamed(story.model(), model));
  const before = {
    writes: world.writes(),
    messages: world.published.length,
    effects: world.effects.length,
  };
  world.nowMs += (stepMinutes - 1) * minuteMs;
  const scheduler = schedulerAt(world.nowMs);
  const after = (ms: number) => (): Promise<void> =>
    new Promise((resolve) => scheduler.after(ms, resolve));
  const series = countedSeries({ [first]: 9, [second]: 1 }, after(listMs));
  const delayed =
    <Arguments extends readonly unknown[], Result>(
      call: (...args: Arguments) => Promise<Result>,
      wait = after(storeMs),
    ) =>
    async (...args: Arguments): Promise<Result> => {
      await wait();
      return call(...args);
    };
  let looked = 0;
  let vertexReads = 0;
  const counted =
    <Arguments extends readonly unknown[], Result>(read: (...args: Arguments) => Result) =>
    (...args: Arguments): Result => {
      vertexReads += 1;
      return read(...args);
    };
  const { state } = world.ports;
  const ports: Ports = {
    ...world.ports,
    clock: () => Math.floor(scheduler.nowMs()),
    state: {
      ...state,
      model: delayed(state.model),
      modelPage: delayed(state.modelPage),
      pendingEntries: delayed(state.pendingEntries),
      dueTimers: delayed(state.dueTimers),
      // A transaction begins, reads and commits.
      transact: delayed(state.transact, after(3 * storeMs)),
    },
    endpoints: { ...world.ports.endpoints, get: counted(world.ports.endpoints.get) },
    pipelines: { ...world.ports.pipelines, get: counted(world.ports.pipelines.get) },
    registry: { ...world.ports.registry, version: counted(world.ports.registry.version) },
    metrics: {
      counts: (queries) => {
        looked += queries.length;
        return series.metrics.counts(queries);
      },
    },
  };
  const cpu = process.cpuUsage();
  const startMs = scheduler.nowMs();
  let longestMs = 0;
  let ended = 0;
  const work = Array.from({ length: partitions }, async (_, index) => {
    await tick(`t${index}`, ports, { ...defaultLimits, partition: { index, count: partitions } });
    longestMs = Math.max(longestMs, scheduler.nowMs() - startMs);
    ended += 1;
  });
  await scheduler.run(startMs + 10 * minuteMs, () => ended === partitions);
  await Promise.all(work);
  const { user, system } = process.cpuUsage(cpu);
  return {
    rollouts,
    partitions,
    looked,
    listCalls: series.calls(),
    longestMs,
    cpuMs: (user + system) / 1000 / partitions,
    vertexReads,
    writes: world.writes() - before.writes,
    messages: world.published.length - before.messages,
    effects: world.effects.length - before.effects,
  };
};
