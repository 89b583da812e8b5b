import { describe, expect, it } from "vitest";
import type { ContinuoEvent } from "../../../events/index.js";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { ModelState } from "../../../shared/domain/state.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  after,
  champion,
  churn,
  dataset,
  eventOf,
  nowMs,
  rollouts,
  runs,
  stateOf,
  those,
  trigger,
  waiting,
} from "./situations.js";

const manifest = manifestOf({
  triggers: {
    debounceSeconds: 60,
    debounceSecondsMax: 150,
    cooldownSeconds: 3600,
    schedules: [{ name: "weekly", cron: "0 6 * * 1" }],
  },
});

const quiet = (changes: Partial<ModelState> = {}): ModelState =>
  stateOf({ manifest, champion, datasets: [dataset], ...changes });

const arrival = (name: string): ContinuoEvent =>
  eventOf("dataset.arrived", { dataset: "customers", uris: [`gs://b/${name}`] }, `data/${name}`);

const drift = (day = 1): ContinuoEvent =>
  eventOf(
    "drift.detected",
    {
      model: churn,
      objective: "feature",
      window: { start: `2026-01-0${day}T00:00:00Z`, end: `2026-01-0${day + 1}T00:00:00Z` },
      anomalies: [{ feature: "age", deviation: 0.5, threshold: 0.1 }],
    },
    `alert/${day}`,
  );

const schedule = eventOf("schedule.fired", { model: churn, schedule: "weekly" }, "weekly/1");
const request = eventOf(
  "training-run.requested",
  { model: churn, reason: "labels were corrected", by: "ada" },
  "request/1",
);
const build = eventOf("pipeline.released", { model: churn, digest: "sha256:9", build: "b" }, "b");

const fired = eventOf(
  "timer.fired",
  { model: churn, timer: "churn/trigger", kind: "trigger", dueAt: "2026-01-05T12:01:00Z" },
  "timer",
);

const at = (
  state: ModelState,
  event: ContinuoEvent,
  seconds = 0,
): readonly [readonly Decision[], ModelState] => {
  const atMs = nowMs + seconds * 1000;
  const decisions = decide(state, { event, facts: {} }, atMs);
  const next = after(state, decisions, atMs);
  if (next === null) throw new Error("the model was forgotten");
  return [decisions, next];
};

const dueIn = (state: ModelState): number | null =>
  state.trigger === null ? null : (state.trigger.dueAtMs - nowMs) / 1000;

const runOf = (decisions: readonly Decision[]) => those(decisions, "request-training-run")[0]?.to;

