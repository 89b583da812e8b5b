import { describe, expect, it } from "vitest";
import type { ContinuoEvent } from "../../../events/index.js";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { EndpointFacts, Facts } from "../../../shared/domain/facts.js";
import { furtherNeeds, mayNeedFacts, needs } from "../../../shared/domain/needs.js";
import type { ModelState, RolloutState } from "../../../shared/domain/state.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  after,
  armOf,
  champion,
  championInProduction,
  championInQa,
  churn,
  cleaning,
  dataset,
  endpointOf,
  eventOf,
  inProduction,
  inQa,
  nowMs,
  production,
  progressing,
  qa,
  rollout,
  rollouts,
  segmentOf,
  stateOf,
  those,
  waiting,
  withPeople,
} from "./situations.js";

const visit = eventOf("model.visited", { model: churn, by: "tick" });

const withRollout = (current: RolloutState, changes: Partial<ModelState> = {}): ModelState =>
  stateOf({ champion, datasets: [dataset], rollout: current, ...changes });

const command = (name: string): ContinuoEvent =>
  eventOf("command.issued", { model: churn, command: name, by: "ada" }, name);

const look = (state: ModelState, facts: Facts, atMs = nowMs): readonly Decision[] =>
  decide(state, { event: visit, facts }, atMs);

const inProductionIs = (
  split: EndpointFacts["trafficSplit"],
  changes: Partial<EndpointFacts> = {},
): Facts => ({ endpoints: { [production]: endpointOf(split, undefined, changes) } });

const next = (state: ModelState, decisions: readonly Decision[]): RolloutState | null | undefined =>
  after(state, decisions)?.rollout;

const splits = (decisions: readonly Decision[]) => those(decisions, "set-traffic-split");

const healthy = { series: segmentOf({ champion: armOf(900), challenger: armOf(100) }) };
const failing = { series: segmentOf({ champion: armOf(900), challenger: armOf(100, 60) }) };
const canary = { [championInProduction]: 90, [inProduction]: 10 };
const championOnly = { [championInProduction]: 100 };

