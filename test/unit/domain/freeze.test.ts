import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ContinuoEvent } from "../../../events/index.js";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { Facts } from "../../../shared/domain/facts.js";
import { freezeAt } from "../../../shared/domain/freeze.js";
import { needs } from "../../../shared/domain/needs.js";
import type { ModelState } from "../../../shared/domain/state.js";
import type { Manifest } from "../../../shared/manifest/schema.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  after,
  armOf,
  awaiting,
  champion,
  championInProduction,
  churn,
  dataset,
  endpointOf,
  eventOf,
  factsOf,
  inProduction,
  inQa,
  nowMs,
  production,
  progressing,
  qa,
  rollout,
  rollouts,
  runs,
  segmentOf,
  stateOf,
  those,
  waiting,
} from "./situations.js";

type Window = Partial<Manifest["freezeWindows"][number]> & {
  readonly from: string;
  readonly to: string;
};

const withWindows = (...windows: readonly Window[]): Manifest =>
  manifestOf({
    freezeWindows: windows.map((window, index) => ({
      name: `window-${index}`,
      timeZone: "Europe/Berlin",
      ...window,
    })),
  });

const untilOf = (manifest: Manifest, at: string): string | null => {
  const freeze = freezeAt(manifest, "rollouts", Date.parse(at));
  return freeze === null ? null : new Date(freeze.untilMs).toISOString().replace(":00.000Z", "Z");
};

const weekend = withWindows({ from: "fri 16:00", to: "mon 08:00" });
const nights = withWindows({ from: "22:00", to: "06:00" });
const holidays = withWindows({ from: "2026-12-20T00:00", to: "2027-01-04T00:00" });

describe("a freeze window", () => {
  it.each([
    ["a weekend, before", weekend, "2026-01-09T14:59:59Z", null],
    ["a weekend, from its first instant", weekend, "2026-01-09T15:00:00Z", "2026-01-12T07:00Z"],
    ["a weekend, to its last", weekend, "2026-01-12T06:59:59.999Z", "2026-01-12T07:00Z"],
    ["a weekend, after", weekend, "2026-01-12T07:00:00Z", null],
    ["a weekend in which summer time begins", weekend, "2026-03-28T12:00:00Z", "2026-03-30T06:00Z"],
    ["a weekend in which it ends", weekend, "2026-10-24T12:00:00Z", "2026-10-26T07:00Z"],
    ["a night, before midnight", nights, "2026-07-01T21:00:00Z", "2026-07-02T04:00Z"],
    ["a night, after midnight", nights, "2026-07-02T03:59:00Z", "2026-07-02T04:00Z"],
    ["a night, at noon", nights, "2026-07-02T10:00:00Z", null],
    ["the holidays", holidays, "2026-12-19T23:00:00Z", "2027-01-03T23:00Z"],
    ["the holidays, a minute early", holidays, "2026-12-19T22:59:00Z", null],
    [
      "a window whose end does not exist closes late",
      withWindows({ from: "sun 01:00", to: "sun 02:30" }),
      "2026-03-29T01:00:00Z",
      "2026-03-29T01:30Z",
    ],
    [
      "a window that ends in the hour that comes twice closes after the second",
      withWindows({ from: "sun 01:00", to: "sun 02:30" }),
      "2026-10-25T01:15:00Z",
      "2026-10-25T01:30Z",
    ],
    [
      "a window that begins in the hour that comes twice opens at the first",
      withWindows({ from: "sun 02:30", to: "sun 04:00" }),
      "2026-10-25T00:45:00Z",
      "2026-10-25T03:00Z",
    ],
    [
      "windows without an end, followed for a while",
      withWindows({ from: "mon 08:00", to: "mon 08:00", stops: ["rollouts"] }),
      "2026-01-07T00:00:00Z",
      "2026-07-20T06:00Z",
    ],
    [
      "windows that touch are one",
      withWindows({ from: "fri 16:00", to: "mon 08:00" }, { from: "mon 08:00", to: "mon 12:00" }),
      "2026-01-10T00:00:00Z",
      "2026-01-12T11:00Z",
    ],
    [
      "a zone without whole hours",
      withWindows({ from: "09:00", to: "17:00", timeZone: "Asia/Kathmandu" }),
      "2026-01-07T03:15:00Z",
      "2026-01-07T11:15Z",
    ],
  ])("%s", (_name, manifest, at, until) => {
    expect(untilOf(manifest, at)).toBe(until);
  });

  it("stops only what it names", () => {
    const manifest = withWindows({ from: "00:00", to: "23:59", stops: ["rollouts"] });
    expect(freezeAt(manifest, "rollouts", nowMs)).not.toBeNull();
    expect(freezeAt(manifest, "runs", nowMs)).toBeNull();
  });

  it("that is open stays open until the time it says, in any zone at any time", () => {
    const zones = Intl.supportedValuesOf("timeZone");
    const clock = fc
      .tuple(fc.nat(23), fc.nat(59))
      .map(([hour, minute]) =>
        [hour, minute].map((part) => String(part).padStart(2, "0")).join(":"),
      );
    expect.hasAssertions();
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        clock,
        clock,
        fc.constantFrom("", "mon ", "sat "),
        fc.integer({ min: Date.UTC(2025, 0), max: Date.UTC(2028, 0) }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (timeZone, from, to, day, atMs, share) => {
          const manifest = withWindows({ from: `${day}${from}`, to: `${day}${to}`, timeZone });
          const freeze = freezeAt(manifest, "runs", atMs);
          if (freeze === null) return;
          expect(freeze.untilMs).toBeGreaterThan(atMs);
          const within = atMs + Math.floor((freeze.untilMs - 1 - atMs) * share);
          expect(freezeAt(manifest, "runs", within)).not.toBeNull();
        },
      ),
      { numRuns: 300, seed: 20_260_105 },
    );
  });
});

