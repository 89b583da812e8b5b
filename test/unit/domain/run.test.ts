import { describe, expect, it } from "vitest";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { Facts, PipelineJobFacts } from "../../../shared/domain/facts.js";
import type { ModelState, RunState } from "../../../shared/domain/state.js";
import {
  after,
  champion,
  churn,
  dataset,
  evaluation,
  eventOf,
  job,
  nowMs,
  run,
  runs,
  stateOf,
  those,
  trigger,
} from "./situations.js";

const visit = eventOf("model.visited", { model: churn, by: "tick" });

const withRun = (live: RunState, changes: Partial<ModelState> = {}): ModelState =>
  stateOf({ champion, datasets: [dataset], run: live, ...changes });

const look = (state: ModelState, facts: Facts, atMs = nowMs): readonly Decision[] =>
  decide(state, { event: visit, facts }, atMs);

const kinds = (decisions: readonly Decision[]): readonly Decision["do"][] =>
  decisions.map((decision) => decision.do);

const ended = (decisions: readonly Decision[]) => those(decisions, "end-run")[0]?.record;

const gate = (verdict: "go" | "stop" | "ask", reasons: readonly string[] = []) => ({
  verdict,
  reasons,
  profileUri: "gs://b/profile.json",
});

const hourMs = 3_600_000;

