import { describe, expect, it } from "vitest";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { Champion, ModelState } from "../../../shared/domain/state.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  after,
  champion,
  championInProduction,
  churn,
  dataset,
  eventOf,
  factsOf,
  inProduction,
  nowMs,
  progressing,
  rollouts,
  run,
  runs,
  stateOf,
  those,
} from "./situations.js";

const hour = 3_600_000;

const alert = (
  changes: {
    readonly objective?: string;
    readonly deployedModelId?: string;
    readonly correlationid?: string;
    readonly causationid?: string;
  } = {},
) => {
  const { objective = "feature", deployedModelId = championInProduction, ...links } = changes;
  const event = eventOf("drift.detected", {
    model: churn,
    deployedModelId,
    objective,
    window: { start: "2026-01-04T00:00:00Z", end: "2026-01-05T00:00:00Z" },
    anomalies: [{ feature: "age", deviation: 0.5, threshold: 0.1 }],
  });
  return { ...event, ...links };
};

const promoted = (changes: Partial<Champion> = {}): ModelState =>
  stateOf({
    manifest: manifestOf({ triggers: { debounceSeconds: 0, cooldownSeconds: 0 } }),
    champion: { ...champion, sinceMs: nowMs - hour, ...changes },
    datasets: [dataset],
  });

const on = (state: ModelState, event: ReturnType<typeof alert>): readonly Decision[] =>
  decide(state, { event, facts: {} }, nowMs);

const does = (decisions: readonly Decision[]): readonly string[] =>
  decisions.map((decision) => decision.do);

describe("an alert that is our own doing parks the model and tells a person", () => {
  it.each([
    ["soon after an alert's retrain was promoted", promoted({ trigger: "drift" }), alert()],
    ["about predictions, soon after any promotion", promoted(), alert({ objective: "prediction" })],
    [
      "caused by the promotion",
      promoted({ sinceMs: nowMs - 90 * hour }),
      alert({ causationid: "model.promoted/churn@1" }),
    ],
    [
      "about what our rollout deployed",
      { ...promoted(), rollout: progressing },
      alert({ deployedModelId: inProduction }),
    ],
    [
      "of our rollout's own chain",
      { ...promoted(), rollout: progressing },
      alert({ correlationid: progressing.correlationId }),
    ],
    [
      "about predictions, while a canary changes them",
      { ...promoted({ sinceMs: nowMs - 90 * hour }), rollout: progressing },
      alert({ objective: "attribution" }),
    ],
  ])("%s", (_name, state, event) => {
    const decisions = on(state, event);
    expect(does(decisions)).toEqual(["remember", "park-model", "notify"]);
    expect(decisions[1]?.reason).toMatch(/our own (promotion|rollout)/);
    expect(those(decisions, "notify")).toMatchObject([{ severity: "page" }]);
    const parked = after(state, decisions);
    expect(parked).toMatchObject({ parkedReason: decisions[1]?.reason, trigger: null });
    if (parked === null) return;
    const other = {
      ...event,
      data: { ...event.data, window: { ...event.data.window, start: "2026-01-03T00:00:00Z" } },
    };
    expect(does(on(parked, other))).toEqual(["ignore"]);
    const resume = eventOf("command.issued", { model: churn, command: "resume", by: "ada" });
    const resumed = after(parked, decide(parked, { event: resume, facts: {} }, nowMs));
    expect(resumed?.parkedReason).toBeNull();
  });
});

describe("an alert that users caused starts a run", () => {
  it.each([
    ["about features, soon after new data's promotion", promoted({ trigger: "new-data" }), alert()],
    [
      "long after an alert's retrain was promoted",
      promoted({ trigger: "drift", sinceMs: nowMs - 7 * hour }),
      alert(),
    ],
    [
      "about predictions, long after the promotion",
      promoted({ sinceMs: nowMs - 7 * hour }),
      alert({ objective: "prediction" }),
    ],
    [
      "about features of the champion, while a canary is in progress",
      { ...promoted(), rollout: progressing },
      alert(),
    ],
    ["about a model without a champion", { ...promoted(), champion: null }, alert()],
  ])("%s", (_name, state, event) => {
    expect(does(on(state, event))).toContain("request-training-run");
  });

  it("an alert that the manifest only tells of parks nothing", () => {
    const state = {
      ...promoted({ trigger: "drift" }),
      manifest: manifestOf({ triggers: { drift: "notify" } }),
    };
    expect(does(on(state, alert()))).toEqual(["remember", "notify"]);
  });
});

