/**
 * The deciders as tables. A row is a phase or a circumstance, a column an event; a cell holds every decision that the
 * event can lead to, whatever is found. What is not in a row is ignored, with a reason. Notifications, timers, aliases
 * and what is remembered go with other decisions and are left out.
 */
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { reserve } from "../../../shared/domain/budget.js";
import { decide } from "../../../shared/domain/decide.js";
import type { ModelState, RolloutState, RunState } from "../../../shared/domain/state.js";
import type { manifestSchema } from "../../../shared/manifest/schema.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  awaiting,
  champion,
  churn,
  dataset,
  evaluation,
  eventOf,
  nowMs,
  rollout,
  rollouts,
  run,
  runs,
  stateOf,
  those,
  trigger,
  withPeople,
} from "./situations.js";
import { rowOf, type Row } from "./table.js";

const base = { champion, datasets: [dataset] } as const;

/** A look at the run, by whoever comes first. */
const looks = (does: string, more: readonly string[] = []): Row =>
  Object.fromEntries(
    ["operation.finished", "tick", "reconcile", ...more].map((column) => [column, does]),
  );

describe("a live run", () => {
  /** The next trigger waits, versions go their own way, and a refused submission or upload ends the run. */
  const always: Row = {
    "dataset.arrived": "hold-trigger, record-dataset",
    "drift.detected": "hold-trigger",
    "performance.decayed": "hold-trigger",
    "pipeline.released": "hold-trigger",
    "training-run.requested": "hold-trigger",
    "model-version.registered": "deploy-model, start-rollout",
    "model-version.aliased": "deploy-model, start-rollout",
    "command pause": "pause-model",
    "manifest.applied": "adopt-manifest",
    "refused submit-pipeline-job": "end-run",
    "refused register-model-version": "end-run",
  };
  const ofJob = ["pipeline-job.changed", "timer run-deadline"] as const;
  const judged = "end-run, publish-evaluation, record-dataset";
  const rolledOut = "deploy-model, end-run, import-evaluation, start-rollout";

  const table: Readonly<Record<RunState["phase"], Row>> = {
    requested: {
      "training-run.requested": "hold-trigger, submit-pipeline-job",
      "command cancel-run": "end-run",
    },
    validating: {
      ...looks("end-run, enter-phase, publish-evaluation, record-dataset", ofJob),
      "command cancel-run": "cancel-pipeline-job",
    },
    training: { ...looks(judged, ofJob), "command cancel-run": "cancel-pipeline-job" },
    evaluating: { ...looks(judged, ofJob), "command cancel-run": "cancel-pipeline-job" },
    retrying: {
      ...looks("retry-training-run", ["timer run-deadline"]),
      "command cancel-run": "end-run",
    },
    "awaiting-approval": {
      approve: "retry-training-run",
      refuse: "end-run, record-dataset",
      "command cancel-run": "end-run",
    },
    cancelling: looks("end-run", ofJob),
    parked: { ...looks("end-run", ofJob), "command cancel-run": "end-run" },
    judging: { "evaluation.completed": "register-model-version" },
    registering: {
      ...looks(rolledOut, ofJob),
      "model-version.registered": rolledOut,
    },
  };

  it.each(Object.values(runs))("$phase", (live) => {
    expect(rowOf(stateOf({ ...base, run: live }))).toEqual({ ...always, ...table[live.phase] });
  });

  /** Ninety days later, the run's own looks only. */
  const overdue: Readonly<Record<RunState["phase"], string>> = {
    requested: "end-run",
    validating: "cancel-pipeline-job, end-run, publish-evaluation, record-dataset",
    training: "cancel-pipeline-job, end-run, publish-evaluation, record-dataset",
    evaluating: "cancel-pipeline-job, end-run, publish-evaluation, record-dataset",
    retrying: "retry-training-run",
    "awaiting-approval": "end-run, record-dataset",
    cancelling: "end-run, enter-phase",
    parked: "end-run",
    judging: "register-model-version",
    registering: "deploy-model, end-run, import-evaluation, start-rollout",
  };

  it.each(Object.values(runs))("$phase, out of time", (live) => {
    const row = rowOf(stateOf({ ...base, run: live }), nowMs + 90 * 86_400_000);
    expect(row["tick"]).toBe(overdue[live.phase]);
  });
});

