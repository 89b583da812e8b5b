/** Looks at many rollouts share their calls, and nothing else. */
import { describe, expect, it } from "vitest";
import { modelName, type ModelName } from "../../events/ids.js";
import type { ModelState } from "../../shared/domain/state.js";
import type { MetricAnswer, MetricQuery } from "../../shared/ports/metrics.js";
import type { Ports } from "../../shared/ports/ports.js";
import { lookAhead } from "../../shared/runtime/look-ahead.js";
import { tick } from "../../shared/runtime/tick.js";
import { manifestOf, patient } from "../fixtures/manifest.js";
import { spread } from "../simulation/scale/fleet.js";
import { serve } from "./crashing.js";
import { untilPhase } from "./people.js";
import { arm, storyOf, type Story } from "./story.js";

interface Fleet {
  readonly story: Story;
  readonly names: readonly ModelName[];
  /** What Monitoring was asked in one go, each time. */
  readonly asked: (readonly MetricQuery[])[];
  readonly tick: () => Promise<void>;
  readonly phaseOf: (model: ModelName) => string | undefined;
}

/** Canaries of many models, each on endpoints of its own; `answer` may change what Monitoring says. */
const canaries = async (
  size: number,
  answer: (query: MetricQuery, found: MetricAnswer | undefined) => MetricAnswer = (_query, found) =>
    found ?? { counts: null },
): Promise<Fleet> => {
  const story = await storyOf(patient);
  await story.firstChampion();
  await story.train("february");
  await untilPhase(story, "progressing");
  const { world } = story;
  const { champion, rollout } = story.model();
  world.series = {
    [champion?.deployed["production"] ?? ""]: arm(9),
    [rollout?.deployed["production"] ?? ""]: arm(1),
  };
  const of = (model: ModelName): ModelState => {
    const state = story.model();
    const { promotion } = state.manifest;
    const environments = promotion.environments.map((environment) => {
      const endpoint = `${model}-${environment.name}`;
      const like = world.endpoints.get(environment.endpoint);
      if (like !== undefined) world.endpoints.set(endpoint, structuredClone(like));
      return { ...environment, endpoint };
    });
    const manifest = { ...state.manifest, promotion: { ...promotion, environments } };
    return { ...state, model, manifest };
  };
  const names = await spread(world, size, of);
  const asked: (readonly MetricQuery[])[] = [];
  const ports: Ports = {
    ...world.ports,
    metrics: {
      counts: async (queries) => {
        asked.push(queries);
        const found = await world.ports.metrics.counts(queries);
        return queries.map((query, index) => answer(query, found[index]));
      },
    },
  };
  let visits = 0;
  return {
    story,
    names,
    asked,
    tick: async () => {
      visits += 1;
      world.nowMs += 60_000;
      await tick(`look-${visits}`, ports);
    },
    phaseOf: (model) => world.models.get(model)?.rollout?.phase,
  };
};

describe("looks at many rollouts", () => {
  it("are one question, and a look that concludes asks nothing again", async () => {
    const { story, names, asked, tick: tickOnce, phaseOf } = await canaries(40);
    await tickOnce();
    expect(asked.map((queries) => queries.length)).toEqual([41]);
    serve(story, 0.5);
    await tickOnce();
    expect(asked.map((queries) => queries.length)).toEqual([41, 41]);
    expect(new Set(names.map(phaseOf))).toEqual(new Set(["cleaning"]));
  });

  it("fail one by one: an endpoint that cannot be read holds up no other, and is looked at again", async () => {
    const unreadable = modelName.parse("fleet-3");
    let isBroken = true;
    const {
      story,
      names,
      tick: tickOnce,
      phaseOf,
    } = await canaries(10, ({ endpoint }, found) =>
      isBroken && endpoint.startsWith(`${unreadable}-`)
        ? { error: new Error(`${endpoint} cannot be read`) }
        : (found ?? { counts: null }),
    );
    const before = story.world.models.get(unreadable);
    serve(story, 0.5);
    await tickOnce();
    expect(names.filter((name) => phaseOf(name) === "progressing")).toEqual([unreadable]);
    expect(story.world.models.get(unreadable)).toEqual(before);
    isBroken = false;
    await tickOnce();
    expect(phaseOf(unreadable)).toBe("cleaning");
  });

  it("fail together when Monitoring does, which neither ends a rollout nor holds up a run", async () => {
    const {
      story,
      names,
      tick: tickOnce,
    } = await canaries(10, () => {
      throw new Error("Monitoring is away");
    });
    await story.arrive("march");
    const run = story.model().run?.run;
    expect(run).toBeDefined();
    for (const [job, facts] of story.world.jobs) {
      story.world.jobs.set(job, { ...facts, state: "failed", error: "no memory" });
    }
    const rollouts = () => names.map((name) => story.world.models.get(name)?.rollout);
    const before = rollouts();
    serve(story, 0.5);
    for (let minute = 0; minute < 10; minute += 1) await tickOnce();
    expect(rollouts()).toEqual(before);
    expect(story.model().run).toBeNull();
    expect(story.model().rollout?.phase).toBe("progressing");
  });

  it("write nothing while Monitoring is away, and stop for a person when a step has waited for too long", async () => {
    const {
      story,
      names,
      tick: tickOnce,
      phaseOf,
    } = await canaries(3, () => {
      throw new Error("Monitoring is away");
    });
    const { world } = story;
    const writes = world.writes();
    for (let minute = 0; minute < 30; minute += 1) await tickOnce();
    expect(world.writes()).toBe(writes);
    world.nowMs += 12 * 3600_000;
    for (let minute = 0; minute < 5; minute += 1) await tickOnce();
    expect(names.map(phaseOf)).toEqual(["parked", "parked", "parked"]);
    expect(story.model().rollout).toMatchObject({
      weight: 10,
      parkedReason: expect.stringContaining("Monitoring is away"),
    });
    expect(world.published.filter(({ topic }) => topic === "notification")).toHaveLength(4);
  });
});

