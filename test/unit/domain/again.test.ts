import { describe, expect, it } from "vitest";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { PipelineJobFacts } from "../../../shared/domain/facts.js";
import { jobIdOf, modelOfRun } from "../../../shared/domain/ids.js";
import { needs } from "../../../shared/domain/needs.js";
import type { ModelState, RunState } from "../../../shared/domain/state.js";
import { supersededBy } from "../../../shared/domain/superseded.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  after,
  churn,
  dataset,
  eventOf,
  job,
  nowMs,
  run,
  runs,
  stateOf,
  those,
} from "./situations.js";

const visit = eventOf("model.visited", { model: churn, by: "tick" });
const stateWith = (live: RunState, changes: Partial<ModelState> = {}): ModelState =>
  stateOf({ datasets: [dataset], run: live, ...changes });

const look = (
  state: ModelState,
  pipelineJob?: PipelineJobFacts,
  atMs = nowMs,
): readonly Decision[] =>
  decide(state, { event: visit, facts: pipelineJob === undefined ? {} : { pipelineJob } }, atMs);

const next = (state: ModelState, decisions: readonly Decision[], atMs = nowMs): ModelState => {
  const evolved = after(state, decisions, atMs);
  if (evolved === null) throw new Error("the model was forgotten");
  return evolved;
};

const requested = (state: ModelState, atMs: number): ModelState => {
  const event = eventOf(
    "training-run.requested",
    { model: churn, run, reason: "again" },
    `r${atMs}`,
  );
  return next(state, decide(state, { event, facts: {} }, atMs), atMs);
};

const stockout: PipelineJobFacts = {
  ...job,
  state: "failed",
  error: "no machines left",
  isRetriable: true,
  machineSeconds: 90,
};

describe("a PipelineJob that failed by the cloud's fault", () => {
  it("is tried again after a while, under a number of its own and within the first one's time", () => {
    const state = stateWith(runs.training);
    const failed = look(state, stockout);
    expect(failed[0]?.reason).toMatch(
      /^retry 1 of 2 at 2026-01-05T12:01:00.000Z: no machines left/,
    );
    expect(those(failed, "set-timer")).toMatchObject([{ dueAtMs: nowMs + 60_000 }]);
    const waiting = next(state, failed);
    expect(needs(waiting, visit, nowMs)).toEqual([]);
    expect(look(waiting, undefined, nowMs + 59_999)).toMatchObject([{ do: "ignore" }]);
    const due = look(waiting, undefined, nowMs + 60_000);
    expect(those(due, "retry-training-run")).toMatchObject([{ to: { phase: "requested", run } }]);
    const again = requested(next(waiting, due), nowMs + 61_000);
    expect(again.run).toMatchObject({
      phase: "validating",
      deadlineAtMs: nowMs + 3_600_000,
      earlier: { count: 1, machineSeconds: 90 },
    });
    expect(again.run && jobIdOf(again.run)).toBe(`${run}-2`);
    expect(modelOfRun(`${run}-2`)).toBe(churn);
    expect(needs(again, visit, nowMs + 61_000)).toEqual([
      { fact: "pipeline-job", run: `${run}-2` },
    ]);
    expect(again.budget.reservedUsd).toBe(state.budget.reservedUsd);
  });

  it("reports of the ended job mean nothing to the next one", () => {
    const state = stateWith({
      ...runs.training,
      earlier: { count: 1, machineSeconds: 0 },
    });
    const late = eventOf("pipeline-job.changed", { pipelineJob: run, state: "FAILED" });
    expect(decide(state, { event: late, facts: { pipelineJob: stockout } }, nowMs)).toMatchObject([
      { do: "ignore" },
    ]);
    const own = eventOf("pipeline-job.changed", { pipelineJob: `${run}-2`, state: "FAILED" });
    expect(
      those(decide(state, { event: own, facts: { pipelineJob: stockout } }, nowMs), "enter-phase"),
    ).toMatchObject([{ to: { phase: "retrying", earlier: { count: 2 } } }]);
  });

  it("a template of the user's is offered what Continuo's own is given", () => {
    const event = eventOf("training-run.requested", { model: churn, run, reason: "x" });
    const submission = (changes: Partial<ModelState>) =>
      those(
        decide(stateWith(runs.requested, changes), { event, facts: {} }, nowMs),
        "submit-pipeline-job",
      ).map(({ job: asked }) => asked);
    const [own] = submission({});
    const template = "gs://shop/train.json";
    const manifest = manifestOf({ training: { template, parameters: { trees: 20 } } });
    const [theirs] = submission({ manifest });
    expect(own?.offered).toBeUndefined();
    expect(theirs).toMatchObject({ template, parameters: { trees: 20 } });
    expect(Object.keys(theirs?.offered ?? {})).toEqual(Object.keys(own?.parameters ?? {}));
    expect(theirs?.offered).toMatchObject({ dataset_uris: own?.parameters["dataset_uris"] });
  });

  it("a late submission of the ended job is left out", () => {
    const state = stateWith(runs.requested);
    const event = eventOf("training-run.requested", { model: churn, run, reason: "x" });
    const [submit] = those(decide(state, { event, facts: {} }, nowMs), "submit-pipeline-job");
    const second = stateWith({
      ...runs.training,
      earlier: { count: 1, machineSeconds: 0 },
    });
    expect(submit && supersededBy(submit, stateWith(runs.validating))).toBeNull();
    expect(submit && supersededBy(submit, second)).toMatch(/not live any more/);
  });

  it.each([
    ["often enough", stateWith({ ...runs.training, retries: 2 }), stockout],
    [
      "with no time left",
      stateWith({ ...runs.training, deadlineAtMs: nowMs + 60_000 } as RunState),
      stockout,
    ],
    [
      "under a manifest without retries",
      stateWith(runs.training, { manifest: manifestOf({ training: { retriesMax: 0 } }) }),
      stockout,
    ],
    ["by its own fault", stateWith(runs.training), { ...stockout, isRetriable: false }],
    ["while it was being cancelled", stateWith(runs.cancelling), stockout],
  ])("ends the run when it failed %s", (_name, state, pipelineJob) => {
    expect(those(look(state, pipelineJob), "end-run")).toMatchObject([{ record: { run } }]);
  });

  it("costs what all of its jobs used", () => {
    const state = stateWith({
      ...runs.training,
      retries: 2,
      reservedUsd: 50,
      earlier: { count: 2, machineSeconds: 3600 },
    });
    const [alone] = those(
      look(stateWith({ ...runs.training, retries: 2, reservedUsd: 50 }), stockout),
      "end-run",
    );
    const [all] = those(look(state, stockout), "end-run");
    expect((all?.settledUsd ?? 0) - (alone?.settledUsd ?? 0)).toBeCloseTo(0.2185, 6);
  });
});