describe("a rollout", () => {
  it("waits for its deployment", () => {
    const state = withRollout({ ...rollouts.deploying, deployed: { qa: inQa } });
    const facts = { endpoints: { [production]: endpointOf(championOnly, [championInProduction]) } };
    expect(look(state, facts)).toMatchObject([{ do: "ignore" }]);
  });

  it("ends when its deployment failed, in Vertex AI's words, and touches no traffic", () => {
    const decisions = look(
      withRollout(rollouts.deploying),
      inProductionIs(championOnly, { failures: { [inProduction]: "no quota for L4" } }),
    );
    expect(next(withRollout(rollouts.deploying), decisions)).toMatchObject({ phase: "cleaning" });
    expect(decisions[0]?.reason).toMatch(/no quota for L4/);
    expect(splits(decisions)).toHaveLength(0);
  });

  it("ends when its deployment never ends", () => {
    const facts = { endpoints: { [production]: endpointOf(championOnly, [championInProduction]) } };
    const decisions = look(withRollout(rollouts.deploying), facts, nowMs + 3_600_000);
    expect(those(decisions, "roll-back")[0]?.reason).toMatch(/60 minutes/);
  });

  it("starts its canary at the first step, from the champion alone", () => {
    const decisions = look(withRollout(rollouts.deploying), inProductionIs(championOnly));
    expect(splits(decisions)).toMatchObject([{ split: canary, expected: championOnly }]);
    expect(next(withRollout(rollouts.deploying), decisions)).toMatchObject({ weight: 10, step: 0 });
  });

  it("starts no canary while another split is set", () => {
    const decisions = look(withRollout(rollouts.deploying), inProductionIs({ [inQa]: 100 }));
    expect(decisions).toMatchObject([{ do: "ignore" }]);
  });

  it("without a champion serves everything at once", () => {
    const state = stateOf({ datasets: [dataset], rollout: rollouts.deploying });
    const decisions = look(state, inProductionIs({}));
    expect(splits(decisions)).toMatchObject([{ split: { [inProduction]: 100 } }]);
    expect(after(state, decisions)?.champion).toMatchObject({ versionId: "2" });
  });

  it("that passed the smoke test of the last environment but one goes on to production", () => {
    const facts = {
      endpoints: { [qa]: endpointOf({ [inQa]: 100 }) },
      smokeTest: { requests: 50, errors: 0, latencyP95Ms: 5, firstError: null },
    };
    const decisions = look(withRollout(rollouts["smoke-testing"]), facts);
    expect(those(decisions, "deploy-model")).toMatchObject([{ environment: "production" }]);
  });

  it.each([
    ["errors", { errors: 1, latencyP95Ms: 5 }],
    ["latency", { errors: 0, latencyP95Ms: 501 }],
  ])("that failed the smoke test by its %s never reaches production", (_name, result) => {
    const facts = {
      endpoints: { [qa]: endpointOf({ [inQa]: 100 }) },
      smokeTest: { requests: 50, firstError: null, ...result },
    };
    const decisions = look(withRollout(rollouts["smoke-testing"]), facts);
    expect(those(decisions, "roll-back")).toHaveLength(1);
    expect(those(decisions, "deploy-model")).toHaveLength(0);
  });

  it("waits with the smoke test until the challenger has all traffic of QA", () => {
    const facts = {
      endpoints: { [qa]: endpointOf({ [championInQa]: 100 }) },
      smokeTest: { requests: 50, errors: 9, latencyP95Ms: 5, firstError: null },
    };
    expect(look(withRollout(rollouts["smoke-testing"]), facts)).toMatchObject([{ do: "ignore" }]);
  });

  it("rises by one step on success, from the split it believes in", () => {
    const state = withRollout(progressing);
    const decisions = look(state, { ...inProductionIs(canary), ...healthy });
    expect(splits(decisions)).toMatchObject([
      { split: { [championInProduction]: 50, [inProduction]: 50 }, expected: canary },
    ]);
    expect(next(state, decisions)).toMatchObject({ step: 1, weight: 50, lastVerdict: null });
    expect(next(state, decisions)?.history).toHaveLength(1);
  });

  it("is promoted after its last step, and the former champion retires everywhere", () => {
    const state = withRollout({ ...progressing, step: 2, weight: 100 });
    const series = segmentOf({ champion: armOf(0), challenger: armOf(1000) }, { weight: 100 });
    const decisions = look(state, { ...inProductionIs({ [inProduction]: 100 }), series });
    expect(after(state, decisions)?.champion).toMatchObject({ versionId: "2" });
    expect(next(state, decisions)).toMatchObject({
      outcome: "promoted",
      retired: [{ deployedModelId: championInQa }, { deployedModelId: championInProduction }],
    });
  });

  it("goes back to the champion in one change when its analysis fails, and keeps the numbers", () => {
    const state = withRollout(progressing);
    const decisions = look(state, { ...inProductionIs(canary), ...failing });
    expect(splits(decisions)).toMatchObject([{ split: championOnly, expected: canary }]);
    expect(next(state, decisions)?.history).toMatchObject([
      { weight: 10, verdict: { result: "failed", numbers: { errors: 60 } } },
    ]);
  });

  it("waits for its own traffic change, and parks at anybody else's", () => {
    const state = withRollout(progressing);
    expect(look(state, { ...inProductionIs(championOnly), ...healthy })).toMatchObject([
      { do: "ignore" },
    ]);
    const byHand = { [championInProduction]: 40, [inProduction]: 60 };
    const decisions = look(state, { ...inProductionIs(byHand), ...failing });
    expect(next(state, decisions)).toMatchObject({ phase: "parked", weight: 10 });
    expect(splits(decisions)).toHaveLength(0);
    expect(those(decisions, "notify")[0]?.body).toContain(
      `gcloud ai endpoints update ${production} --traffic-split=${championInProduction}=100`,
    );
  });

  it("never moves on an error, and parks when it lasts", () => {
    const state = withRollout(progressing);
    const facts = { ...inProductionIs(canary), series: null };
    expect(look(state, facts)).toMatchObject([{ do: "record-measurement" }]);
    const late = look(state, facts, nowMs + 600_000);
    expect(next(state, late)).toMatchObject({ phase: "parked", weight: 10 });
    expect(splits(late)).toHaveLength(0);
  });

  it.each(["deploying", "smoke-testing"] as const)(
    "of a paused model does not move on from %s, not even to fail",
    (phase) => {
      const state = withRollout(rollouts[phase], { isPaused: true });
      for (const errors of [0, 9]) {
        const decisions = look(state, {
          endpoints: {
            [qa]: endpointOf({ [inQa]: 100 }),
            [production]: endpointOf(championOnly),
          },
          smokeTest: { requests: 50, errors, latencyP95Ms: 5, firstError: null },
        });
        expect(decisions).toMatchObject([{ do: "ignore" }]);
        expect(decisions[0]?.reason).toMatch(/paused/);
      }
    },
  );

  it("that is paused stays at its weight until it is resumed, and bakes anew then", () => {
    const state = withRollout(progressing);
    const paused = after(state, decide(state, { event: command("pause"), facts: {} }, nowMs));
    expect(paused).toMatchObject({ isPaused: true, rollout: { phase: "paused", weight: 10 } });
    if (paused === null) return;
    expect(look(paused, { ...inProductionIs(canary), ...failing })).toMatchObject([
      { do: "ignore" },
    ]);
    const later = nowMs + 9000;
    const resumed = after(paused, decide(paused, { event: command("resume"), facts: {} }, later));
    expect(resumed?.rollout).toEqual({ ...progressing, stepStartedAtMs: later });
  });

  it("that was approved while the model is paused goes on when it is resumed", () => {
    const people = withPeople(1);
    const state = withRollout(rollouts["awaiting-approval"], { manifest: people, isPaused: true });
    const yes = eventOf("approval.given", {
      model: churn,
      rollout,
      decision: "approve",
      by: "eve",
    });
    const approved = after(state, decide(state, { event: yes, facts: {} }, nowMs));
    if (approved === null) throw new Error("the model was forgotten");
    expect(approved.rollout).toMatchObject({ phase: "awaiting-approval", approvedBy: ["eve"] });
    // It was approved in time, so its question does not expire.
    expect(look(approved, {}, nowMs + 30 * 86_400_000)).toMatchObject([
      { do: "ignore", reason: expect.stringContaining("when the model is resumed") },
    ]);
    expect(those(look({ ...approved, isPaused: false }, {}), "deploy-model")).toHaveLength(1);
  });

  it("does not start while the model is paused: the version waits", () => {
    const { versionId } = progressing;
    const asked = eventOf("model-version.aliased", {
      model: churn,
      versionId,
      aliases: ["challenger"],
      principal: "ada@example.com",
    });
    const version = {
      versionId,
      aliases: ["challenger"],
      artifactUri: "gs://b/model-2",
      artifactDigest: null,
      servingImage: "continuo/predictor",
    };
    const state = stateOf({ champion, datasets: [dataset], isPaused: true });
    const decisions = decide(
      state,
      { event: asked, facts: { versions: { [versionId]: version } } },
      nowMs,
    );
    expect(those(decisions, "queue-challenger")[0]?.reason).toMatch(/the model is paused/);
    expect(those(decisions, "start-rollout")).toHaveLength(0);
    const held = after(state, decisions);
    if (held === null) throw new Error("the model was forgotten");
    expect(those(look(held, {}), "start-rollout")).toHaveLength(0);
    expect(those(look({ ...held, isPaused: false }, {}), "start-rollout")).toHaveLength(1);
    // Nor when the rollout before has ended meanwhile.
    const gone = { endpoints: { [qa]: endpointOf({}, []), [production]: endpointOf({}, []) } };
    const ending = look(withRollout(cleaning, { waiting, isPaused: true }), gone);
    expect(those(ending, "end-rollout")).toHaveLength(1);
    expect(those(ending, "start-rollout")).toHaveLength(0);
  });

  it("that is parked goes on from its weight when it is resumed", () => {
    const state = withRollout(rollouts.parked);
    const resumed = decide(state, { event: command("resume"), facts: {} }, nowMs);
    expect(next(state, resumed)).toEqual({ ...progressing, stepStartedAtMs: nowMs });
  });

  it.each(["paused", "parked"] as const)(
    "that is %s does not go on from traffic that somebody else set",
    (phase) => {
      const state = withRollout(rollouts[phase], { isPaused: phase === "paused" });
      expect(needs(state, command("resume"), nowMs)).toEqual([
        { fact: "endpoint", endpoint: production },
      ]);
      const facts = inProductionIs({ [championInProduction]: 40, [inProduction]: 60 });
      const decisions = decide(state, { event: command("resume"), facts }, nowMs);
      expect(those(decisions, "resume-rollout")).toHaveLength(0);
      expect(decisions[0]?.reason).toMatch(/is \{.*, not .*; set it back, or abort the rollout/);
      expect(after(state, decisions)?.isPaused).toBe(false);
      const mended = inProductionIs(canary);
      const again = decide(state, { event: command("resume"), facts: mended }, nowMs);
      expect(those(again, "resume-rollout")).toHaveLength(1);
    },
  );

  it("whose step was skipped waits for its traffic change like any other", () => {
    const state = withRollout(progressing);
    const facts = inProductionIs(canary);
    const skipped = after(state, decide(state, { event: command("skip"), facts }, nowMs));
    if (skipped === null) throw new Error("the model was forgotten");
    expect(skipped.rollout).toMatchObject({ weight: 50 });
    expect(look(skipped, facts)).toMatchObject([
      { do: "ignore", reason: expect.stringContaining("still to be performed") },
    ]);
    const impatient = decide(skipped, { event: command("promote-now"), facts }, nowMs);
    expect(impatient).toMatchObject([
      { do: "ignore", reason: expect.stringContaining("try again in a moment") },
    ]);
  });

  it("whose requests are not shared out as its weight says looks at its endpoint at once", () => {
    const state = withRollout(progressing);
    const series = segmentOf({ champion: armOf(300), challenger: armOf(700) });
    expect(furtherNeeds(state, visit, { series }, nowMs)).toEqual([
      { fact: "endpoint", endpoint: production },
    ]);
    const moved = inProductionIs({ [championInProduction]: 30, [inProduction]: 70 });
    expect(those(look(state, { series, ...moved }), "park-rollout")).toHaveLength(1);
    // The split is what was set: then it is the counts that are odd, and that is an error of the measurement.
    const asSet = look(state, { series, ...inProductionIs(canary) });
    expect(asSet).toMatchObject([{ do: "record-measurement" }]);
  });

  it("that is aborted goes back from whatever split there is: a person asked for it", () => {
    const byHand = { [championInProduction]: 40, [inProduction]: 60 };
    for (const phase of ["progressing", "paused", "parked"] as const) {
      const state = withRollout(rollouts[phase]);
      for (const name of ["abort", "roll-back"]) {
        expect(mayNeedFacts(command(name))).toBe(true);
        expect(needs(state, command(name), nowMs)).toEqual([
          { fact: "endpoint", endpoint: production },
        ]);
        const facts = inProductionIs(byHand);
        const decisions = decide(state, { event: command(name), facts }, nowMs);
        expect(splits(decisions)).toMatchObject([{ split: championOnly, expected: byHand }]);
      }
    }
  });

  it.each(["deploying", "smoke-testing", "awaiting-approval"] as const)(
    "that is aborted while %s moves no traffic of production",
    (phase) => {
      const state = withRollout(rollouts[phase]);
      const decisions = decide(state, { event: command("abort"), facts: {} }, nowMs);
      expect(next(state, decisions)).toMatchObject({ phase: "cleaning", outcome: "aborted" });
      expect(splits(decisions)).toHaveLength(0);
    },
  );

  it("that has ended is not aborted again", () => {
    const decisions = decide(withRollout(cleaning), { event: command("abort"), facts: {} }, nowMs);
    expect(decisions).toMatchObject([{ do: "ignore" }]);
  });

  describe("while it is cleaned up", () => {
    const qaIs = (facts: EndpointFacts): Facts => ({
      endpoints: { [qa]: facts, [production]: endpointOf(championOnly, [championInProduction]) },
    });

    it("takes the traffic away before it undeploys", () => {
      const decisions = look(withRollout(cleaning), qaIs(endpointOf({ [inQa]: 100 })));
      expect(splits(decisions)).toMatchObject([{ split: { [championInQa]: 100 } }]);
      expect(those(decisions, "undeploy-model")).toHaveLength(0);
    });

    it("undeploys what has no traffic, once", () => {
      const state = withRollout(cleaning);
      const facts = qaIs(endpointOf({ [championInQa]: 100 }));
      const decisions = look(state, facts);
      expect(those(decisions, "undeploy-model")).toMatchObject([{ deployedModelId: inQa }]);
      const after1 = after(state, decisions);
      if (after1 === null) throw new Error("the model was forgotten");
      expect(look(after1, facts)).toMatchObject([{ do: "ignore" }]);
    });

    it("asks again for an undeployment that was refused or failed", () => {
      const state = withRollout({ ...cleaning, requested: [inQa] });
      const facts = qaIs(endpointOf({ [championInQa]: 100 }));
      const decisions = look(state, facts, nowMs + 600_000);
      expect(those(decisions, "undeploy-model")).toMatchObject([{ deployedModelId: inQa }]);
      const again = after(state, decisions, nowMs + 600_000);
      if (again === null) throw new Error("the model was forgotten");
      expect(look(again, facts, nowMs + 601_000)).toMatchObject([{ do: "ignore" }]);
    });

    it("asks nothing while an operation runs", () => {
      const state = withRollout({ ...cleaning, requested: [inQa] });
      const facts = qaIs(endpointOf({ [championInQa]: 100 }, undefined, { operation: "o/1" }));
      expect(look(state, facts, nowMs + 600_000)).toMatchObject([{ do: "ignore" }]);
    });

    it("ends when nothing is left, and lets the one that waits start", () => {
      const gone = {
        endpoints: {
          [qa]: endpointOf({ [championInQa]: 100 }, [championInQa]),
          [production]: endpointOf(championOnly, [championInProduction]),
        },
      };
      const decisions = look(withRollout(cleaning, { waiting }), gone);
      expect(those(decisions, "end-rollout")).toMatchObject([{ record: { rollout } }]);
      expect(those(decisions, "start-rollout")).toMatchObject([{ to: { versionId: "3" } }]);
      const watching = { waiting, manifest: manifestOf({ mode: "observe-only" }) };
      const observed = look(withRollout(cleaning, watching), gone);
      expect(those(observed, "end-rollout")).toHaveLength(1);
      expect(those(observed, "start-rollout")).toEqual([]);
      const deleted = { endpoints: { [qa]: null, [production]: null } };
      expect(those(look(withRollout(cleaning), deleted), "end-rollout")).toHaveLength(1);
    });
  });

  describe("when the cloud refuses", () => {
    const refused = (current: RolloutState, what: string): readonly Decision[] =>
      decide(
        withRollout(current),
        {
          event: eventOf("effect.rejected", {
            model: churn,
            decision: what,
            about: rollout,
            message: "no",
          }),
          facts: {},
        },
        nowMs,
      );

    it("its deployment, it is rolled back", () => {
      expect(those(refused(rollouts.deploying, "deploy-model"), "roll-back")).toHaveLength(1);
    });

    it("a step's traffic change, it is parked: somebody else changed the traffic", () => {
      const decisions = refused(progressing, "set-traffic-split");
      expect(those(decisions, "park-rollout")).toHaveLength(1);
      expect(splits(decisions)).toHaveLength(0);
    });

    it.each(["paused", "parked"] as const)(
      "a traffic change while it is %s, it stays so",
      (phase) => {
        const decisions = refused(rollouts[phase], "set-traffic-split");
        expect(decisions.map((decision) => decision.do)).toEqual(["notify"]);
      },
    );

    it("anything once it has ended, a person is told", () => {
      const decisions = refused(cleaning, "set-traffic-split");
      expect(decisions.map((decision) => decision.do)).toEqual(["notify"]);
    });
  });

  it("a late entry about a former champion's alias is no change by hand", () => {
    const event = eventOf("model-version.aliased", {
      model: churn,
      versionId: "7",
      principal: "continuo",
      aliases: ["champion", "default"],
    });
    const version = {
      versionId: waiting.versionId,
      artifactUri: "gs://b/7",
      artifactDigest: null,
      servingImage: "x",
    };
    const told = (aliases: readonly string[]): readonly string[] =>
      decide(
        stateOf({ champion }),
        { event, facts: { versions: { "7": { ...version, aliases } } } },
        nowMs,
      ).map((decision) => decision.do);
    expect(told([])).toEqual(["ignore"]);
    expect(told(["champion"])).toEqual(["notify"]);
  });

  it("a late entry about an alias from before its version's rollout ended asks for no other", () => {
    const aliased = (time: string) =>
      decide(
        stateOf({ champion, ended: { versionId: waiting.versionId, atMs: nowMs } }),
        {
          event: {
            ...eventOf("model-version.aliased", {
              model: churn,
              versionId: waiting.versionId,
              principal: "continuo",
              aliases: ["challenger"],
            }),
            time,
          },
          facts: {
            versions: {
              [waiting.versionId]: {
                versionId: waiting.versionId,
                artifactUri: "gs://b/3",
                artifactDigest: null,
                servingImage: "x",
                aliases: ["challenger"],
              },
            },
          },
        },
        nowMs + 60_000,
      ).map((decision) => decision.do);
    expect(aliased(new Date(nowMs - 1).toISOString())).toEqual(["ignore"]);
    expect(aliased(new Date(nowMs + 1).toISOString())).toContain("start-rollout");
  });

  it("between rollouts, traffic changed by hand is told once and left as it is", () => {
    const reconcile = eventOf("model.visited", { model: churn, by: "reconcile" });
    const state = stateOf({ champion });
    const facts = inProductionIs({ [championInProduction]: 50, [inProduction]: 50 });
    const decisions = decide(state, { event: reconcile, facts }, nowMs);
    expect(decisions.map((decision) => decision.do)).toEqual(["remember", "notify"]);
    const told = after(state, decisions);
    if (told === null) throw new Error("the model was forgotten");
    expect(decide(told, { event: reconcile, facts }, nowMs)).toMatchObject([{ do: "ignore" }]);
    expect(
      decide(state, { event: reconcile, facts: inProductionIs(championOnly) }, nowMs),
    ).toMatchObject([{ do: "ignore" }]);
  });

  it("with a single environment needs no QA", () => {
    const manifest = manifestOf({
      promotion: { environments: [{ name: "production", endpoint: production }] },
    });
    const state = stateOf({
      manifest,
      champion,
      rollout: { ...rollouts.deploying, environment: 0, deployed: { production: inProduction } },
    });
    expect(next(state, look(state, inProductionIs(championOnly)))).toMatchObject({ weight: 10 });
  });
});
