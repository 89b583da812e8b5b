import { describe, expect, it } from "vitest";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { Facts } from "../../../shared/domain/facts.js";
import { needs } from "../../../shared/domain/needs.js";
import { handCommand } from "../../../shared/domain/rollout/by-hand.js";
import type { ModelState, RolloutState } from "../../../shared/domain/state.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  after,
  armOf,
  champion,
  championInProduction,
  churn,
  dataset,
  endpointOf,
  eventOf,
  inProduction,
  inQa,
  nowMs,
  production,
  progressing,
  qa,
  rollouts,
  runs,
  segmentOf,
  stateOf,
  those,
} from "./situations.js";

const canary = { [championInProduction]: 90, [inProduction]: 10 };
const facts: Facts = {
  endpoints: { [production]: endpointOf(canary), [qa]: endpointOf({ [inQa]: 100 }) },
};

const stateWith = (rollout: RolloutState | null, changes: Partial<ModelState> = {}): ModelState =>
  stateOf({ champion, datasets: [dataset], rollout, ...changes });

const command = (name: string) =>
  eventOf("command.issued", { model: churn, command: name, by: "ada", reason: "incident 42" });

const on = (state: ModelState, name: string, found: Facts = facts): readonly Decision[] =>
  decide(state, { event: command(name), facts: found }, nowMs);

const splits = (decisions: readonly Decision[]) => those(decisions, "set-traffic-split");

describe("an operator moves a rollout on without a verdict", () => {
  it.each(["progressing", "parked"] as const)("skips a step while %s", (phase) => {
    const state = stateWith(rollouts[phase]);
    expect(needs(state, command("skip"), nowMs)).toEqual([
      { fact: "endpoint", endpoint: production },
    ]);
    const decisions = on(state, "skip");
    expect(splits(decisions)).toMatchObject([
      { split: { [championInProduction]: 50, [inProduction]: 50 }, expected: canary },
    ]);
    expect(decisions[0]?.reason).toContain("skip by ada: incident 42");
    const risen = after(state, decisions)?.rollout;
    expect(risen).toMatchObject({ phase: "progressing", weight: 50 });
    expect(risen).not.toHaveProperty("wish");
  });

  it("promotes at once, with all traffic in one change", () => {
    const state = stateWith(progressing);
    const decisions = on(state, "promote-now");
    expect(splits(decisions)).toMatchObject([{ split: { [inProduction]: 100 }, expected: canary }]);
    expect(after(state, decisions)?.champion).toMatchObject({ versionId: "2" });
  });

  it("skips the smoke test", () => {
    const decisions = on(stateWith(rollouts["smoke-testing"]), "skip");
    expect(those(decisions, "deploy-model")).toMatchObject([{ environment: "production" }]);
  });

  it("waits for the replicas that it takes, and rolls back what fails meanwhile", () => {
    const state = stateWith(
      { ...progressing, championReplicas: 4 },
      { manifest: manifestOf({ serving: { replicasMin: 1, replicasMax: 8 } }) },
    );
    const asked = on(state, "promote-now");
    expect(those(asked, "scale-deployed-model")).toMatchObject([{ replicasMin: 4 }]);
    expect(splits(asked)).toEqual([]);
    const waiting = after(state, asked);
    if (waiting === null) throw new Error("the model was forgotten");
    const visit = eventOf("model.visited", { model: churn, by: "tick" });
    const failing = segmentOf({ champion: armOf(900), challenger: armOf(100, 60) });
    const failed = decide(waiting, { event: visit, facts: { ...facts, series: failing } }, nowMs);
    expect(those(failed, "roll-back")).toHaveLength(1);
    const replicas = {
      [championInProduction]: { min: 1, max: 8, available: 4 },
      [inProduction]: { min: 4, max: 8, available: 4 },
    };
    const ready = {
      endpoints: { [production]: endpointOf(canary, undefined, { replicas }) },
      series: null,
    };
    const done = decide(waiting, { event: visit, facts: ready }, nowMs + 60_000);
    expect(those(done, "promote")).toHaveLength(1);
  });
});

const parked = stateWith(rollouts.parked, { isPaused: true });
const byHand: Facts = {
  endpoints: { [production]: endpointOf({ [championInProduction]: 40, [inProduction]: 60 }) },
};

