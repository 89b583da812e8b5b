/** `roll-back` once a rollout is over: back to the champion before. */
import { describe, expect, it } from "vitest";
import { deployedModelId, modelVersionId, runId } from "../../../events/ids.js";
import { decide } from "../../../shared/domain/decide.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { EndpointFacts, Facts } from "../../../shared/domain/facts.js";
import { needs } from "../../../shared/domain/needs.js";
import type { Champion, ModelState, RolloutState } from "../../../shared/domain/state.js";
import { manifestOf } from "../../fixtures/manifest.js";
import {
  after,
  champion,
  championInProduction,
  churn,
  cleaning,
  dataset,
  endpointOf,
  eventOf,
  inProduction,
  nowMs,
  production,
  progressing,
  stateOf,
  those,
} from "./situations.js";

const formerInProduction = deployedModelId.parse("3333333333");
const former: Champion = {
  ...champion,
  versionId: modelVersionId.parse("0"),
  run: runId.parse("churn-r0000000002"),
  artifactDigest: "sha256:0",
  deployed: { production: formerInProduction },
};

const rollBack = eventOf("command.issued", {
  model: churn,
  command: "roll-back",
  by: "ada",
  reason: "incident 42",
});
const visit = eventOf("model.visited", { model: churn, by: "tick" });

const stateWith = (changes: Partial<ModelState> = {}): ModelState =>
  stateOf({ champion, former: [former], datasets: [dataset], ...changes });

const found = (endpoint: EndpointFacts): Facts => ({ endpoints: { [production]: endpoint } });

const served = found(endpointOf({ [championInProduction]: 100 }, [championInProduction]));

const on = (state: ModelState, facts: Facts = served): readonly Decision[] =>
  decide(state, { event: rollBack, facts }, nowMs);

const look = (state: ModelState, facts: Facts, seconds = 60): readonly Decision[] =>
  decide(state, { event: visit, facts }, nowMs + seconds * 1000);

const next = (state: ModelState, decisions: readonly Decision[]): ModelState => {
  const evolved = after(state, decisions, nowMs);
  if (evolved === null) throw new Error("the model was forgotten");
  return evolved;
};

/** The former champion's new deployment. */
const deployedAgain = (state: ModelState) => {
  const id = state.rollout?.deployed["production"];
  if (id === undefined) throw new Error("nothing is being deployed");
  return id;
};