// Monday noon in UTC, which is 13:00 in Berlin.
const frozen = withWindows({ from: "mon 09:00", to: "mon 15:00" });
const untilMs = Date.UTC(2026, 0, 5, 14);

const visit = eventOf("model.visited", { model: churn, by: "tick" });
const look = (state: ModelState, facts: Facts, atMs = nowMs): readonly Decision[] =>
  decide(state, { event: visit, facts }, atMs);
const next = (state: ModelState, decisions: readonly Decision[], atMs = nowMs): ModelState => {
  const evolved = after(state, decisions, atMs);
  if (evolved === null) throw new Error("the model was forgotten");
  return evolved;
};
const stateWith = (changes: Partial<ModelState>): ModelState =>
  stateOf({ manifest: frozen, champion, datasets: [dataset], ...changes });

const canary = { [championInProduction]: 90, [inProduction]: 10 };
const healthy: Facts = {
  endpoints: {
    [qa]: endpointOf({ [inQa]: 100 }),
    [production]: endpointOf(canary),
  },
  series: segmentOf({ champion: armOf(900), challenger: armOf(100) }),
  smokeTest: { requests: 50, errors: 0, latencyP95Ms: 5, firstError: null },
};

const effects = (decisions: readonly Decision[]): readonly string[] =>
  decisions
    .map((decision) => decision.do)
    .filter((name) => name === "deploy-model" || name === "set-traffic-split");

