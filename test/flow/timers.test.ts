import { describe, expect, it } from "vitest";
import { deployedModelId, type DeployedModelId } from "../../events/ids.js";
import { tick } from "../../shared/runtime/tick.js";
import { manifestOf } from "../fixtures/manifest.js";
import { until } from "./crashing.js";
import { untilPhase } from "./people.js";
import { churn, storyOf, type Story } from "./story.js";

const debounced = manifestOf({ triggers: { debounceSeconds: 60, debounceSecondsMax: 150 } });

describe("timers", () => {
  it("a debounced trigger starts one run, once, when it is due", async () => {
    const story = await storyOf(debounced);
    await story.arrive("january");
    await story.pass(30);
    await story.arrive("february");
    await story.pass(59);
    expect(story.world.jobs.size).toBe(0);
    await story.pass(2);
    expect(story.world.jobs.size).toBe(1);
    expect(story.model().run).toMatchObject({ triggerCount: 2, correlationId: "data/february" });
    for (let visit = 0; visit < 5; visit += 1) await story.pass(60);
    expect(story.world.jobs.size).toBe(1);
    expect([...story.world.timers.keys()]).toEqual(["churn/run-deadline"]);
  });

  it("two ticks at once fire a timer once", async () => {
    const story = await storyOf(debounced);
    await story.arrive("january");
    story.world.nowMs += 61_000;
    await Promise.all(["a", "b", "c"].map((visit) => tick(visit, story.world.ports)));
    await story.deliver();
    expect(story.world.jobs.size).toBe(1);
  });

  it("a timer that a clock behind sets again to when it had fired fires once more", async () => {
    const story = await storyOf(debounced);
    await story.arrive("january");
    const [timer] = story.world.timers.values();
    const [entry] = story.world.journal.values();
    if (timer === undefined || entry === undefined) throw new Error("nothing waits");
    await story.pass(61);
    expect([...story.world.timers.keys()]).toEqual(["churn/run-deadline"]);
    await story.world.ports.state.transact("again", churn, () => ({
      entry: { ...entry, key: "again", isPending: false, chain: null },
      timers: [timer],
      runs: [],
      rollouts: [],
    }));
    await story.pass(60);
    expect([...story.world.timers.keys()]).toEqual(["churn/run-deadline"]);
  });

  it("a missed tick is made up for by the next one", async () => {
    const story = await storyOf(debounced);
    await story.arrive("january");
    await story.pass(86_400);
    expect(story.world.jobs.size).toBe(1);
  });

  it("a run that exceeds its time is cancelled and has failed, and its timer is gone", async () => {
    const story = await storyOf(manifestOf());
    await story.arrive("january");
    await story.pass(4 * 3600 + 1);
    await story.pass(1);
    const [record] = await story.world.ports.state.runs({ model: churn, limit: 1 });
    expect(record?.outcome).toBe("failed");
    expect([...story.world.timers.keys()]).toEqual([]);
  });

  it("a failure at one model's timer hides no other work", async () => {
    let isDown = true;
    const story = await storyOf(debounced, {
      through: (ports) => ({
        ...ports,
        bus: {
          publish: (...message) =>
            isDown ? Promise.reject(new Error("no bus")) : ports.bus.publish(...message),
        },
      }),
    });
    await story.arrive("january");
    await story.pass(61);
    expect(story.model().run?.phase).toBe("requested");
    isDown = false;
    await story.pass(16);
    expect(story.model().run?.phase).toBe("validating");
  });
});

describe("a schedule that is a timer", () => {
  const scheduled = (backend: "timer" | "scheduler") =>
    manifestOf({
      triggers: {
        newData: false,
        cooldownSeconds: 0,
        debounceSeconds: 0,
        schedules: [{ name: "nightly", cron: "30 2 * * *", timeZone: "Europe/Berlin", backend }],
      },
    });

  const runsOf = (story: Story) => story.world.ports.state.runs({ model: churn, limit: 10 });

  const endRun = (story: Story) => story.endJob({ state: "failed", error: "no luck" });

  it("starts a run each night, and one for all the nights without a tick", async () => {
    const story = await storyOf(scheduled("timer"));
    await story.arrive("january");
    expect(story.world.jobs.size).toBe(0);
    expect(story.world.effects.filter((effect) => effect.startsWith("schedules"))).toEqual([
      "schedules churn 0",
    ]);
    await until(story, () => story.model().run !== null, 3600);
    await endRun(story);
    expect(await runsOf(story)).toMatchObject([{ kind: "schedule", triggerCount: 1 }]);
    await story.pass(5 * 86_400);
    await endRun(story);
    expect(await runsOf(story)).toHaveLength(2);
    expect((await runsOf(story))[0]?.reason).toMatch(/once for the 5 times/);
    await story.pass(60);
    expect(story.model().run).toBeNull();
    expect([...story.world.timers.keys()]).toEqual(["churn/schedule"]);
  });

  it("is no job of Cloud Scheduler, and one of its jobs is no timer", async () => {
    const story = await storyOf(scheduled("scheduler"));
    expect(story.world.effects).toContain("schedules churn 1");
    expect([...story.world.timers.keys()]).toEqual([]);
  });
});

describe("alerts about deployed models", () => {
  const alert = (story: Story, id: DeployedModelId, name: string) =>
    story.handle({
      specversion: "1.0",
      id: `alert/${name}`,
      source: "logging",
      time: new Date(story.world.nowMs).toISOString(),
      type: "drift.detected",
      data: {
        deployedModelId: id,
        objective: "feature",
        window: { start: "2026-01-01T00:00:00Z", end: "2026-01-02T00:00:00Z" },
        anomalies: [{ feature: "age", deviation: 0.5, threshold: 0.1 }],
      },
    });

  const modelsTold = async (story: Story): Promise<readonly (string | null)[]> =>
    (await story.world.ports.state.timeline({ limit: 500 }))
      .filter(({ event }) => event.type === "drift.detected")
      .map(({ model }) => model)
      .toReversed();

  it("find the model of the champion and of the challenger, and nobody for what is gone", async () => {
    const story = await storyOf(manifestOf());
    await story.firstChampion();
    const champion = story.model().champion?.deployed["production"];
    await story.train("february");
    await untilPhase(story, "progressing");
    const challenger = story.model().rollout?.deployed["production"];
    if (champion === undefined || challenger === undefined) throw new Error("nothing is deployed");
    await alert(story, champion, "champion");
    await alert(story, challenger, "challenger");
    await alert(story, deployedModelId.parse("404"), "unknown");
    expect(await modelsTold(story)).toEqual(["churn", "churn", null]);
  });

  it("come again after the cooldown, and start no run for the same window", async () => {
    const story = await storyOf(manifestOf());
    await story.firstChampion();
    const champion = story.model().champion?.deployed["production"];
    if (champion === undefined) throw new Error("there is no champion");
    for (let index = 0; index < 20; index += 1) {
      await alert(story, champion, `copy-${index}`);
      await story.deliver();
    }
    expect(story.world.jobs.size).toBe(1);
    await until(story, () => story.world.jobs.size === 2, 600);
    await alert(story, champion, "late");
    await story.pass(7200);
    expect(story.world.jobs.size).toBe(2);
    expect(story.model().run?.triggerCount).toBe(1);
  });
});