describe("a training run", () => {
  const looks: readonly {
    readonly name: string;
    readonly phase: "validating" | "training" | "evaluating" | "cancelling";
    readonly job: Partial<PipelineJobFacts> | null;
    readonly atMs?: number;
    readonly does: readonly Decision["do"][];
    readonly outcome?: string;
    readonly reason?: RegExp;
  }[] = [
    { name: "waits while nothing changed", phase: "training", job: {}, does: ["ignore"] },
    {
      name: "enters the phase that its tasks show",
      phase: "validating",
      job: {},
      does: ["enter-phase"],
    },
    {
      name: "may skip a phase that was too quick to be seen",
      phase: "validating",
      job: { tasks: { profile: "succeeded", train: "succeeded", evaluate: "running" } },
      does: ["enter-phase"],
    },
    {
      name: "never goes back to an earlier phase",
      phase: "evaluating",
      job: { tasks: { profile: "running" } },
      does: ["ignore"],
    },
    {
      name: "is cancelled at its deadline",
      phase: "training",
      job: {},
      atMs: nowMs + hourMs,
      does: ["cancel-pipeline-job"],
      reason: /timeout of 3650 s/,
    },
    {
      name: "is not cancelled twice at once",
      phase: "cancelling",
      job: {},
      atMs: nowMs + 60_000,
      does: ["ignore"],
    },
    {
      name: "is cancelled again when its job was created after the first cancellation",
      phase: "cancelling",
      job: {},
      atMs: nowMs + hourMs,
      does: ["cancel-pipeline-job"],
    },
    {
      name: "fails with its job, in Vertex AI's words",
      phase: "training",
      job: { state: "failed", error: "train: out of memory" },
      does: ["end-run", "clear-timer", "notify"],
      outcome: "failed",
      reason: /out of memory/,
    },
    {
      name: "fails with its job even when that says nothing",
      phase: "training",
      job: { state: "failed", error: "" },
      does: ["end-run", "clear-timer", "notify"],
      outcome: "failed",
      reason: /without a message/,
    },
    {
      name: "ends when its job was cancelled by hand",
      phase: "training",
      job: { state: "cancelled" },
      does: ["end-run", "clear-timer", "notify"],
      outcome: "cancelled",
    },
    {
      name: "ends as cancelled although its job was quicker than the cancellation",
      phase: "cancelling",
      job: { state: "succeeded", dataGate: gate("go"), evaluation },
      does: ["end-run", "clear-timer", "notify"],
      outcome: "cancelled",
      reason: /had already succeeded/,
    },
    {
      name: "is judged when its job succeeded",
      phase: "training",
      job: { state: "succeeded", dataGate: gate("go"), evaluation },
      does: ["record-dataset", "publish-evaluation"],
    },
    {
      name: "is rejected by the data gate, and its dataset left out from then on",
      phase: "validating",
      job: { state: "succeeded", dataGate: gate("stop", ["age: 3 % missing"]) },
      does: ["record-dataset", "end-run", "clear-timer", "notify"],
      outcome: "rejected",
      reason: /data gate: age: 3 % missing/,
    },
    {
      name: "is rejected by a data gate that gives no reason",
      phase: "validating",
      job: { state: "succeeded", dataGate: gate("stop") },
      does: ["record-dataset", "end-run", "clear-timer", "notify"],
      outcome: "rejected",
      reason: /data gate: stop/,
    },
    {
      name: "fails when its template wrote no evaluation",
      phase: "training",
      job: { state: "succeeded", tasks: {} },
      does: ["end-run", "clear-timer", "notify"],
      outcome: "failed",
      reason: /task `evaluate`/,
    },
    {
      name: "waits for a job that is being created",
      phase: "validating",
      job: null,
      does: ["ignore"],
    },
    {
      name: "fails when its job is gone at the deadline",
      phase: "training",
      job: null,
      atMs: nowMs + hourMs,
      does: ["end-run", "clear-timer", "notify"],
      outcome: "failed",
      reason: /does not exist/,
    },
    {
      name: "is cancelled for good when its job was never created",
      phase: "cancelling",
      job: null,
      atMs: nowMs + 900_000,
      does: ["end-run", "clear-timer", "notify"],
      outcome: "cancelled",
    },
    {
      name: "waits a little for a submission that the cancellation overtook",
      phase: "cancelling",
      job: null,
      atMs: nowMs,
      does: ["ignore"],
    },
  ];

  it.each(looks)("$phase $name", ({ phase, job: found, atMs, does, outcome, reason }) => {
    const facts = { pipelineJob: found === null ? null : { ...job, ...found } };
    const decisions = look(withRun(runs[phase]), facts, atMs);
    expect(kinds(decisions)).toEqual(does);
    expect(ended(decisions)?.outcome).toBe(outcome);
    expect(decisions.map((decision) => decision.reason).join("\n")).toMatch(reason ?? /./);
  });

  it("that was submitted just before its deadline waits for a job that may still be created", () => {
    const late = { submittedAtMs: nowMs - 10_000, deadlineAtMs: nowMs - 1 };
    const state = withRun({ ...runs.validating, ...late });
    expect(kinds(look(state, { pipelineJob: null }))).toEqual(["ignore"]);
    const running = look(state, { pipelineJob: job });
    expect(kinds(running)).toEqual(["cancel-pipeline-job"]);
    const gone = look(state, { pipelineJob: null }, nowMs + 900_000);
    expect(ended(gone)).toMatchObject({ outcome: "failed" });
  });

  it("that was cancelled a moment ago does not end because an old answer misses its job", () => {
    const asked = { submittedAtMs: nowMs - hourMs, askedAtMs: nowMs - 5_000 };
    const state = withRun({ ...runs.cancelling, ...asked });
    expect(kinds(look(state, { pipelineJob: null }))).toEqual(["ignore"]);
    expect(ended(look(state, { pipelineJob: null }, nowMs + 900_000))).toBeDefined();
  });

  it("whose time was over before it could be tried again is not submitted", () => {
    const earlier = { count: 1, machineSeconds: 60, deadlineAtMs: nowMs };
    const requested: RunState = { ...runs.requested, earlier };
    const asked = eventOf("training-run.requested", { model: churn, run, reason: "once more" });
    const decisions = decide(withRun(requested), { event: asked, facts: {} }, nowMs);
    expect(kinds(decisions)).not.toContain("submit-pipeline-job");
    expect(ended(decisions)).toMatchObject({
      outcome: "failed",
      reasons: [expect.stringMatching(/time was over/)],
    });
  });

  it("that is registering waits for its version, and fails when it never appears", () => {
    const state = withRun(runs.registering);
    expect(kinds(look(state, { versions: { [run]: null } }))).toEqual(["ignore"]);
    const decisions = look(state, { versions: { [run]: null } }, nowMs + 2 * hourMs);
    expect(ended(decisions)).toMatchObject({ outcome: "failed" });
    expect(ended(decisions)?.reasons[0]).toMatch(/registry/);
  });

  it("that was accepted is registered under its own alias", () => {
    const decided = decide(
      withRun(runs.judging),
      { event: eventOf("evaluation.completed", { model: churn, run, ...evaluation }), facts: {} },
      nowMs,
    );
    expect(those(decided, "register-model-version")).toMatchObject([{ alias: run }]);
  });

  it("that was rejected ends with the evaluation's reasons", () => {
    const judged = {
      ...runs.judging,
      evaluation: { ...evaluation, outcome: "reject" as const, reasons: ["auc 0.5 < 0.6"] },
    } as RunState;
    const decided = decide(
      withRun(judged),
      { event: eventOf("evaluation.completed", { model: churn, run, ...evaluation }), facts: {} },
      nowMs,
    );
    expect(ended(decided)).toMatchObject({
      outcome: "rejected",
      reasons: ["evaluation gate: auc 0.5 < 0.6"],
    });
  });

  it("lets the trigger that waited for it go on", () => {
    const state = withRun(runs.training, { trigger });
    const decisions = look(state, { pipelineJob: { ...job, state: "failed", error: "no" } });
    expect(those(decisions, "set-timer")).toMatchObject([{ kind: "trigger", dueAtMs: nowMs }]);
  });

  it("parks the model when it is one fruitless run too many", () => {
    const state = withRun(runs.training, { trigger, fruitlessRuns: 19 });
    const decisions = look(state, { pipelineJob: { ...job, state: "failed", error: "no" } });
    expect(those(decisions, "park-model")).toHaveLength(1);
    expect(those(decisions, "set-timer")).toHaveLength(0);
    expect(after(state, decisions)?.parkedReason).toMatch(/20 runs in a row/);
  });

  it("settles at most what it reserved, and at its machine time's price", () => {
    const settle = (machineSeconds: number): number | undefined => {
      const facts = { pipelineJob: { ...job, state: "failed" as const, machineSeconds } };
      return those(look(withRun(runs.training), facts), "end-run")[0]?.settledUsd;
    };
    expect(settle(0)).toBeCloseTo(0.03, 6);
    expect(settle(3600)).toBeCloseTo(0.2185 + 0.03, 6);
    expect(settle(1e9)).toBe(1);
  });

  it("that is judged or registering cannot be cancelled any more", () => {
    for (const phase of ["judging", "registering"] as const) {
      const event = eventOf("command.issued", { model: churn, command: "cancel-run", by: "ada" });
      expect(kinds(decide(withRun(runs[phase]), { event, facts: {} }, nowMs))).toEqual(["ignore"]);
    }
  });

  it("whose deadline timer fired needs that timer no more", () => {
    const event = eventOf("timer.fired", {
      model: churn,
      timer: "churn/run-deadline",
      kind: "run-deadline",
      dueAt: new Date(nowMs).toISOString(),
    });
    const decided = decide(withRun(runs.training), { event, facts: { pipelineJob: job } }, nowMs);
    expect(those(decided, "clear-timer")).toMatchObject([{ kind: "run-deadline" }]);
  });
});
