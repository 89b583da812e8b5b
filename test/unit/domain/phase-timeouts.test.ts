/** What happens to a run that is longer in a phase than it may be, and to what its job does afterwards. */
import { describe, expect, it } from "vitest";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { Facts, PipelineJobFacts } from "../../../shared/domain/facts.js";
import type { ModelState, RunState } from "../../../shared/domain/state.js";
import { manifestOf } from "../../fixtures/manifest.js";
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
} from "./situations.js";

const limits = {
  requestedSeconds: 4000,
  validatingSeconds: 100,
  trainingSeconds: 200,
  evaluatingSeconds: 300,
  judgingSeconds: 400,
  registeringSeconds: 500,
  cancellingSeconds: 1200,
};
const manifest = manifestOf({ training: { phaseTimeouts: limits } });

const visit = eventOf("model.visited", { model: churn, by: "tick" });

const stateIn = (phase: RunState["phase"], changes: Partial<ModelState> = {}): ModelState =>
  stateOf({ champion, datasets: [dataset], manifest, run: runs[phase], ...changes });

/** The decisions of a visit so many seconds after the run entered its phase. */
const visitAfter = (state: ModelState, seconds: number, facts: Facts = {}): readonly Decision[] =>
  decide(state, { event: visit, facts }, (state.run?.sinceMs ?? nowMs) + seconds * 1000);

const kinds = (decisions: readonly Decision[]): readonly Decision["do"][] =>
  decisions.map((decision) => decision.do);

const ended = (decisions: readonly Decision[]) => those(decisions, "end-run")[0]?.record;

/** Jobs whose tasks show each phase. */
const working = {
  validating: { ...job, tasks: { profile: "running" } },
  training: { ...job, tasks: { profile: "succeeded", train: "running" } },
  evaluating: { ...job, tasks: { train: "succeeded", evaluate: "running" } },
} as const satisfies Readonly<Record<string, PipelineJobFacts>>;

const looks: Readonly<
  Record<
    Exclude<RunState["phase"], "retrying" | "awaiting-approval" | "parked">,
    { readonly facts: Facts; readonly seconds: number; readonly does: readonly Decision["do"][] }
  >
> = {
  requested: { facts: {}, seconds: 4000, does: ["end-run", "clear-timer", "notify"] },
  validating: {
    facts: { pipelineJob: working.validating },
    seconds: 100,
    does: ["cancel-pipeline-job"],
  },
  training: {
    facts: { pipelineJob: working.training },
    seconds: 200,
    does: ["cancel-pipeline-job"],
  },
  evaluating: {
    facts: { pipelineJob: working.evaluating },
    seconds: 300,
    does: ["cancel-pipeline-job"],
  },
  judging: { facts: {}, seconds: 400, does: ["register-model-version"] },
  registering: {
    facts: { versions: { [run]: null } },
    seconds: 500,
    does: ["end-run", "clear-timer", "notify"],
  },
  cancelling: {
    facts: { pipelineJob: working.training },
    seconds: 1200,
    does: ["enter-phase", "notify"],
  },
};

describe("a run in a phase", () => {
  it.each(Object.entries(looks))("%s has a limit, and not before it", (phase, look) => {
    const live = runs[phase as RunState["phase"]];
    // Nothing else is due: its job was cancelled lately, or its submission asked for often enough.
    const calm = { askedAtMs: nowMs + 3_600_000, repeats: 3 };
    const state = stateIn(live.phase, { run: Object.assign({}, live, calm) });
    expect(kinds(visitAfter(state, look.seconds - 1, look.facts))).toEqual(["ignore"]);
    const decisions = visitAfter(state, look.seconds, look.facts);
    expect(kinds(decisions)).toEqual(look.does);
    const told = [...decisions.map(({ reason }) => reason), ...(ended(decisions)?.reasons ?? [])];
    expect(told.join()).toMatch(
      // What is judged late loses nothing, so nobody is told of a limit.
      phase === "judging" ? "the challenger is better" : `${look.seconds} s`,
    );
    expect(told.join()).toMatch(
      phase === "judging" ? "" : `training.phaseTimeouts.${phase}Seconds`,
    );
  });

  it("has the whole of training.timeoutSeconds to train in, unless something is said", () => {
    const patient = manifestOf();
    const state = stateIn("training", { manifest: patient });
    const facts = { pipelineJob: working.training };
    expect(kinds(visitAfter(state, 3000, facts))).toEqual(["ignore"]);
    const [cancel] = those(visitAfter(state, 3 * 3600, facts), "cancel-pipeline-job");
    expect(cancel?.to).toMatchObject({ timeout: { setting: "training.timeoutSeconds" } });
  });

  it("that was left since the last look has nothing to do with it any more", () => {
    const decisions = visitAfter(stateIn("validating"), 150, { pipelineJob: working.training });
    expect(those(decisions, "enter-phase")).toMatchObject([
      { to: { phase: "training", sinceMs: runs.validating.sinceMs + 150_000 } },
    ]);
  });

  it("has its time anew in each phase", () => {
    let state: ModelState | null = stateIn("validating");
    let atMs = nowMs;
    for (const phase of ["training", "evaluating"] as const) {
      atMs += 90_000 - (atMs - (state?.run?.sinceMs ?? 0));
      const facts = { pipelineJob: working[phase] };
      state = after(state, decide(state ?? undefined, { event: visit, facts }, atMs), atMs);
      expect(state?.run).toMatchObject({ phase, sinceMs: atMs });
      atMs += 91_000;
    }
  });

  it("is never held by the phases that have a time of their own", () => {
    const late = 365 * 86_400;
    expect(kinds(visitAfter(stateIn("retrying"), late))).toEqual(["retry-training-run"]);
    expect(ended(visitAfter(stateIn("awaiting-approval"), late))?.outcome).toBe("rejected");
  });
});