describe("a rollout", () => {
  /** Runs start beside it, and versions wait for its end. */
  const always: Row = {
    "dataset.arrived": "record-dataset, request-training-run",
    "drift.detected": "request-training-run",
    "performance.decayed": "request-training-run",
    "pipeline.released": "request-training-run",
    "training-run.requested": "request-training-run",
    "model-version.registered": "queue-challenger",
    "model-version.aliased": "queue-challenger",
    "command pause": "pause-model",
    "manifest.applied": "adopt-manifest",
  };
  const ending = (does: string): Row => ({ "command abort": does, "command roll-back": does });
  const refused: Row = {
    "refused deploy-model": "roll-back",
    "refused set-traffic-split": "roll-back",
  };
  const back = "roll-back, set-traffic-split";

  const table: Readonly<Record<RolloutState["phase"], Row>> = {
    deploying: {
      ...looks("advance-rollout, roll-back, set-traffic-split"),
      ...ending("roll-back"),
      ...refused,
    },
    "smoke-testing": {
      ...looks("advance-rollout, deploy-model, roll-back"),
      ...ending("roll-back"),
      ...refused,
      "command skip": "advance-rollout, deploy-model",
    },
    // The manifest of this table needs nobody's approval, so that it goes on by itself.
    "awaiting-approval": {
      ...looks("advance-rollout, deploy-model", ["timer approval-deadline"]),
      ...ending("roll-back"),
      ...refused,
      approve: "advance-rollout, deploy-model",
      refuse: "roll-back",
    },
    progressing: {
      ...looks("advance-rollout, park-rollout, record-measurement, roll-back, set-traffic-split"),
      ...ending(back),
      "command pause": "pause-model, pause-rollout",
      "command skip": "advance-rollout, set-traffic-split",
      "command promote-now": "advance-rollout, promote, set-traffic-split",
      "refused deploy-model": back,
      "refused set-traffic-split": "park-rollout",
    },
    paused: {
      ...ending(back),
      "command resume": "resume-model, resume-rollout",
      "refused deploy-model": back,
    },
    parked: {
      ...ending(back),
      "command resume": "resume-model, resume-rollout",
      "command skip": "advance-rollout, set-traffic-split",
      "command promote-now": "advance-rollout, promote, set-traffic-split",
      "refused deploy-model": back,
    },
    cleaning: looks("advance-rollout, end-rollout, set-traffic-split, undeploy-model"),
  };

  it.each(Object.values(rollouts))("$phase", (current) => {
    expect(rowOf(stateOf({ ...base, rollout: current }))).toEqual({
      ...always,
      ...table[current.phase],
    });
  });
});

describe("a trigger", () => {
  type Changes = Partial<z.input<typeof manifestSchema>>;
  const eager: Changes["triggers"] = {
    skew: "retrain",
    debounceSeconds: 0,
    schedules: [{ name: "weekly", cron: "0 12 * * 1" }],
  };
  const asking = (changes: Changes = {}): ModelState["manifest"] =>
    manifestOf({ triggers: eager, ...changes });
  const kinds = [
    "dataset.arrived",
    "schedule.fired",
    "drift.detected",
    "skew.detected",
    "performance.decayed",
    "pipeline.released",
    "training-run.requested",
  ] as const;
  type Kind = (typeof kinds)[number];

  /** The same for every kind, but for those that are named. */
  const each = (does: string, but: Partial<Record<Kind, string>> = {}): Row =>
    Object.fromEntries(kinds.map((kind) => [kind, but[kind] ?? does]));
  const starts = each("request-training-run", {
    "dataset.arrived": "record-dataset, request-training-run",
  });
  const waits = each("hold-trigger", { "dataset.arrived": "hold-trigger, record-dataset" });
  const refused = each("drop-trigger, end-run", {
    "dataset.arrived": "drop-trigger, end-run, record-dataset",
  });

  const circumstances: readonly (readonly [string, Partial<ModelState>, Row])[] = [
    ["starts a run when nothing is in its way", {}, starts],
    [
      "waits for the cooldown, unless it is new data, new code or a person",
      { lastRunStartedAtMs: nowMs - 60_000 },
      {
        ...waits,
        "dataset.arrived": "record-dataset, request-training-run",
        "pipeline.released": "request-training-run",
        "training-run.requested": "request-training-run",
      },
    ],
    [
      "waits for more of its kind, unless it is a person",
      { manifest: asking({ triggers: { ...eager, debounceSeconds: 60 } }) },
      { ...waits, "training-run.requested": "request-training-run" },
    ],
    ["waits for the live run", { run: runs.judging }, waits],
    ["waits while the model is paused", { isPaused: true }, waits],
    ["waits while the model is parked", { parkedReason: "20 fruitless runs" }, waits],
    [
      "waits in a freeze window",
      {
        manifest: asking({
          freezeWindows: [{ name: "mondays", from: "mon 09:00", to: "mon 15:00" }],
        }),
      },
      waits,
    ],
    ["starts with those that wait and are due", { trigger }, starts],
    [
      "is only watched under observe-only",
      { manifest: asking({ mode: "observe-only" }) },
      { "dataset.arrived": "record-dataset" },
    ],
    [
      "is refused for good without the money",
      { manifest: asking({ budget: { usdPerRunMax: 0.01 } }) },
      refused,
    ],
    [
      "is refused for good without a price",
      { manifest: asking({ training: { machine: { type: "c9-mega-4" } } }) },
      refused,
    ],
    [
      "is dropped while there is nothing to train on",
      { datasets: [] },
      each("drop-trigger", { "dataset.arrived": "record-dataset, request-training-run" }),
    ],
    [
      "parks the model where it is our own promotion's doing",
      { champion: { ...champion, trigger: "drift", sinceMs: nowMs - 1000 } },
      {
        ...starts,
        "drift.detected": "park-model",
        "skew.detected": "park-model",
        "performance.decayed": "park-model",
      },
    ],
    [
      "does what the manifest says of its kind",
      {
        manifest: asking({
          triggers: {
            newData: false,
            newPipeline: false,
            drift: "ignore",
            skew: "notify",
            decay: "page",
          },
        }),
      },
      { "dataset.arrived": "record-dataset", "training-run.requested": "request-training-run" },
    ],
  ];

  it.each(circumstances)("%s", (_name, changes, expected) => {
    const row = rowOf(stateOf({ ...base, manifest: asking(), ...changes }));
    expect(
      Object.fromEntries(kinds.flatMap((kind) => (row[kind] ? [[kind, row[kind]]] : []))),
    ).toEqual(expected);
  });
});