describe("a command that makes no sense is refused with the reason", () => {
  it.each([
    ["skip", stateWith(null), facts, "no rollout is in progress"],
    ["promote-now", stateWith(null), facts, "no rollout is in progress"],
    ["skip", stateWith(rollouts.deploying), facts, "there is nothing to skip yet"],
    ["promote-now", stateWith(rollouts["smoke-testing"]), facts, "not in production yet"],
    ["skip", stateWith(rollouts["awaiting-approval"]), facts, "approve it"],
    ["promote-now", stateWith(rollouts.paused), facts, "paused by on-call: resume it first"],
    ["skip", parked, facts, "the model is paused"],
    ["skip", stateWith(rollouts.cleaning), facts, "already ended"],
    ["skip", stateWith(progressing), byHand, "set it back, or abort"],
    ["promote-now", stateWith(progressing), {}, "was not read"],
    [
      "promote-now",
      stateWith(progressing, { manifest: manifestOf({ mode: "observe-only" }) }),
      facts,
      "observe-only",
    ],
    ["resume", stateWith(progressing), facts, "nothing is paused or parked"],
    ["pause", stateWith(null, { isPaused: true }), facts, "already paused"],
    ["abort", stateWith(null), facts, "no rollout is in progress"],
    ["cancel-run", stateWith(null), facts, "no run is live"],
    ["forget", stateWith(null, { run: runs.training }), facts, "in progress"],
  ] as const)("%s (%#)", (name, state, found, reason) => {
    const decisions = on(state, name, found);
    expect(decisions).toMatchObject([{ do: "ignore" }]);
    expect(decisions[0]?.reason).toContain(reason);
  });
});

describe("observe-only, turned on during a rollout", () => {
  const watching = manifestOf({ mode: "observe-only" });
  const visit = eventOf("model.visited", { model: churn, by: "tick" });
  const failing = segmentOf({ champion: armOf(900), challenger: armOf(100, 60) });

  it.each([
    "deploying",
    "smoke-testing",
    "awaiting-approval",
    "progressing",
    "paused",
    "parked",
  ] as const)("changes no traffic while %s", (phase) => {
    const state = stateWith(rollouts[phase], { manifest: watching });
    const decisions = decide(state, { event: visit, facts: { ...facts, series: failing } }, nowMs);
    expect(splits(decisions)).toEqual([]);
  });

  it("parks the canary where it is and says so", () => {
    const state = stateWith(progressing, { manifest: watching });
    const decisions = decide(state, { event: visit, facts: { ...facts, series: failing } }, nowMs);
    expect(those(decisions, "park-rollout")[0]?.reason).toMatch(/observe-only/);
    expect(those(decisions, "notify")[0]?.body).toMatch(/Its weight stays/);
  });

  it("ends by a person's hand, and goes on when the mode is left and a person resumes it", () => {
    const state = stateWith(rollouts.parked, { manifest: watching });
    expect(splits(on(state, "roll-back"))).toHaveLength(1);
    expect(those(on(state, "resume"), "resume-rollout")).toHaveLength(0);
    expect(those(on(stateWith(rollouts.parked), "resume"), "resume-rollout")).toHaveLength(1);
  });

  it("ends a run whose job was not submitted yet", () => {
    const state = stateWith(null, { manifest: watching, run: runs.requested });
    const event = eventOf("training-run.requested", {
      model: churn,
      run: runs.requested.run,
      reason: "x",
    });
    const decisions = decide(state, { event, facts: {} }, nowMs);
    expect(those(decisions, "end-run")).toMatchObject([{ record: { outcome: "cancelled" } }]);
  });
});

describe("the command that ends a rollout by hand", () => {
  const located = { location: "projects/demo/locations/europe-west4" };

  it("gives the champion all traffic, in the project and region of its endpoint", () => {
    expect(handCommand(stateWith(progressing, located), progressing)).toBe(
      `gcloud ai endpoints update ${production} --traffic-split=${championInProduction}=100 --project=demo --region=europe-west4`,
    );
  });

  it("undeploys the first version of all, which nothing can replace", () => {
    expect(handCommand(stateOf(located), rollouts.deploying)).toBe(
      `gcloud ai endpoints undeploy-model ${production} --deployed-model-id=${inProduction} --project=demo --region=europe-west4`,
    );
  });
});

describe("a manifest that moves the environments", () => {
  const moved = (environments: readonly { readonly name: string; readonly endpoint: string }[]) =>
    eventOf("manifest.applied", {
      model: churn,
      version: 2,
      digest: "m2",
      by: "ada",
      manifest: manifestOf({ promotion: { environments: [...environments] } }),
    });
  const elsewhere = [
    [
      "another endpoint",
      [
        { name: "qa", endpoint: qa },
        { name: "production", endpoint: "new" },
      ],
    ],
    [
      "another name",
      [
        { name: "qa", endpoint: qa },
        { name: "live", endpoint: production },
      ],
    ],
    ["one environment less", [{ name: "production", endpoint: production }]],
  ] as const;

  it.each(
    elsewhere.flatMap(([what, environments]) =>
      Object.values(rollouts).map((rollout) => [what, rollout.phase, environments] as const),
    ),
  )("to %s is not adopted while a rollout is %s", (_what, phase, environments) => {
    const state = stateWith(rollouts[phase]);
    const decisions = decide(state, { event: moved(environments), facts: {} }, nowMs);
    expect(decisions).toMatchObject([{ do: "ignore" }]);
    expect(decisions[0]?.reason).toMatch(/wait for its end, or abort it/);
  });

  it.each(elsewhere)("to %s is adopted between rollouts", (_what, environments) => {
    const decisions = decide(stateWith(null), { event: moved(environments), facts: {} }, nowMs);
    expect(those(decisions, "adopt-manifest")).toHaveLength(1);
  });
});