describe("what was read ahead", () => {
  it("is waited for by those alone who look at it", async () => {
    let answer = (): void => undefined;
    const isAnswered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const { story, names, phaseOf } = await canaries(3);
    const { world } = story;
    const ports: Ports = {
      ...world.ports,
      metrics: {
        counts: async (queries) => {
          await isAnswered;
          return world.ports.metrics.counts(queries);
        },
      },
    };
    const other = modelName.parse("other");
    const manifest = manifestOf({ name: other });
    await story.handle({
      specversion: "1.0",
      type: "manifest.applied",
      id: "manifest/other",
      source: "test",
      time: new Date(world.nowMs).toISOString(),
      data: { model: other, version: 1, digest: "m1", by: "test", manifest },
    });
    await story.arrive("march");
    expect(world.models.get(other)?.run).not.toBeNull();
    for (const [job, facts] of world.jobs) {
      world.jobs.set(job, { ...facts, state: "failed", error: "no memory" });
    }
    world.nowMs += 60_000;
    const ticked = tick("waiting", ports);
    await expect.poll(() => world.models.get(other)?.run, { timeout: 30_000 }).toBeNull();
    const running = () => names.filter((name) => world.models.get(name)?.run !== null);
    expect(running()).toEqual(names);
    answer();
    await ticked;
    expect(running()).toEqual([]);
    expect(new Set(names.map(phaseOf))).toEqual(new Set(["progressing"]));
  });

  const nowMs = Date.UTC(2026, 0, 5, 12);
  const visitOf = ({ model }: ModelState) =>
    ({
      specversion: "1.0",
      type: "model.visited",
      id: `tick/1/${model}`,
      source: "test",
      time: new Date(nowMs).toISOString(),
      data: { model, by: "tick" },
    }) as const;

  it("answers the same step for a minute; another step, or a later look, is read when it is asked for", async () => {
    const { story, asked } = await canaries(0);
    const { world } = story;
    const ports: Ports = {
      ...world.ports,
      metrics: {
        counts: (queries) => {
          asked.push(queries);
          return world.ports.metrics.counts(queries);
        },
      },
    };
    const { ports: ahead } = lookAhead([story.model()], visitOf, ports);
    const [query] = asked[0] ?? [];
    if (query === undefined) throw new Error("nothing was asked");
    const later = (ms: number): MetricQuery => ({ ...query, untilMs: query.untilMs + ms });
    await ahead.metrics.counts([query]);
    await ahead.metrics.counts([later(60_000)]);
    expect(asked).toHaveLength(1);
    await ahead.metrics.counts([later(60_001)]);
    await ahead.metrics.counts([{ ...query, sinceMs: query.sinceMs + 1 }]);
    await ahead.metrics.counts([{ ...query, endpoint: "another" }]);
    await ahead.metrics.counts([{ ...query, business: { metric: "m", label: "l", of: [] } }]);
    expect(asked).toHaveLength(5);
  });
});