const asking: PipelineJobFacts = {
  ...job,
  state: "succeeded",
  tasks: { profile: "succeeded", train: "skipped" },
  dataGate: { verdict: "ask", reasons: ["age has moved"], profileUri: "gs://b/profile.json" },
  machineSeconds: 30,
};

const answer = (by: string, decision: "approve" | "refuse" = "approve") =>
  eventOf("approval.given", { model: churn, run, decision, by }, `${by}/${decision}`);

describe("a data gate that asks", () => {
  const state = stateWith({ ...runs.validating, by: "ada" });
  const asked = next(state, look(state, asking));

  it("makes the run wait for people, with a deadline and the commands to type", () => {
    const decisions = look(state, asking);
    expect(asked.run).toMatchObject({
      phase: "awaiting-approval",
      asks: ["age has moved"],
      expiresAtMs: nowMs + 3 * 86_400_000,
    });
    expect(those(decisions, "set-timer")).toMatchObject([{ kind: "run-deadline" }]);
    expect(those(decisions, "notify")[0]?.body).toContain(`continuo approve churn ${run} --refuse`);
    expect(asked.datasets[0]?.isStopped).toBeUndefined();
    expect(look(asked)).toMatchObject([{ do: "ignore" }]);
  });

  it("trains once they approve, in a job whose gate allows what it asked about", () => {
    const approved = decide(asked, { event: answer("bob"), facts: {} }, nowMs);
    const again = next(asked, approved);
    const event = eventOf("training-run.requested", { model: churn, run, reason: "again" });
    const [submit] = those(decide(again, { event, facts: {} }, nowMs), "submit-pipeline-job");
    expect(submit?.job).toMatchObject({
      run: `${run}-2`,
      parameters: { config: { drift: { jsdMax: 1, linfMax: 1 } } },
    });
    expect(submit?.to).toMatchObject({ gateApprovedBy: ["bob"] });
    expect(submit?.to.deadlineAtMs).toBe(nowMs + 4 * 3_600_000);
  });

  it("what it stops for is stopped, however many approved", () => {
    const again = stateWith({ ...runs.validating, gateApprovedBy: ["bob"] });
    const stopped = {
      ...asking,
      dataGate: { verdict: "stop" as const, reasons: ["empty"], profileUri: "" },
    };
    expect(those(look(again, stopped), "end-run")).toMatchObject([
      { record: { outcome: "rejected", reasons: ["data gate: empty"] } },
    ]);
    expect(those(look(again, asking), "end-run")).toMatchObject([
      { record: { outcome: "rejected" } },
    ]);
  });

  it("who asked for the run can't answer for it, unless the manifest allows it", () => {
    const own = decide(asked, { event: answer("ada"), facts: {} }, nowMs);
    expect(own).toMatchObject([{ do: "ignore" }]);
    expect(own[0]?.reason).toMatch(/somebody else/);
    const { dataset: policy } = asked.manifest;
    const allowing: ModelState = {
      ...asked,
      manifest: {
        ...asked.manifest,
        dataset: { ...policy, approval: { ...policy.approval, ownChange: "allow" } },
      },
    };
    const allowed = decide(allowing, { event: answer("ada"), facts: {} }, nowMs);
    expect(those(allowed, "retry-training-run")).toHaveLength(1);
  });

  it.each([
    [
      "somebody refuses",
      decide(asked, { event: answer("bob", "refuse"), facts: {} }, nowMs),
      "bob refused",
    ],
    ["nobody answers", look(asked, undefined, nowMs + 3 * 86_400_000), "nobody approved in time"],
    [
      "the answer comes too late",
      decide(asked, { event: answer("bob"), facts: {} }, nowMs + 3 * 86_400_000),
      "nobody approved in time",
    ],
  ])("the run ends and later ones leave the version out when %s", (_name, decisions, reason) => {
    expect(those(decisions, "end-run")).toMatchObject([
      { record: { outcome: "rejected", reasons: ["data gate: age has moved", reason] } },
    ]);
    expect(next(asked, decisions)).toMatchObject({ run: null, datasets: [{ isStopped: true }] });
  });
});
