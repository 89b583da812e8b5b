import { describe, expect, it } from "vitest";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import { evolve } from "../../../shared/domain/evolve.js";
import type { PipelineJobFacts } from "../../../shared/domain/facts.js";
import type { ModelState } from "../../../shared/domain/state.js";
import { usableDatasets } from "../../../shared/domain/trigger.js";
import { dataset, eventOf, nowMs, run, runs, stateOf } from "./situations.js";

const evolved = (state: ModelState, decisions: readonly Decision[]): ModelState =>
  decisions.reduce((current, decision) => evolve(current, decision, nowMs) ?? current, state);

const job = (changes: Partial<PipelineJobFacts>): PipelineJobFacts => ({
  state: "failed",
  error: "profile: the file cannot be read",
  tasks: { profile: "failed" },
  dataGate: null,
  evaluation: null,
  machineSeconds: 1,
  ...changes,
});

const afterJob = (state: ModelState, pipelineJob: PipelineJobFacts) => {
  const event = eventOf("pipeline-job.changed", { pipelineJob: run, state: "FAILED" });
  const decisions = decide(state, { event, facts: { pipelineJob } }, nowMs);
  return { decisions, state: evolved(state, decisions) };
};

const arrival = (id: string, data: Readonly<Record<string, unknown>> = {}) =>
  eventOf("dataset.arrived", { dataset: "churn", uris: dataset.uris, ...data }, id);

const arrives = (state: ModelState, event: ReturnType<typeof arrival>) => {
  const decisions = decide(state, { event, facts: {} }, nowMs);
  return { does: decisions.map((decision) => decision.do), state: evolved(state, decisions) };
};

const training = stateOf({ datasets: [dataset], run: runs.validating });

describe("a dataset version that the data gate cannot judge", () => {
  it("is left out of later runs, and the run says so", () => {
    const { decisions, state } = afterJob(training, job({}));
    expect(usableDatasets(state)).toEqual([]);
    const ended = decisions.find((decision) => decision.do === "end-run");
    expect(ended?.record.outcome).toBe("failed");
    expect(ended?.record.reasons).toEqual([
      "profile: the file cannot be read",
      "this dataset version is left out of later runs; mend it and publish it again",
    ]);
  });

  it("stays when a later task fails", () => {
    const failed = job({ tasks: { profile: "succeeded", train: "failed" }, error: "train: no" });
    expect(usableDatasets(afterJob(training, failed).state)).toEqual([dataset]);
  });
});

describe("a stopped dataset version that arrives again", () => {
  const { state: first } = arrives(stateOf(), arrival("one"));
  const stopped = {
    ...first,
    run: null,
    datasets: first.datasets.map((version) => ({ ...version, isStopped: true })),
  };

  it("by its addresses is a new version, because what lies there may be mended", () => {
    const { does, state } = arrives(stopped, arrival("two"));
    expect(does).toContain("request-training-run");
    expect(usableDatasets(state)).toHaveLength(1);
    expect(state.run?.fingerprint).not.toBe(first.datasets[0]?.fingerprint);
    const again = arrives({ ...state, run: null }, arrival("three"));
    expect(again.does).toEqual(["ignore"]);
  });

  it("by its fingerprint is judged again and is the newest", () => {
    const given = { fingerprint: "mine" };
    const others = [{ ...dataset, fingerprint: "mine", isStopped: true }, dataset];
    const { does, state } = arrives(stateOf({ datasets: others }), arrival("two", given));
    expect(does).toContain("request-training-run");
    expect(usableDatasets(state).map(({ fingerprint }) => fingerprint)).toEqual(["f1", "mine"]);
  });

  it("is ignored while it is good", () => {
    expect(arrives({ ...first, run: null }, arrival("two")).does).toEqual(["ignore"]);
  });
});

describe("a run that outlives its timeout", () => {
  it("failed, and says in which phase", () => {
    const late = {
      ...training,
      run: { ...runs.training, deadlineAtMs: nowMs - 1 } as ModelState["run"],
    };
    const running = job({ state: "running", error: null, tasks: { train: "running" } });
    const cancelling = afterJob(late, running);
    expect(cancelling.state.run?.phase).toBe("cancelling");
    const { decisions } = afterJob(cancelling.state, job({ state: "cancelled", error: null }));
    const ended = decisions.find((decision) => decision.do === "end-run");
    expect(ended?.record.outcome).toBe("failed");
    expect(ended?.record.reasons[0]).toMatch(/^it was still training after its timeout of 50 s/);
  });
});