describe("the evaluation gate", () => {
  const completed = eventOf("evaluation.completed", { model: churn, run, ...evaluation });
  const gate = (outcome: "accept" | "reject", changes: Partial<ModelState>) =>
    decide(
      stateOf({
        ...base,
        run: Object.assign({}, runs.judging, { evaluation: { ...evaluation, outcome } }),
        ...changes,
      }),
      { event: completed, facts: {} },
      nowMs,
    );

  it.each([
    ["accept", { champion }, "register-model-version"],
    ["accept", { champion: null }, "register-model-version"],
    ["accept", { isPaused: true }, "register-model-version"],
    ["reject", { champion }, "end-run"],
    ["reject", { champion: null }, "end-run"],
    ["reject", { fruitlessRuns: 19 }, "end-run, park-model"],
  ] as const)("%s %j: %s", (outcome, changes, expected) => {
    const does = gate(outcome, changes)
      .map((decision) => decision.do)
      .filter((kind) => kind !== "notify" && kind !== "clear-timer");
    expect(does.join(", ")).toBe(expected);
    for (const { record } of those(gate(outcome, changes), "end-run")) {
      expect(record).toMatchObject({ outcome: "rejected", run });
    }
  });
});

describe("approval", () => {
  const hourMs = 3_600_000;
  const cases: readonly (readonly [
    approved: readonly string[],
    answer: "approve" | "refuse",
    by: string,
    afterMs: number,
    does: string,
  ])[] = [
    [[], "approve", "ada", 0, "advance-rollout"],
    [["bob"], "approve", "ada", 0, "deploy-model"],
    [["ada"], "approve", "ada", 0, "ignore"],
    [["bob"], "approve", "eve", 0, "ignore"],
    [["bob"], "refuse", "ada", 0, "roll-back"],
    [["bob"], "refuse", "eve", 0, "roll-back"],
    [["bob"], "approve", "ada", hourMs, "roll-back"],
    [["bob"], "refuse", "ada", hourMs, "roll-back"],
  ];

  it.each(cases)(
    "two are needed, %j did, %s by %s after %i ms: %s",
    (approvedBy, decision, by, afterMs, does) => {
      // Eve asked for the version herself.
      const state = stateOf({
        ...base,
        manifest: withPeople(2),
        rollout: { ...awaiting, approvedBy, by: "eve" },
      });
      const event = eventOf("approval.given", { model: churn, rollout, decision, by });
      const decisions = decide(state, { event, facts: {} }, nowMs + afterMs);
      expect(decisions.map((one) => one.do)).toContain(does);
    },
  );
});

describe("the budget", () => {
  const budget = { usdPerRunMax: 1, usdPerMonthMax: 3 };
  const month = new Date(nowMs).toISOString().slice(0, 7);
  const cases: readonly (readonly [string, ModelState["budget"], RegExp | null])[] = [
    ["nothing spent", { month, spentUsd: 0, reservedUsd: 0 }, null],
    ["room for one more", { month, spentUsd: 1, reservedUsd: 1 }, null],
    ["all reserved", { month, spentUsd: 0, reservedUsd: 2.5 }, /usdPerMonthMax/],
    ["all spent", { month, spentUsd: 2.5, reservedUsd: 0 }, /usdPerMonthMax/],
    ["all spent last month", { month: "2025-12", spentUsd: 3, reservedUsd: 0 }, null],
    [
      "all reserved since last month",
      { month: "2025-12", spentUsd: 0, reservedUsd: 3 },
      /usdPerMonthMax/,
    ],
    [
      "all spent in a month that this clock has not reached",
      { month: "2026-02", spentUsd: 3, reservedUsd: 0 },
      /usdPerMonthMax/,
    ],
  ];

  it.each(cases)("%s", (_name, spent, refusal) => {
    const state = stateOf({ ...base, manifest: manifestOf({ budget }), budget: spent });
    const reserved = reserve(state, nowMs);
    expect("refusal" in reserved ? reserved.refusal : "none").toMatch(refusal ?? /^none$/);
  });
});
