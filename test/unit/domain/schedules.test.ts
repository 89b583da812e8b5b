/** Schedules whose backend is a timer. */
import { describe, expect, it } from "vitest";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { ModelState } from "../../../shared/domain/state.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { after, churn, dataset, eventOf, nowMs, runs, stateOf, those } from "./situations.js";

const minute = 60_000;
const timerOf = (name: string, cron: string, timeZone = "Etc/UTC") => ({
  name,
  cron,
  timeZone,
  backend: "timer" as const,
});

const nightly = timerOf("nightly", "0 3 * * *");
const withSchedules = (...schedules: readonly ReturnType<typeof timerOf>[]) =>
  manifestOf({ triggers: { debounceSeconds: 0, cooldownSeconds: 0, schedules: [...schedules] } });

const stateWith = (
  schedules: readonly ReturnType<typeof timerOf>[],
  changes: Partial<ModelState> = {},
): ModelState =>
  stateOf({ manifest: withSchedules(...schedules), datasets: [dataset], ...changes });

const fires = (
  state: ModelState | undefined,
  dueAtMs: number,
  atMs = dueAtMs,
): readonly Decision[] =>
  decide(
    state,
    {
      event: eventOf(
        "timer.fired",
        {
          model: churn,
          timer: "churn/schedule",
          kind: "schedule",
          dueAt: new Date(dueAtMs).toISOString(),
        },
        `churn/schedule/${dueAtMs}`,
      ),
      facts: {},
    },
    atMs,
  );

const applied = (manifest: ModelState["manifest"], digest: string) =>
  eventOf("manifest.applied", { model: churn, version: 2, digest, by: "ada", manifest });

const timers = (decisions: readonly Decision[]) => those(decisions, "set-timer");

const threeOClock = Date.UTC(2026, 0, 6, 3);
const dayMs = 24 * 60 * minute;

describe("a schedule that is a timer", () => {
  it("begins with its manifest, at its next time", () => {
    for (const state of [undefined, stateWith([])]) {
      const event = applied(withSchedules(nightly), "m2");
      expect(timers(decide(state, { event, facts: {} }, nowMs))).toMatchObject([
        { kind: "schedule", dueAtMs: threeOClock },
      ]);
    }
  });

  it("is left alone by a manifest that does not change it: it may be overdue", () => {
    const event = applied({ ...withSchedules(nightly), owner: "grace" }, "m2");
    expect(timers(decide(stateWith([nightly]), { event, facts: {} }, nowMs))).toEqual([]);
  });

  it("ends with its manifest", () => {
    const event = applied(manifestOf(), "m2");
    const decisions = decide(stateWith([nightly]), { event, facts: {} }, nowMs);
    expect(those(decisions, "clear-timer")).toMatchObject([{ kind: "schedule" }]);
  });

  it("starts a run and is set to its next time", () => {
    const decisions = fires(stateWith([nightly]), threeOClock);
    expect(those(decisions, "request-training-run")).toMatchObject([
      { to: { kind: "schedule", reason: "schedule nightly fired" } },
    ]);
    expect(timers(decisions)).toMatchObject([{ dueAtMs: threeOClock + dayMs }]);
  });

  it("catches up on missed ticks with one run", () => {
    const decisions = fires(stateWith([nightly]), threeOClock, threeOClock + 3 * dayMs + minute);
    expect(those(decisions, "request-training-run")).toMatchObject([
      {
        to: {
          triggerCount: 1,
          reason: "schedule nightly fired, once for the 4 times since 2026-01-06T03:00:00.000Z",
        },
      },
    ]);
    expect(timers(decisions)).toMatchObject([{ dueAtMs: threeOClock + 4 * dayMs }]);
  });

  it("found due by a clock that is ahead is due for one that is behind", () => {
    const decisions = fires(stateWith([nightly]), threeOClock, threeOClock - 5 * minute);
    expect(those(decisions, "request-training-run")).toHaveLength(1);
    expect(timers(decisions)).toMatchObject([{ dueAtMs: threeOClock + dayMs }]);
  });

  it("that fires twice for one time starts one run", () => {
    const once = fires(stateWith([nightly]), threeOClock);
    const started = after(stateWith([nightly]), once, threeOClock);
    const twice = fires(started ?? undefined, threeOClock, threeOClock + minute);
    expect(those(twice, "hold-trigger")).toEqual([]);
    expect(twice.at(-1)?.reason).toMatch(/already started or joined a run/);
  });

  it("shares the model's timer with the others, and one run with those of its minute", () => {
    const often = timerOf("often", "0 3,15 * * *");
    const decisions = fires(stateWith([nightly, often]), threeOClock);
    expect(those(decisions, "request-training-run")).toMatchObject([
      { to: { reason: "schedule nightly fired; schedule often fired" } },
    ]);
    expect(timers(decisions)).toMatchObject([{ dueAtMs: threeOClock + 12 * 60 * minute }]);
  });

  it("keeps its wall time when the clocks change", () => {
    const rome = timerOf("weekly", "0 6 * * 1", "Europe/Rome");
    const winter = Date.parse("2026-03-23T05:00:00Z");
    expect(timers(fires(stateWith([rome]), winter))).toMatchObject([
      { dueAtMs: Date.parse("2026-03-30T04:00:00Z") },
    ]);
  });

  it("waits like any trigger where a run is live", () => {
    const decisions = fires(stateWith([nightly], { run: runs.training }), threeOClock);
    expect(those(decisions, "hold-trigger")).toHaveLength(1);
  });

  it("starts nothing when its manifest has gone, or has other schedules", () => {
    expect(those(fires(undefined, threeOClock), "clear-timer")).toHaveLength(1);
    expect(those(fires(stateWith([]), threeOClock), "clear-timer")).toHaveLength(1);
    const moved = fires(stateWith([timerOf("nightly", "0 4 * * *")]), threeOClock);
    expect(moved).toHaveLength(1);
    expect(timers(moved)).toMatchObject([{ dueAtMs: threeOClock + 60 * minute }]);
  });

  it("is not fired by a Scheduler job that was left over", () => {
    const event = eventOf("schedule.fired", { model: churn, schedule: "nightly" });
    const decisions = decide(stateWith([nightly]), { event, facts: {} }, nowMs);
    expect(decisions).toMatchObject([{ do: "ignore" }]);
    expect(decisions[0]?.reason).toMatch(/delete the Cloud Scheduler job/);
  });
});