describe("the trigger policy", () => {
  it("waits for more of its kind, at most so long since the first", () => {
    let state = quiet();
    const due: (number | null)[] = [];
    for (const [index, seconds] of [0, 50, 100, 140].entries()) {
      [, state] = at(state, arrival(`part-${index}`), seconds);
      due.push(dueIn(state));
    }
    expect(due).toEqual([60, 110, 150, 150]);
    expect(state.trigger?.count).toBe(4);
    expect(state.run).toBeNull();
    const [decisions] = at(state, fired, 150);
    expect(runOf(decisions)).toMatchObject({ triggerCount: 4, kind: "new-data" });
  });

  it("a timer that fires early is set again", () => {
    const [, state] = at(quiet(), arrival("a"));
    const [decisions] = at(state, fired, 10);
    expect(those(decisions, "set-timer")).toMatchObject([{ dueAtMs: nowMs + 60_000 }]);
    expect(runOf(decisions)).toBeUndefined();
  });

  it("a run that waited belongs to the chain of the event that asked for it", () => {
    const [, state] = at(quiet(), arrival("a"));
    const [decisions] = at(state, fired, 60);
    expect(runOf(decisions)?.correlationId).toBe("data/a");
  });

  it.each([
    ["drift", drift(), true],
    ["a schedule", schedule, true],
    ["new data", arrival("a"), false],
    ["new code", build, false],
    ["a person", request, false],
  ] as const)("%s waits for the cooldown: %s", (_name, event, cools) => {
    const state = quiet({ lastRunStartedAtMs: nowMs - 600_000 });
    const [decisions, next] = at(state, event);
    const due = dueIn(next);
    expect(runOf(decisions) !== undefined || (due !== null && due <= 60)).toBe(!cools);
    expect(due === 3000).toBe(cools);
  });

  it("an alert never delays the new data that already waits", () => {
    const [, withData] = at(quiet({ lastRunStartedAtMs: nowMs }), arrival("a"));
    const [, both] = at(withData, drift(), 10);
    expect(both.trigger).toMatchObject({ kind: "new-data", count: 2 });
    expect(dueIn(both)).toBeLessThanOrEqual(70);
  });

  it("new data frees an alert from its cooldown", () => {
    const [, alerted] = at(quiet({ lastRunStartedAtMs: nowMs }), drift());
    expect(dueIn(alerted)).toBe(3600);
    const [, both] = at(alerted, arrival("a"), 10);
    expect(both.trigger?.kind).toBe("new-data");
    expect(dueIn(both)).toBe(70);
  });

  it("a person's request is not held back by an alert that joins it", () => {
    const [, asked] = at(quiet({ run: runs.training, lastRunStartedAtMs: nowMs }), request);
    const [, both] = at(asked, drift(), 10);
    expect(both.trigger?.kind).toBe("request");
    expect(dueIn(both)).toBeLessThanOrEqual(10);
  });

  it("a person's request starts at once", () => {
    expect(runOf(at(quiet(), request)[0])).toMatchObject({ kind: "request", triggerCount: 1 });
  });

  it.each([
    ["the same dataset version", arrival("a"), { ...arrival("a"), id: "again" }],
    ["the same anomaly window", drift(), { ...drift(), id: "again" }],
    ["the same build", build, { ...build, id: "again" }],
  ] as const)("%s starts one run, under whatever event id", (_name, first, second) => {
    const [, once] = at(quiet(), first);
    const [decisions] = at(once, second, 5);
    expect(decisions.map((decision) => decision.do)).toEqual(["ignore"]);
  });

  it("another window of the same anomaly is another reason to train", () => {
    const [, once] = at(quiet(), drift(1));
    expect(at(once, drift(3))[1].trigger?.count).toBe(2);
  });

  const obstacles: readonly (readonly [string, Partial<ModelState>, RegExp])[] = [
    ["a paused model", { isPaused: true }, /paused/],
    ["a parked model", { parkedReason: "20 runs" }, /parked \(20 runs\)/],
    ["a model with a live run", { run: runs.training }, /is live/],
  ];

  it.each(obstacles)("%s keeps its trigger and starts nothing", (_name, changes, why) => {
    const state = quiet(changes);
    const [decisions, held] = at(state, request);
    expect(runOf(decisions)).toBeUndefined();
    expect(held.trigger).not.toBeNull();
    expect(decisions[0]?.reason).toMatch(why);
    const [later] = at(held, fired, 600);
    expect(runOf(later)).toBeUndefined();
    expect(later.map(({ reason }) => reason).join()).toMatch(why);
  });

  it("a resumed model starts what waited", () => {
    const held = at(quiet({ isPaused: true, parkedReason: "20 runs" }), request)[1];
    const resume = eventOf("command.issued", { model: churn, command: "resume", by: "ada" });
    const [decisions, resumed] = at(held, resume, 30);
    expect(those(decisions, "set-timer")).toMatchObject([{ kind: "trigger" }]);
    expect(resumed).toMatchObject({ isPaused: false, parkedReason: null, fruitlessRuns: 0 });
    expect(runOf(at(resumed, fired, 31)[0])).toBeDefined();
  });

  it("a live run is never joined by a second one", () => {
    const state = quiet({ run: runs.requested, trigger: { ...trigger, dueAtMs: nowMs - 1 } });
    for (const event of [request, arrival("z"), fired, schedule, drift(), build]) {
      expect(runOf(at(state, event)[0])).toBeUndefined();
    }
  });

  it("observe-only records what it would have done and does nothing", () => {
    const watching = manifestOf({ mode: "observe-only" });
    const state = stateOf({ manifest: watching, champion, datasets: [dataset] });
    const [decisions] = at(state, request);
    expect(decisions).toMatchObject([{ do: "ignore" }]);
    expect(decisions[0]?.reason).toMatch(/^observe-only: would have/);
  });

  it.each([
    ["a run", {}, /would have decided request-training-run: /],
    ["the cooldown", { lastRunStartedAtMs: nowMs - 60_000 }, /decided hold-trigger: .*cooldown/],
    ["a content that is known", { seen: ["drift:feature"] }, /would have ignored it: .*already/],
    [
      "a refused budget",
      { manifest: manifestOf({ mode: "observe-only", budget: { usdPerRunMax: 0.01 } }) },
      /would have decided end-run: budget: /,
    ],
    [
      "the loop-breaker",
      { champion: { ...champion, trigger: "drift" as const, sinceMs: nowMs - 1000 } },
      /would have decided park-model: /,
    ],
  ] as const)("observe-only applies the whole policy and writes it down: %s", (_, given, told) => {
    const watching = manifestOf({ mode: "observe-only" });
    const day = "2026-01-01T00:00:00Z:2026-01-02T00:00:00Z";
    const seen = "seen" in given ? given.seen.map((content) => `${content}:${day}`) : [];
    const state = stateOf({ manifest: watching, champion, datasets: [dataset], ...given, seen });
    const decisions = decide(state, { event: drift(), facts: {} }, nowMs);
    expect(decisions).toMatchObject([{ do: "ignore", reason: expect.stringMatching(told) }]);
    expect(after(state, decisions)).toEqual(state);
  });

  it("observe-only turned on while a trigger waits: it goes on waiting, and starts once the mode is left", () => {
    const waits = quiet({ trigger, manifest: manifestOf({ mode: "observe-only" }) });
    for (const event of [fired, eventOf("model.visited", { model: churn, by: "tick" })]) {
      const decisions = decide(waits, { event, facts: {} }, nowMs);
      expect(those(decisions, "request-training-run")).toEqual([]);
      expect(after(waits, decisions, nowMs)?.trigger).toEqual(trigger);
    }
    const visit = eventOf("model.visited", { model: churn, by: "tick" });
    const left = decide({ ...waits, manifest }, { event: visit, facts: {} }, nowMs);
    expect(those(left, "request-training-run")).toHaveLength(1);
  });

  it("observe-only rolls out no version that a person marked", () => {
    const watching = manifestOf({ mode: "observe-only" });
    const state = stateOf({ manifest: watching, champion, datasets: [dataset] });
    const event = eventOf("model-version.aliased", {
      model: churn,
      versionId: "3",
      principal: "ada",
      aliases: ["challenger"],
    });
    const version = {
      versionId: waiting.versionId,
      aliases: ["challenger"],
      artifactUri: "gs://b/3",
      artifactDigest: null,
      servingImage: "x",
    };
    const decisions = decide(state, { event, facts: { versions: { "3": version } } }, nowMs);
    expect(decisions).toMatchObject([{ do: "ignore" }]);
    expect(decisions[0]?.reason).toMatch(/^observe-only: would have/);
  });

  const refusals: readonly (readonly [
    string,
    Partial<Parameters<typeof manifestOf>[0]>,
    RegExp,
  ])[] = [
    ["the limit per run", { budget: { usdPerRunMax: 0.5 } }, /usdPerRunMax 0.5/],
    ["the limit per month", { budget: { usdPerMonthMax: 0.5 } }, /usdPerMonthMax 0.5/],
    [
      "an unknown price",
      { training: { machine: { type: "z9-mega-1" } } },
      /no price is known for z9-mega-1/,
    ],
    [
      "an accelerator of unknown price",
      { training: { machine: { accelerator: { type: "NVIDIA_X", count: 1 } } } },
      /n1-standard-4 with NVIDIA_X/,
    ],
  ];

  it.each(refusals)("%s refuses a run for good, and visibly", (_name, changes, why) => {
    const state = stateOf({ manifest: manifestOf(changes), champion, datasets: [dataset] });
    const [decisions, next] = at(state, request);
    expect(those(decisions, "end-run")[0]?.record).toMatchObject({ outcome: "rejected" });
    expect(those(decisions, "end-run")[0]?.record.reasons[0]).toMatch(why);
    expect(those(decisions, "notify")).toHaveLength(1);
    expect(next).toMatchObject({ run: null, trigger: null, budget: { reservedUsd: 0 } });
  });

  it("money reserved by a live run counts against the month", () => {
    const tight = manifestOf({ budget: { usdPerMonthMax: 1 } });
    const free = stateOf({ manifest: tight, champion, datasets: [dataset] });
    expect(runOf(at(free, request)[0])).toBeDefined();
    const month = "2026-01";
    const spent = { ...free, budget: { month, spentUsd: 0.5, reservedUsd: 0 } };
    expect(runOf(at(spent, request)[0])).toBeUndefined();
    const lastMonth = { ...free, budget: { month: "2025-12", spentUsd: 0.5, reservedUsd: 0 } };
    expect(runOf(at(lastMonth, request)[0])).toBeDefined();
  });

  it("a run trains on the newest versions that the data gate did not stop", () => {
    const datasets = ["a", "b", "c", "d", "e"].map((name) => ({
      ...dataset,
      fingerprint: name,
      uris: [`gs://b/${name}`],
      ...(name === "e" ? { isStopped: true } : {}),
    }));
    const opened = runOf(at(quiet({ datasets }), request)[0]);
    expect(opened).toMatchObject({
      datasetUris: ["gs://b/b", "gs://b/c", "gs://b/d"],
      fingerprint: "d",
    });
  });

  it("without any data there is nothing to train on", () => {
    const [decisions, next] = at(quiet({ datasets: [] }), request);
    expect(those(decisions, "drop-trigger")).toHaveLength(1);
    expect(next).toMatchObject({ run: null, trigger: null });
  });

  it.each([
    ["ignore", ["ignore"]],
    ["notify", ["remember", "notify"]],
  ] as const)("an alert whose answer is %s starts nothing", (answer, does) => {
    const told = manifestOf({ triggers: { drift: answer } });
    const state = stateOf({ manifest: told, champion, datasets: [dataset] });
    const [decisions, next] = at(state, drift());
    expect(decisions.map((decision) => decision.do)).toEqual(does);
    const [again] = at(next, { ...drift(), id: "again" });
    expect(again.map((decision) => decision.do)).toEqual(["ignore"]);
  });

  it("a schedule that the manifest does not have any more means nothing", () => {
    const gone = eventOf("schedule.fired", { model: churn, schedule: "daily" });
    expect(at(quiet(), gone)[0]).toMatchObject([{ do: "ignore" }]);
  });

  it("a challenger that comes while another is rolled out waits, the newest alone", () => {
    const state = quiet({ rollout: rollouts.progressing, waiting });
    const event = eventOf("model-version.aliased", {
      model: churn,
      versionId: "4",
      principal: "ada",
      aliases: ["challenger"],
    });
    const version = {
      versionId: waiting.versionId,
      aliases: ["challenger"],
      artifactUri: "gs://b/4",
      artifactDigest: null,
      servingImage: "x",
    };
    const decisions = decide(state, { event, facts: { versions: { "4": version } } }, nowMs);
    expect(those(decisions, "queue-challenger")).toMatchObject([{ waiting: { versionId: "4" } }]);
    expect(after(state, decisions)?.rollout).toEqual(rollouts.progressing);
  });

  it("a forgotten model leaves no timer behind", () => {
    const forget = eventOf("command.issued", { model: churn, command: "forget", by: "ada" });
    const decisions = decide(quiet({ trigger }), { event: forget, facts: {} }, nowMs);
    expect(after(quiet({ trigger }), decisions)).toBeNull();
    expect(those(decisions, "clear-timer").map(({ kind }) => kind)).toEqual([
      "trigger",
      "run-deadline",
      "approval-deadline",
      "schedule",
    ]);
    const late = decide(undefined, { event: fired, facts: {} }, nowMs);
    expect(those(late, "clear-timer")).toMatchObject([{ kind: "trigger" }]);
  });
});