const twice = manifestOf({ triggers: { debounceSeconds: 0, fruitlessRunsMax: 2 } });
const visit = eventOf("model.visited", { model: churn, by: "tick" });
const spent = (changes: Partial<ModelState>): ModelState =>
  stateOf({ manifest: twice, champion, datasets: [dataset], fruitlessRuns: 1, ...changes });

describe("runs that lead nowhere", () => {
  it("the last one allowed that fails parks the model and tells a person", () => {
    const state = spent({ run: runs.training });
    const decisions = decide(state, { event: visit, facts: factsOf["badly"] ?? {} }, nowMs);
    const failed = decide(
      state,
      {
        event: eventOf("effect.rejected", {
          model: churn,
          decision: "submit-pipeline-job",
          about: run,
          message: "no",
        }),
        facts: {},
      },
      nowMs,
    );
    for (const ended of [decisions, failed].filter((list) => does(list).includes("end-run"))) {
      expect(those(ended, "park-model")[0]?.reason).toBe(
        "2 runs in a row ended without a promotion",
      );
      expect(those(ended, "notify").at(-1)?.severity).toBe("page");
    }
    expect(does(failed)).toContain("end-run");
  });

  it("one that is registered counts until it is promoted, and its roll-back parks the model", () => {
    const state = spent({ run: runs.registering });
    const registered = decide(state, { event: visit, facts: factsOf["well"] ?? {} }, nowMs);
    expect(those(registered, "park-model")).toHaveLength(0);
    const rolling = after(state, registered);
    expect(rolling?.fruitlessRuns).toBe(2);
    if (rolling === null) return;
    const abort = eventOf("command.issued", { model: churn, command: "abort", by: "ada" });
    const ended = decide(rolling, { event: abort, facts: {} }, nowMs);
    expect(those(ended, "park-model")).toHaveLength(1);
  });

  it("a promotion starts the count anew", () => {
    const state = stateOf({ datasets: [dataset], fruitlessRuns: 7, rollout: rollouts.deploying });
    const decisions = decide(
      state,
      { event: visit, facts: factsOf["before the canary"] ?? {} },
      nowMs,
    );
    expect(those(decisions, "promote")).toHaveLength(1);
    expect(after(state, decisions)?.fruitlessRuns).toBe(0);
  });

  it("the roll-back of a version that a person registered counts for nothing", () => {
    const state = spent({ fruitlessRuns: 5, rollout: { ...progressing, run: null } });
    const abort = eventOf("command.issued", { model: churn, command: "abort", by: "ada" });
    expect(those(decide(state, { event: abort, facts: {} }, nowMs), "park-model")).toHaveLength(0);
  });
});

describe("a storm's run", () => {
  it("holds how many triggers it answers, the first and last time, and a few distinct reasons", () => {
    let state: ModelState = { ...promoted({ sinceMs: 0 }), run: runs.training };
    for (let second = 0; second < 1000; second += 1) {
      const start = new Date(Date.UTC(2026, 0, 4, 0, 0, second)).toISOString();
      const base = alert();
      const event = {
        ...base,
        id: `a${second}`,
        data: { ...base.data, window: { ...base.data.window, start } },
      };
      state =
        after(state, decide(state, { event, facts: {} }, nowMs + second * 1000), nowMs) ?? state;
    }
    expect(state.trigger).toMatchObject({
      count: 1000,
      firstAtMs: nowMs,
      lastAtMs: nowMs + 999_000,
    });
    expect(state.trigger?.reasons).toHaveLength(5);
    expect(state.trigger?.reasons?.at(-1)).toBe(state.trigger?.reason);
    const due = decide({ ...state, run: null }, { event: visit, facts: {} }, nowMs + 2 * hour);
    expect(those(due, "request-training-run")).toMatchObject([
      {
        to: {
          triggerCount: 1000,
          triggers: {
            firstAtMs: nowMs,
            lastAtMs: nowMs + 999_000,
            reasons: state.trigger?.reasons,
          },
        },
      },
    ]);
  });
});
