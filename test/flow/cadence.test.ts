/** What ticks read from the cloud while nothing is conclusive, counted. */
import { describe, expect, it } from "vitest";
import type { DeployedModelId } from "../../events/ids.js";
import type { Ports } from "../../shared/ports/ports.js";
import { patient } from "../fixtures/manifest.js";
import { serve } from "./crashing.js";
import { setTrafficByHand, untilPhase } from "./people.js";
import { arm, storyOf, type Story } from "./story.js";

interface Reads {
  endpoints: number;
  jobs: number;
  versions: number;
  series: number;
}

/** Ports that count what is read through them. */
const counting = (reads: Reads) => {
  const counted =
    <Arguments extends readonly unknown[], Result>(
      what: keyof Reads,
      read: (...args: Arguments) => Result,
    ) =>
    (...args: Arguments): Result => {
      reads[what] += 1;
      return read(...args);
    };
  return (ports: Ports): Ports => ({
    ...ports,
    endpoints: { ...ports.endpoints, get: counted("endpoints", ports.endpoints.get) },
    pipelines: { ...ports.pipelines, get: counted("jobs", ports.pipelines.get) },
    registry: { ...ports.registry, version: counted("versions", ports.registry.version) },
    metrics: {
      counts: (queries) => {
        reads.series += queries.length;
        return ports.metrics.counts(queries);
      },
    },
  });
};

const nothing: Reads = { endpoints: 0, jobs: 0, versions: 0, series: 0 };

/** What so many ticks, a minute apart, read together. */
const readsOf = async (story: Story, reads: Reads, minutes: number): Promise<Reads> => {
  const before = { ...reads };
  for (let minute = 0; minute < minutes; minute += 1) await story.pass(60);
  return {
    endpoints: reads.endpoints - before.endpoints,
    jobs: reads.jobs - before.jobs,
    versions: reads.versions - before.versions,
    series: reads.series - before.series,
  };
};

const servingIn = (story: Story): readonly DeployedModelId[] => {
  const { champion, rollout } = story.model();
  const [first, second] = [champion?.deployed["production"], rollout?.deployed["production"]];
  if (first === undefined || second === undefined) throw new Error("no canary");
  return [first, second];
};

/** A canary whose requests are too few to tell, at the minute after its traffic was set. */
const inconclusive = async (reads: Reads, bakeSeconds = 4 * 3600): Promise<Story> => {
  const { rollout } = patient;
  const analysis = { ...rollout.analysis, inconclusiveSecondsMax: 2 * bakeSeconds };
  const manifest = { ...patient, rollout: { ...rollout, bakeSeconds, analysis } };
  const story = await storyOf(manifest, { through: counting(reads) });
  await story.firstChampion();
  await story.train("february");
  await untilPhase(story, "progressing");
  const [first, second] = servingIn(story);
  story.world.series = { [first ?? ""]: arm(9), [second ?? ""]: arm(1) };
  return story;
};

describe("a tick over an inconclusive rollout", () => {
  it("reads its metrics and nothing of Vertex AI: each minute for an hour, then more rarely", async () => {
    const reads = { ...nothing };
    const story = await inconclusive(reads, 24 * 3600);
    const writes = story.world.writes();
    expect(await readsOf(story, reads, 9)).toEqual({ ...nothing, series: 9 });
    expect(story.world.writes() - writes).toBeLessThanOrEqual(3);
    const quiet = story.world.writes();
    expect(await readsOf(story, reads, 51)).toEqual({ ...nothing, series: 51 });
    // One minute in so many as the step has hours, five at most.
    for (const [hour, looks] of [30, 20, 15, 12, 12].entries()) {
      expect([hour, await readsOf(story, reads, 60)]).toEqual([
        hour,
        { ...nothing, series: looks },
      ]);
    }
    expect(story.world.writes()).toBe(quiet);
    expect(story.model().rollout).toMatchObject({ phase: "progressing", weight: 10 });
  });

  it("reads the endpoint once it has something to do", async () => {
    const reads = { ...nothing };
    const story = await inconclusive(reads);
    serve(story, 0.5);
    expect(await readsOf(story, reads, 1)).toEqual({ ...nothing, series: 1, endpoints: 1 });
    expect(story.model().rollout?.phase).toBe("cleaning");
  });

  it("leaves what a person did to the event that tells of it", async () => {
    const reads = { ...nothing };
    const story = await inconclusive(reads);
    const [first, second] = servingIn(story);
    await setTrafficByHand(story, { [first ?? ""]: 50, [second ?? ""]: 50 });
    expect(reads.endpoints).toBeGreaterThan(0);
    expect(story.model().rollout?.phase).toBe("parked");
  });

  it("moves a rollout on at most five minutes late", async () => {
    const reads = { ...nothing };
    const story = await inconclusive(reads);
    await readsOf(story, reads, 4 * 60 - 2);
    serve(story, 0);
    await readsOf(story, reads, 7);
    expect(story.model().rollout).toMatchObject({ weight: 100 });
  });
});

describe("a tick over a run", () => {
  it("looks for its job in the first five minutes and then every ten", async () => {
    const reads = { ...nothing };
    const story = await storyOf(patient, { through: counting(reads) });
    await story.arrive("january");
    expect(await readsOf(story, reads, 9)).toEqual({ ...nothing, jobs: 4 });
    expect(await readsOf(story, reads, 60)).toEqual({ ...nothing, jobs: 6 });
  });

  it("finds a job that ended untold within ten minutes", async () => {
    const story = await storyOf(patient);
    await story.arrive("january");
    for (let minute = 0; minute < 15; minute += 1) await story.pass(60);
    for (const [run, job] of story.world.jobs) {
      story.world.jobs.set(run, { ...job, state: "failed", error: "no memory" });
    }
    for (let minute = 0; minute < 10; minute += 1) await story.pass(60);
    expect(story.model().run).toBeNull();
  });
});

describe("a tick over a deployment", () => {
  it("looks each minute for ten, then every five", async () => {
    const reads = { ...nothing };
    const story = await storyOf(patient, {
      through: (ports) => {
        const counted = counting(reads)(ports);
        // It takes its time.
        return { ...counted, endpoints: { ...counted.endpoints, deploy: async () => undefined } };
      },
    });
    await story.train("january");
    expect(story.model().rollout?.phase).toBe("deploying");
    expect(await readsOf(story, reads, 9)).toEqual({ ...nothing, endpoints: 9 });
    expect(await readsOf(story, reads, 31)).toEqual({ ...nothing, endpoints: 7 });
    await readsOf(story, reads, 30);
    expect(story.model().rollout).toBeNull();
  });
});