describe("roll-back without a rollout", () => {
  it("deploys the champion before, gives it everything in one change, and makes it champion", () => {
    const asked = on(stateWith());
    expect(those(asked, "deploy-model")).toMatchObject([
      { environment: "production", versionId: "0" },
    ]);
    expect(those(asked, "set-traffic-split")).toEqual([]);
    const deploying = next(stateWith(), asked);
    const id = deployedAgain(deploying);
    const both = endpointOf({ [championInProduction]: 100 }, [championInProduction, id]);
    const given = look(deploying, found(both));
    expect(those(given, "set-traffic-split")).toMatchObject([
      { split: { [id]: 100 }, expected: { [championInProduction]: 100 } },
    ]);
    const returned = next(deploying, given);
    expect(needs(returned, visit, nowMs)).toEqual([{ fact: "endpoint", endpoint: production }]);
    const promoted = look(returned, found({ ...both, trafficSplit: { [id]: 100 } }), 120);
    expect(those(promoted, "set-traffic-split")).toEqual([]);
    const over = next(returned, promoted);
    expect(over.champion).toMatchObject({
      versionId: "0",
      run: former.run,
      deployed: { production: id },
    });
    expect(over.former).toEqual([]);
    expect(over.rollout).toMatchObject({
      phase: "cleaning",
      retired: [{ environment: "qa" }, { deployedModelId: championInProduction }],
    });
  });

  it("goes on from there, one champion further back each time", () => {
    const older = { ...former, versionId: modelVersionId.parse("00") };
    const state = stateWith({ former: [older, former] });
    const back = next(state, [
      { do: "promote", champion: { ...former, sinceMs: nowMs }, reason: "returned" },
    ]);
    expect(those(on(back), "deploy-model")).toMatchObject([{ versionId: "00" }]);
  });

  it("waits until its replicas can take what the champion's take", () => {
    const deploying = next(stateWith(), on(stateWith()));
    const id = deployedAgain(deploying);
    const busy = endpointOf({ [championInProduction]: 100 }, [championInProduction, id], {
      replicas: {
        [championInProduction]: { min: 1, max: 8, available: 4 },
        [id]: { min: 1, max: 8, available: 1 },
      },
    });
    const decisions = look(deploying, found(busy));
    expect(those(decisions, "scale-deployed-model")).toMatchObject([{ replicasMin: 4 }]);
    expect(those(decisions, "set-traffic-split")).toEqual([]);
  });

  it.each([
    [
      "a freeze window",
      {
        manifest: manifestOf({
          freezeWindows: [{ name: "mondays", from: "mon 09:00", to: "mon 15:00" }],
        }),
      },
    ],
    ["a paused model", { isPaused: true }],
  ] as const)("is not held by %s", (_name, changes) => {
    const deploying = next(stateWith(changes), on(stateWith(changes)));
    const id = deployedAgain(deploying);
    const both = endpointOf({ [championInProduction]: 100 }, [championInProduction, id]);
    expect(those(look(deploying, found(both)), "set-traffic-split")).toHaveLength(1);
  });

  it("leaves the champion where it is when the version before cannot be deployed", () => {
    const deploying = next(stateWith(), on(stateWith()));
    const failed = endpointOf({ [championInProduction]: 100 }, [championInProduction], {
      failures: { [deployedAgain(deploying)]: "no quota" },
    });
    const over = next(deploying, look(deploying, found(failed)));
    expect(over.champion).toEqual(champion);
    expect(over.former).toEqual([former]);
    expect(over.rollout).toMatchObject({ phase: "cleaning", outcome: "rolled-back" });
  });

  it("asked for twice returns once", () => {
    const deploying = next(stateWith(), on(stateWith()));
    expect(on(deploying)).toMatchObject([{ do: "ignore" }]);
    expect(on(deploying)[0]?.reason).toMatch(/already being returned to/);
  });

  it("parks when the traffic is not what was set, and touches it no more", () => {
    const deploying = next(stateWith(), on(stateWith()));
    const id = deployedAgain(deploying);
    const both = endpointOf({ [championInProduction]: 100 }, [championInProduction, id]);
    const returned = next(deploying, look(deploying, found(both)));
    const moved = found({ ...both, trafficSplit: { [championInProduction]: 70, [id]: 30 } });
    const decisions = look(returned, moved, 120);
    expect(those(decisions, "park-rollout")).toHaveLength(1);
    expect(those(decisions, "set-traffic-split")).toEqual([]);
  });
});

