import { describe, expect, it } from "vitest";
import { modelVersionId, type DeployedModelId } from "../../events/ids.js";
import { manifestOf } from "../fixtures/manifest.js";
import { setTrafficByHand } from "./people.js";
import { arm, churn, storyOf, type Story } from "./story.js";

const production = "churn-production";

const championOf = (story: Story): DeployedModelId => {
  const id = story.model().champion?.deployed["production"];
  if (id === undefined) throw new Error("there is no champion");
  return id;
};

const challengerOf = (story: Story): DeployedModelId => {
  const id = story.model().rollout?.deployed["production"];
  if (id === undefined) throw new Error("no challenger is in production");
  return id;
};

const splitOf = (story: Story) => story.world.endpoints.get(production)?.split;

/** Brings a second version to the first canary step. */
const canary = async (): Promise<Story> => {
  const story = await storyOf(manifestOf());
  await story.firstChampion();
  await story.train("february");
  for (let visit = 0; visit < 8 && story.model().rollout?.phase !== "progressing"; visit += 1) {
    await story.pass(1);
  }
  return story;
};

describe("the loop in memory", () => {
  it("the first version that passes its gates serves everything", async () => {
    const story = await storyOf(manifestOf());
    await story.firstChampion();
    expect(story.model().champion?.versionId).toBe("1");
    expect(splitOf(story)).toEqual({ [championOf(story)]: 100 });
    expect(story.world.versions[0]?.aliases).toContain("champion");
    expect(story.model().rollout).toBeNull();
  });

  it("new data submits one job whose id is the run's id", async () => {
    const story = await storyOf(manifestOf());
    await story.arrive("january");
    const run = story.model().run?.run;
    expect(story.world.effects.filter((effect) => effect.startsWith("submit"))).toEqual([
      `submit ${run}`,
    ]);
  });

  it("the same content under another event id starts no second run", async () => {
    const story = await storyOf(manifestOf());
    await story.arrive("january");
    await story.handle({
      specversion: "1.0",
      id: "another",
      source: "elsewhere",
      time: new Date(story.world.nowMs).toISOString(),
      type: "dataset.arrived",
      data: { dataset: "customers", uris: ["gs://demo-continuo/january.parquet"] },
    });
    await story.deliver();
    expect(story.world.jobs.size).toBe(1);
  });

  it("a dataset that the data gate stops ends its run as rejected, without an evaluation", async () => {
    const story = await storyOf(manifestOf());
    await story.arrive("january");
    const run = story.model().run?.run;
    await story.endJob({
      dataGate: { verdict: "stop", reasons: ["age: 3 % missing"], profileUri: "gs://p" },
    });
    const record = run === undefined ? null : await story.world.ports.state.run(run);
    expect(record?.outcome).toBe("rejected");
    expect(record?.reasons).toEqual(["data gate: age: 3 % missing"]);
    expect(story.model().datasets[0]?.isStopped).toBe(true);
    expect(story.world.versions).toHaveLength(0);
  });

  it("a challenger rises step by step and becomes champion; the former one is undeployed", async () => {
    const story = await canary();
    const [former, challenger] = [championOf(story), challengerOf(story)];
    expect(splitOf(story)).toEqual({ [former]: 90, [challenger]: 10 });
    for (const weight of [10, 50, 100]) {
      expect(splitOf(story)?.[challenger]).toBe(weight);
      story.world.series = {
        [former]: arm(weight === 100 ? 0 : 1000 - 10 * weight),
        [challenger]: arm(10 * weight),
      };
      await story.pass(61);
    }
    expect(championOf(story)).toBe(challenger);
    for (let visit = 0; visit < 4; visit += 1) await story.pass(1);
    expect(story.model().rollout).toBeNull();
    expect(story.world.endpoints.get(production)?.deployed).toEqual([challenger]);
    expect(story.world.versions[1]?.aliases).toContain("champion");
    expect(story.world.versions[0]?.aliases).not.toContain("champion");
  });

  it("a failed analysis sends all traffic back to the champion", async () => {
    const story = await canary();
    const [champion, challenger] = [championOf(story), challengerOf(story)];
    story.world.series = { [champion]: arm(900), [challenger]: arm(100, 30) };
    await story.pass(5);
    expect(splitOf(story)).toEqual({ [champion]: 100 });
    for (let visit = 0; visit < 4; visit += 1) await story.pass(1);
    const [record] = await story.world.ports.state.rollouts({ model: churn, limit: 1 });
    expect(record?.outcome).toBe("rolled-back");
    expect(story.world.endpoints.get(production)?.deployed).toEqual([champion]);
  });

  it("without a point in Monitoring the weight stays, and at the limit the rollout is parked", async () => {
    const story = await canary();
    const before = splitOf(story);
    await story.pass(300);
    expect(splitOf(story)).toEqual(before);
    expect(story.model().rollout?.phase).toBe("progressing");
    await story.pass(600);
    expect(story.model().rollout?.phase).toBe("parked");
    expect(splitOf(story)).toEqual(before);
  });

  it("an inconclusive look writes nothing", async () => {
    const story = await canary();
    story.world.series = { [championOf(story)]: arm(90), [challengerOf(story)]: arm(10) };
    await story.pass(1);
    const writes = story.world.writes();
    await story.pass(1);
    await story.pass(1);
    expect(story.world.writes()).toBe(writes);
  });

  it("traffic that a person changed parks the rollout and is not overwritten", async () => {
    const story = await canary();
    await setTrafficByHand(story, { [championOf(story)]: 40, [challengerOf(story)]: 60 });
    expect(story.model().rollout?.phase).toBe("parked");
    expect(splitOf(story)).toEqual({ [championOf(story)]: 40, [challengerOf(story)]: 60 });
  });

  it("an operator's abort returns all traffic to the champion in one change", async () => {
    const story = await canary();
    await story.handle({
      specversion: "1.0",
      id: "abort",
      source: "api",
      time: new Date(story.world.nowMs).toISOString(),
      type: "command.issued",
      data: { model: churn, command: "abort", by: "on-call" },
    });
    expect(splitOf(story)).toEqual({ [championOf(story)]: 100 });
  });

  it("a version given the alias challenger by hand is rolled out; our own alias changes are not", async () => {
    const story = await canary();
    const challenger = challengerOf(story);
    for (const weight of [10, 50, 100]) {
      story.world.series = {
        [championOf(story)]: arm(weight === 100 ? 0 : 1000 - 10 * weight),
        [challenger]: arm(10 * weight),
      };
      await story.pass(61);
    }
    for (let visit = 0; visit < 4; visit += 1) await story.pass(1);
    const aliased = (id: string, versionId: string, aliases: string[]) =>
      story.handle({
        specversion: "1.0",
        id,
        source: "audit",
        time: new Date(story.world.nowMs).toISOString(),
        type: "model-version.aliased",
        data: {
          model: churn,
          versionId: modelVersionId.parse(versionId),
          principal: "someone@example.com",
          aliases,
        },
      });
    await aliased("own", "2", ["champion", "default", "-challenger"]);
    expect(story.model().rollout).toBeNull();
    story.world.versions[0]?.aliases.push("challenger");
    await aliased("by-hand", "1", ["challenger"]);
    expect(story.model().rollout?.versionId).toBe("1");
  });

  it("a duplicate delivery finishes what a crash left, once", async () => {
    const story = await storyOf(manifestOf());
    const { bus } = story.world.ports;
    let isDown = true;
    const crashing = {
      ...story.world.ports,
      bus: {
        publish: (...message: Parameters<typeof bus.publish>) =>
          isDown ? Promise.reject(new Error("crash")) : bus.publish(...message),
      },
    };
    const { handleEvent } = await import("../../shared/runtime/handle.js");
    const event = {
      specversion: "1.0" as const,
      id: "data/january",
      source: "test",
      time: new Date(story.world.nowMs).toISOString(),
      type: "dataset.arrived" as const,
      data: { dataset: "customers", uris: ["gs://demo-continuo/january.parquet"] },
    };
    await expect(handleEvent(event, { function: "test", ports: crashing })).rejects.toThrow(
      "crash",
    );
    expect(story.model().run?.phase).toBe("requested");
    isDown = false;
    await handleEvent(event, { function: "test", ports: crashing });
    await handleEvent(event, { function: "test", ports: crashing });
    expect(story.world.published).toHaveLength(1);
    await story.deliver();
    expect(story.world.jobs.size).toBe(1);
  });

  it("five hundred alerts of one window start one run", async () => {
    const story = await storyOf(manifestOf());
    await story.firstChampion();
    story.world.nowMs += 7_200_000;
    const jobs = story.world.jobs.size;
    for (let index = 0; index < 500; index += 1) {
      await story.handle({
        specversion: "1.0",
        id: `alert/${index}`,
        source: "logging",
        time: new Date(story.world.nowMs).toISOString(),
        type: "drift.detected",
        data: {
          deployedModelId: championOf(story),
          objective: "feature",
          window: { start: "2026-01-01T00:00:00Z", end: "2026-01-02T00:00:00Z" },
          anomalies: [{ feature: "age", deviation: 0.5, threshold: 0.1 }],
        },
      });
      await story.deliver();
    }
    expect(story.world.jobs.size).toBe(jobs + 1);
  });

  it("a run above its budget is refused for good, and visibly", async () => {
    const story = await storyOf(
      manifestOf({ budget: { usdPerRunMax: 0.01, usdPerMonthMax: 500 } }),
    );
    await story.arrive("january");
    expect(story.world.jobs.size).toBe(0);
    const [record] = await story.world.ports.state.runs({ model: churn, limit: 1 });
    expect(record?.outcome).toBe("rejected");
    expect(record?.reasons[0]).toContain("usdPerRunMax");
  });
});
