import { describe, expect, it } from "vitest";
import { deployedModelId } from "../../events/ids.js";
import type { EventOf } from "../../events/index.js";
import { UnavailableError } from "../../shared/domain/errors.js";
import type { Ports } from "../../shared/ports/ports.js";
import { alertGate, type AlertGate } from "../../shared/runtime/coalesce.js";
import { findRun } from "../../shared/runtime/api/runs.js";
import { manifestOf } from "../fixtures/manifest.js";
import { churn, storyOf, type Story } from "./story.js";

const day = (number: number): string => new Date(Date.UTC(2026, 0, number)).toISOString();

const drift = (
  id: string,
  { days = 1, ratio = 1.5, model = true } = {},
): EventOf<"drift.detected"> => ({
  specversion: "1.0",
  type: "drift.detected",
  id,
  source: "test",
  time: day(1),
  data: {
    ...(model ? { model: churn } : { deployedModelId: deployedModelId.parse("1234567890") }),
    objective: "feature",
    window: { start: day(days), end: day(days + 1) },
    anomalies: [{ feature: "age", deviation: 0.3 * ratio, threshold: 0.3 }],
  },
});

const debounced = manifestOf({
  triggers: {
    skew: "retrain",
    debounceSeconds: 60,
    debounceSecondsMax: 150,
    cooldownSeconds: 3600,
  },
});

interface Storm {
  readonly story: Story;
  readonly gate: AlertGate;
  readonly fire: (event: Parameters<AlertGate["handle"]>[0]) => Promise<void>;
  readonly documents: string[];
  readonly counted: () => number;
}

const stormOf = async (through: (ports: Ports) => Ports = (ports) => ports): Promise<Storm> => {
  const story = await storyOf(debounced);
  await story.arrive("january");
  await story.pass(61);
  await story.endJob({ state: "failed", error: "not this time" });
  await story.pass(3600);
  const gate = alertGate({ instance: "one", later: () => undefined });
  const documents: string[] = [];
  story.world.writeWatchers.push((path) => documents.push(path));
  const ports = through(story.world.ports);
  return {
    story,
    gate,
    documents,
    fire: (event) => gate.handle(event, { function: "on-alert-fired", ports }),
    counted: () =>
      [...story.world.alertCounts.values()].reduce((total, { count }) => total + count, 0),
  };
};

const journalled = ({ story }: Storm): number =>
  [...story.world.journal.values()].filter(({ event }) => event.type === "drift.detected").length;

describe("the coalescing gate", () => {
  it("decides on the first alert of a storm and counts the others", async () => {
    const storm = await stormOf();
    for (let index = 0; index < 500; index += 1) await storm.fire(drift(`a${index}`));
    await storm.gate.flush(storm.story.world.ports);
    expect(journalled(storm)).toBe(1);
    expect(storm.counted()).toBe(499);
    expect(storm.documents.filter((path) => path === "models/churn")).toHaveLength(1);
  });

  it("shows the counted alerts in the record of the run that answers them", async () => {
    const storm = await stormOf();
    for (let index = 0; index < 10; index += 1) await storm.fire(drift(`a${index}`));
    await storm.gate.flush(storm.story.world.ports);
    await storm.story.pass(61);
    const run = storm.story.model().run?.run ?? "none";
    const context = { ports: storm.story.world.ports };
    expect((await findRun(context, run))?.alerts).toMatchObject({
      count: 9,
      reasons: ["feature drift detected: age 0.450 > 0.3"],
    });
    await storm.story.endJob({ state: "failed", error: "again" });
    expect((await findRun(context, run))?.alerts?.count).toBe(9);
  });

  it("lets an alert of another severity or kind decide for itself", async () => {
    const storm = await stormOf();
    await storm.fire(drift("warning"));
    await storm.fire({ ...drift("skew"), type: "skew.detected" });
    expect(storm.story.model().trigger).toMatchObject({ kind: "skew", count: 2 });
    await storm.fire(drift("critical", { ratio: 3 }));
    await storm.fire(drift("critical again", { ratio: 3 }));
    await storm.gate.flush(storm.story.world.ports);
    expect(storm.counted()).toBe(1);
  });

  it("asks again when its window is over, and writes nothing while the same trigger waits", async () => {
    const storm = await stormOf();
    for (let second = 0; second < 30; second += 1) {
      await storm.fire(drift(`a${second}`, { days: second + 1 }));
      storm.story.world.nowMs += 1000;
    }
    await storm.gate.flush(storm.story.world.ports);
    expect(storm.documents.filter((path) => path === "models/churn")).toHaveLength(1);
    expect(journalled(storm)).toBe(1);
    expect(storm.counted()).toBe(29);
    expect(
      Math.max(...[...storm.story.world.alertCounts.values()].map(({ count }) => count)),
    ).toBeLessThanOrEqual(6);
  });

  it("closes its window when the waiting trigger comes due", async () => {
    const storm = await stormOf();
    await storm.fire(drift("first"));
    storm.story.world.nowMs += 58_000;
    await storm.fire(drift("late", { days: 2 }));
    await storm.story.pass(2);
    expect(storm.story.model().run?.kind).toBe("drift");
    await storm.fire(drift("after", { days: 3 }));
    expect(storm.story.model().trigger).toMatchObject({ kind: "drift", count: 1 });
  });

  it("opens one window however many alerts come at once", async () => {
    const storm = await stormOf();
    await Promise.all(Array.from({ length: 50 }, (_, index) => storm.fire(drift(`a${index}`))));
    await storm.gate.flush(storm.story.world.ports);
    expect([journalled(storm), storm.counted()]).toEqual([1, 49]);
  });

  it("counts alerts that name only a deployed model, known or not", async () => {
    const storm = await stormOf();
    for (let index = 0; index < 5; index += 1)
      await storm.fire(drift(`a${index}`, { model: false }));
    await storm.gate.flush(storm.story.world.ports);
    expect([journalled(storm), storm.counted()]).toEqual([1, 4]);
    expect([...storm.story.world.alertCounts.values()][0]).toMatchObject({
      model: null,
      run: null,
    });
  });

  it("refuses with the first alert all that waited for it, and lets the next one try", async () => {
    let isDown = true;
    const storm = await stormOf((ports) => ({
      ...ports,
      state: {
        ...ports.state,
        transact: (...args) =>
          isDown
            ? Promise.reject(new UnavailableError("the store does not answer"))
            : ports.state.transact(...args),
      },
    }));
    const results = await Promise.allSettled([storm.fire(drift("a")), storm.fire(drift("b"))]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    isDown = false;
    await storm.fire(drift("a"));
    expect(journalled(storm)).toBe(1);
  });

  it("keeps a count that could not be stored for the next try", async () => {
    let isDown = true;
    const storm = await stormOf((ports) => ({
      ...ports,
      state: {
        ...ports.state,
        countAlerts: (count) =>
          isDown ? Promise.reject(new Error("not now")) : ports.state.countAlerts(count),
      },
    }));
    for (let second = 0; second < 12; second += 1) {
      await storm.fire(drift(`a${second}`));
      storm.story.world.nowMs += 1000;
    }
    expect(storm.counted()).toBe(0);
    isDown = false;
    await storm.fire(drift("last"));
    await storm.gate.flush(storm.story.world.ports);
    expect(storm.counted()).toBe(12);
  });
});