describe("in a freeze window", () => {
  it.each(["deploying", "smoke-testing", "progressing"] as const)(
    "a rollout that is %s waits, says until when, and goes on afterwards",
    (phase) => {
      const state = stateWith({ rollout: rollouts[phase] });
      const facts =
        phase === "deploying"
          ? { endpoints: { [production]: endpointOf({ [championInProduction]: 100 }) } }
          : healthy;
      const held = look(state, facts);
      expect(those(held, "freeze-rollout")).toMatchObject([
        { to: { phase, freeze: { window: "window-0", untilMs } } },
      ]);
      expect(held[0]?.reason).toContain("until 2026-01-05T14:00:00.000Z");
      expect(effects(held)).toEqual([]);
      const waitingState = next(state, held);
      expect(look(waitingState, facts, nowMs + 60_000)).toMatchObject([{ do: "ignore" }]);
      const released = look(waitingState, facts, untilMs);
      expect(effects(released)).toHaveLength(1);
      expect(next(waitingState, released, untilMs).rollout).not.toHaveProperty("freeze");
    },
  );

  it("no smoke test is made: it would say nothing about the time after it", () => {
    const state = stateWith({ rollout: rollouts["smoke-testing"] });
    expect(needs(state, visit, nowMs)).toEqual([]);
    expect(needs(state, visit, untilMs).map(({ fact }) => fact)).toContain("smoke-test");
  });

  it("a challenger that fails is rolled back at once", () => {
    const state = stateWith({ rollout: progressing });
    const failing = segmentOf({ champion: armOf(900), challenger: armOf(100, 60) });
    const decisions = look(state, { ...healthy, series: failing });
    expect(those(decisions, "set-traffic-split")).toMatchObject([
      { split: { [championInProduction]: 100 } },
    ]);
  });

  it.each(["abort", "roll-back"])("a person may %s", (command) => {
    const event = eventOf("command.issued", { model: churn, command, by: "ada" });
    const state = stateWith({ rollout: progressing });
    expect(those(decide(state, { event, facts: healthy }, nowMs), "roll-back")).toHaveLength(1);
  });

  it.each(["skip", "promote-now"])("nobody may %s", (command) => {
    const event = eventOf("command.issued", { model: churn, command, by: "ada" });
    const state = stateWith({ rollout: progressing });
    const decisions = decide(state, { event, facts: healthy }, nowMs);
    expect(decisions).toMatchObject([{ do: "ignore" }]);
    expect(decisions[0]?.reason).toContain("window-0 until 2026-01-05T14:00:00.000Z");
  });

  it("an approval counts, and lets the challenger in afterwards", () => {
    const manifest = {
      ...frozen,
      promotion: {
        ...frozen.promotion,
        environments: frozen.promotion.environments.map((environment) => ({
          ...environment,
          approval: {
            by: "people" as const,
            quorum: 1,
            expiresSeconds: 3600,
            ownChange: "refuse" as const,
          },
        })),
      },
    };
    const state = stateWith({ manifest, rollout: awaiting });
    const event = eventOf("approval.given", {
      model: churn,
      rollout,
      decision: "approve",
      by: "eve",
    });
    const approved = decide(state, { event, facts: {} }, nowMs);
    expect(effects(approved)).toEqual([]);
    expect(approved[0]?.reason).toContain("approved by eve; it waits for the freeze window");
    const waitingState = next(state, approved);
    expect(waitingState.rollout).toMatchObject({ approvedBy: ["eve"] });
    expect(effects(look(waitingState, {}, nowMs + 7_200_000 - 1))).toEqual([]);
    expect(effects(look(waitingState, {}, untilMs))).toEqual(["deploy-model"]);
  });

  it("no rollout starts: the newest challenger waits for its end", () => {
    const state = stateWith({ run: runs.registering });
    const held = look(state, factsOf["well"] ?? {});
    expect(those(held, "start-rollout")).toHaveLength(0);
    expect(those(held, "queue-challenger")[0]?.reason).toContain("until 2026-01-05T14:00");
    const waitingState = next(state, held);
    expect(look(waitingState, {}, untilMs - 1)).toMatchObject([{ do: "ignore" }]);
    expect(those(look(waitingState, {}, untilMs), "start-rollout")).toHaveLength(1);
  });

  it("a rollout that ends does not start the one that waits", () => {
    const cleaned = stateWith({ rollout: { ...rollouts.cleaning, retired: [] } as never, waiting });
    const ended = look(cleaned, {});
    expect(those(ended, "end-rollout")).toHaveLength(1);
    expect(those(ended, "start-rollout")).toHaveLength(0);
    expect(next(cleaned, ended).waiting).toEqual(waiting);
  });

  it.each([
    ["new data", eventOf("dataset.arrived", { dataset: "customers", uris: ["gs://b/new"] })],
    [
      "a person's wish",
      eventOf("training-run.requested", { model: churn, reason: "now", by: "ada" }),
    ],
  ] as readonly (readonly [string, ContinuoEvent])[])(
    "no run starts for %s until its end",
    (_name, event) => {
      const state = stateWith({});
      const held = decide(state, { event, facts: {} }, nowMs);
      expect(those(held, "request-training-run")).toHaveLength(0);
      expect(those(held, "set-timer")).toMatchObject([{ kind: "trigger", dueAtMs: untilMs }]);
      expect(those(held, "hold-trigger")[0]?.reason).toContain("freeze window window-0");
      const waitingState = next(state, held);
      expect(those(look(waitingState, {}, untilMs), "request-training-run")).toHaveLength(1);
    },
  );

  it("a trigger that comes due in a window applied later waits too, and one that is lifted lets it go", () => {
    const trigger = {
      kind: "new-data" as const,
      reason: "new data",
      count: 1,
      firstAtMs: nowMs - 1000,
      lastAtMs: nowMs - 1000,
      dueAtMs: nowMs - 1,
      eventKey: "test|data",
      correlationId: "data",
    };
    const held = look(stateWith({ trigger }), {});
    expect(those(held, "hold-trigger")).toMatchObject([{ trigger: { dueAtMs: untilMs } }]);
    const applied = eventOf("manifest.applied", {
      model: churn,
      version: 2,
      digest: "m2",
      by: "ada",
      manifest: manifestOf(),
    });
    const lifted = decide(next(stateWith({ trigger }), held), { event: applied, facts: {} }, nowMs);
    expect(those(lifted, "set-timer")).toMatchObject([{ kind: "trigger", dueAtMs: nowMs }]);
  });
});