describe("roll-back while a promotion is cleaned up", () => {
  const promoted = (changes: Partial<RolloutState> = {}): ModelState =>
    stateWith({
      champion: { ...champion, deployed: { production: inProduction } },
      rollout: { ...cleaning, outcome: "promoted", retired: [], ...changes } as RolloutState,
    });
  const still = endpointOf({ [inProduction]: 100 }, [formerInProduction, inProduction]);

  it("uses the champion before where it is still deployed: nothing but the traffic changes", () => {
    const asked = on(promoted(), found(still));
    expect(those(asked, "end-rollout")).toMatchObject([{ record: { outcome: "promoted" } }]);
    expect(those(asked, "deploy-model")).toEqual([]);
    const deploying = next(promoted(), asked);
    expect(those(look(deploying, found(still)), "set-traffic-split")).toMatchObject([
      { split: { [formerInProduction]: 100 }, expected: { [inProduction]: 100 } },
    ]);
  });

  it("takes alias challenger from the version whose promotion is taken back", () => {
    expect(those(on(promoted(), found(still)), "set-aliases")).toMatchObject([
      { versionId: cleaning.versionId, aliases: ["-challenger", "-in-rollout"] },
      { versionId: former.versionId, aliases: ["challenger", "in-rollout"] },
    ]);
  });

  it("deploys it after all when it has gone meanwhile", () => {
    const deploying = next(promoted(), on(promoted(), found(still)));
    const gone = found(endpointOf({ [inProduction]: 100 }, [inProduction]));
    const decisions = look(deploying, gone);
    expect(those(decisions, "deploy-model")).toMatchObject([{ versionId: "0" }]);
    expect(deployedAgain(next(deploying, decisions))).not.toBe(formerInProduction);
  });

  it.each([
    ["it was asked to go", { requested: [formerInProduction] }, {}],
    ["something is changing the endpoint", {}, { operation: "operations/1" }],
  ] as const)("waits for the end of the cleaning when %s", (_name, rollout, endpoint) => {
    const asked = on(promoted(rollout), found({ ...still, ...endpoint }));
    expect(those(asked, "queue-challenger")).toMatchObject([
      { waiting: { versionId: "0", isReturn: true } },
    ]);
    const waiting = next(promoted(rollout), asked);
    expect(on(waiting)[0]?.reason).toMatch(/comes back next/);
    const clean = found(endpointOf({ [inProduction]: 100 }, [inProduction]));
    expect(those(look(waiting, clean), "deploy-model")).toMatchObject([{ versionId: "0" }]);
  });

  it("lets no newer challenger take its place", () => {
    const waiting = next(
      promoted(),
      on(promoted(), found({ ...still, operation: "operations/1" })),
    );
    const offered = decide(
      waiting,
      {
        event: eventOf("model-version.aliased", {
          model: churn,
          versionId: "9",
          principal: "eve",
          aliases: ["challenger"],
        }),
        facts: {
          versions: {
            "9": {
              versionId: modelVersionId.parse("9"),
              aliases: ["challenger"],
              artifactUri: "gs://b/9",
              artifactDigest: null,
              servingImage: "continuo/predictor",
            },
          },
        },
      },
      nowMs,
    );
    expect(offered).toMatchObject([{ do: "ignore" }]);
    expect(offered[0]?.reason).toMatch(/comes first/);
  });
});

describe("roll-back that cannot be done", () => {
  it.each([
    ["no champion came before", stateWith({ former: [] }), /gcloud ai endpoints deploy-model/],
    ["nothing serves", stateWith({ champion: null, former: [] }), /no earlier champion/],
    [
      "the model is only observed",
      stateWith({ manifest: manifestOf({ mode: "observe-only" }) }),
      /would have returned to version 0.*gcloud/,
    ],
    ["the rollout has already lost", stateWith({ rollout: cleaning }), /already ended/],
  ] as const)("because %s says so, and how it is done by hand", (_name, state, reason) => {
    expect(on(state)).toMatchObject([{ do: "ignore" }]);
    expect(on(state)[0]?.reason).toMatch(reason);
  });

  it("ends a rollout that still moves, and returns no further", () => {
    const state = stateWith({ rollout: progressing });
    const canary = found(endpointOf({ [championInProduction]: 90, [inProduction]: 10 }));
    const decisions = on(state, canary);
    expect(those(decisions, "roll-back")).toHaveLength(1);
    expect(those(decisions, "start-rollout")).toEqual([]);
  });
});

describe("the champions that came before", () => {
  it("are kept, the newest few", () => {
    let state: ModelState = stateWith({ former: [] });
    for (let version = 10; version < 20; version += 1) {
      const promoted = { ...champion, versionId: modelVersionId.parse(String(version)) };
      state = next(state, [{ do: "promote", champion: promoted, reason: "better" }]);
    }
    expect(state.former?.map(({ versionId }) => versionId)).toEqual(["14", "15", "16", "17", "18"]);
  });
});