describe("a run that waits to be submitted", () => {
  it("is asked for again, a bounded number of times", () => {
    let state: ModelState | null = stateIn("requested");
    const asked: number[] = [];
    for (let seconds = 0; seconds < 4000; seconds += 10) {
      if (state === null) break;
      const atMs = runs.requested.sinceMs + seconds * 1000;
      const decisions = decide(state, { event: visit, facts: {} }, atMs);
      if (those(decisions, "retry-training-run").length > 0) asked.push(seconds);
      state = after(state, decisions, atMs);
    }
    expect(asked).toEqual([1000, 2000, 3000]);
    expect(state?.run).toMatchObject({ phase: "requested", repeats: 3 });
  });

  it("is submitted by whichever request comes first, and once", () => {
    const request = eventOf("training-run.requested", { model: churn, run, reason: "again" });
    const state = stateIn("requested", { run: { ...runs.requested, repeats: 1 } as RunState });
    const first = decide(state, { event: request, facts: {} }, nowMs);
    expect(kinds(first)).toContain("submit-pipeline-job");
    const next = after(state, first, nowMs);
    expect(next?.run).not.toHaveProperty("repeats");
    expect(kinds(decide(next ?? undefined, { event: request, facts: {} }, nowMs))).toEqual([
      "ignore",
    ]);
  });
});

describe("a job whose run is out of time", () => {
  const timedOut = stateIn("cancelling", {
    run: {
      ...runs.cancelling,
      timeout: { phase: "training", setting: "training.timeoutSeconds", seconds: 14_400 },
    } as RunState,
  });

  const ends: readonly (readonly [string, Partial<PipelineJobFacts> | null, RegExp])[] = [
    ["is cancelled", { state: "cancelled" }, /timeout of 14400 s/],
    ["succeeds too late", { state: "succeeded", evaluation }, /too late to be used/],
    ["fails too late", { state: "failed", error: "no memory" }, /timeout of 14400 s.*no memory/],
    [
      "fails, and could be tried again",
      { state: "failed", error: "no machines", isRetriable: true },
      /timeout of 14400 s.*no machines/,
    ],
    ["is gone", null, /timeout of 14400 s/],
  ];

  it.each(ends)("that %s: the run has failed, and says of what", (_name, found, reason) => {
    const facts = { pipelineJob: found === null ? null : { ...job, ...found } };
    for (const state of [
      timedOut,
      { ...timedOut, run: { ...timedOut.run, phase: "parked", parkedReason: "it runs on" } },
    ] as readonly ModelState[]) {
      const decisions = visitAfter(state, 900, facts);
      expect(ended(decisions)?.outcome).toBe("failed");
      expect(ended(decisions)?.reasons.join("; ")).toMatch(reason);
      expect(those(decisions, "register-model-version")).toEqual([]);
    }
  });

  it("and tells of an earlier phase again, changes nothing", () => {
    const decisions = visitAfter(timedOut, 1, { pipelineJob: working.validating });
    expect(kinds(decisions)).toEqual(["ignore"]);
  });

  it("after the run's end, is nobody's", () => {
    const event = eventOf("pipeline-job.changed", { pipelineJob: run, state: "SUCCEEDED" });
    const state = stateOf({ champion, datasets: [dataset] });
    const facts = { pipelineJob: { ...job, state: "succeeded" as const, evaluation } };
    expect(kinds(decide(state, { event, facts }, nowMs))).toEqual(["ignore"]);
  });
});

describe("a cancellation that the cloud refuses", () => {
  it.each(["cancelling", "parked"] as const)("leaves the run %s: its job goes on", (phase) => {
    const event = eventOf("effect.rejected", {
      model: churn,
      decision: "cancel-pipeline-job",
      about: run,
      message: "PERMISSION_DENIED",
    });
    const decisions = decide(stateIn(phase), { event, facts: {} }, nowMs);
    expect(kinds(decisions)).toEqual(["notify"]);
    expect(after(stateIn(phase), decisions)?.run?.phase).toBe(phase);
  });
});

describe("a parked run", () => {
  const command = (name: string) =>
    eventOf("command.issued", { model: churn, command: name, by: "ada" });

  it("is let go by a person, at the price of its whole time", () => {
    const state = stateIn("parked");
    const decisions = decide(state, { event: command("cancel-run"), facts: {} }, nowMs);
    expect(ended(decisions)).toMatchObject({ outcome: "cancelled" });
    expect(ended(decisions)?.reasons.join()).toMatch(/still runs/);
    expect(those(decisions, "end-run")[0]?.settledUsd).toBeGreaterThan(0.03);
  });

  it("waits for its job, however long", () => {
    const facts = { pipelineJob: working.training };
    expect(kinds(visitAfter(stateIn("parked"), 1e6, facts))).toEqual(["ignore"]);
  });
});

describe("a run whose evaluation was judged by the tick", () => {
  it("ignores the announcement that comes late", () => {
    const state = stateIn("judging");
    const next = after(state, visitAfter(state, 400), nowMs);
    expect(next?.run?.phase).toBe("registering");
    const event = eventOf("evaluation.completed", { model: churn, run, ...evaluation });
    expect(kinds(decide(next ?? undefined, { event, facts: {} }, nowMs))).toEqual(["ignore"]);
  });
});
