/** Each invariant can fail: the world that a seed left behind is changed in one place, and the invariant says so. */
import { beforeAll, describe, expect, it } from "vitest";
import { deployedModelId, type DeployedModelId } from "../../events/ids.js";
import type { Decision } from "../../shared/domain/decision.js";
import type { ModelState } from "../../shared/domain/state.js";
import type { Ports } from "../../shared/ports/ports.js";
import { memoryLeases } from "../fixtures/memory-leases.js";
import type { Endpoint } from "./cloud/endpoints.js";
import type { Job } from "./cloud/pipeline-jobs.js";
import { watchFencedWrites } from "./fenced-writes.js";
import { invariants } from "./invariants/all.js";
import * as rest from "./invariants/at-rest.js";
import * as change from "./invariants/endpoint-changes.js";
import * as minute from "./invariants/minutes.js";
import * as transition from "./invariants/transitions.js";
import { quietly } from "./quietly.js";
import { runSeed } from "./run-seed.js";
import type { Finding, SeenChange, SeenTransition, World } from "./world.js";

const seeds = 12;
const worlds: World[] = [];

beforeAll(async () => {
  await quietly(async () => {
    for (let seed = 1; seed <= seeds; seed += 1) worlds.push((await runSeed({ seed })).world);
  });
}, 300_000);

const decisionsOf = ({ commit }: SeenTransition): readonly Decision[] =>
  commit.entry.decisions.map(({ decision }) => decision);

const decides = (seen: SeenTransition, wanted: Decision["do"]): boolean =>
  decisionsOf(seen).some((decision) => decision.do === wanted);

/** The first that has what an invariant is about. */
const find = <Found>(what: string, search: (world: World) => Found | undefined): Found => {
  for (const world of worlds) {
    const found = search(world);
    if (found !== undefined) return found;
  }
  throw new Error(`no seed has ${what}`);
};

interface Place {
  readonly seen: SeenTransition;
  readonly world: World;
}

const transitionThat = (what: string, test: (seen: SeenTransition, world: World) => boolean) =>
  find(what, (world): Place | undefined => {
    const seen = world.transitions.find((one) => test(one, world));
    return seen === undefined ? undefined : { seen, world };
  });

const deciding = (wanted: Decision["do"]): Place =>
  transitionThat(wanted, (seen) => seen.before !== null && decides(seen, wanted));

const withDecisions = (seen: SeenTransition, decisions: readonly Decision[]): SeenTransition => ({
  ...seen,
  commit: {
    ...seen.commit,
    entry: {
      ...seen.commit.entry,
      decisions: decisions.map((decision) => ({ decision, isDone: true })),
    },
  },
});

const changed = (state: ModelState | null, changes: Partial<ModelState>): ModelState => {
  if (state === null) throw new Error("there is no state to change");
  return { ...state, ...changes };
};

/** The same transition a moment later, in a world that has seen it already. */
const twice = ({ seen, world }: Place): Place => ({
  seen: { ...seen, atMs: seen.atMs + 1 },
  world: { ...world, transitions: [seen], forgottenSince: () => false },
});

const championWorld = (): { readonly world: World; readonly state: ModelState } =>
  find("a champion at rest", (world) => {
    const state = [...world.store.models.values()].find(
      ({ champion, rollout, manifest }) =>
        champion !== null &&
        rollout === null &&
        !world.registry.byHand.length &&
        manifest.promotion.environments.every(
          ({ name, endpoint }) =>
            champion.deployed[name] !== undefined && !world.endpoints.handAtMs.has(endpoint),
        ),
    );
    return state === undefined ? undefined : { world, state };
  });

const productionOf = (state: ModelState): { readonly name: string; readonly endpoint: string } => {
  const production = state.manifest.promotion.environments.at(-1);
  if (production === undefined) throw new Error("a model has a production");
  return production;
};

const nobody: DeployedModelId = deployedModelId.parse("9999999999");

/** A change of the champion's endpoint that we made, and its world. */
const changeOf = (
  changes: (champion: DeployedModelId) => Partial<SeenChange>,
): readonly [SeenChange, World] => {
  const { world, state } = championWorld();
  const { name, endpoint } = productionOf(state);
  const champion = state.champion?.deployed[name];
  if (champion === undefined) throw new Error("the champion is deployed");
  const whole: SeenChange = {
    endpoint,
    atMs: world.scheduler.nowMs() + 86_400_000,
    issuedAtMs: world.scheduler.nowMs() + 86_400_000,
    what: "split",
    by: "us",
    before: { [champion]: 100 },
    after: { [champion]: 100 },
    deployed: [champion, nobody],
  };
  return [{ ...whole, ...changes(champion) }, world];
};

const withStore = (world: World, changes: Partial<World["store"]>): World => ({
  ...world,
  store: { ...world.store, ...changes },
});

const withEndpoint = (world: World, name: string, changes: Partial<Endpoint>): World => {
  const found = world.endpoints.endpoints.get(name);
  if (found === undefined) throw new Error(`no endpoint ${name}`);
  const endpoints = new Map(world.endpoints.endpoints).set(name, { ...found, ...changes });
  return { ...world, endpoints: { ...world.endpoints, endpoints, handAtMs: new Map() } };
};

const jobWorld = (): { readonly world: World; readonly job: Job } =>
  find("a job", (world) => {
    const [job] = world.jobs.jobs.values();
    return job === undefined ? undefined : { world, job };
  });

/** The world with copies of a job that still run. */
const withRunning = (copies: number): World => {
  const { world, job } = jobWorld();
  const running = { ...job, facts: { ...job.facts, state: "running" as const } };
  const jobs = new Map(
    Array.from({ length: copies }, (_, copy) => [
      copy === 0 ? job.run : (`${job.run}-${copy}` as Job["run"]),
      running,
    ]),
  );
  return { ...world, jobs: { ...world.jobs, jobs } };
};

const entryWorld = () =>
  find("a journal entry", (world) => {
    const entry = [...world.store.journal.values()].find(({ model }) => model !== null);
    return entry === undefined ? undefined : { world, entry };
  });

type Broken = () => Finding;

const brokenTransitions: Readonly<Record<keyof typeof transition, Broken>> = {
  everyDecisionHasAReason: () => {
    const { seen } = deciding("end-run");
    const mute = decisionsOf(seen).map((decision) => ({ ...decision, reason: " " }));
    return transition.everyDecisionHasAReason(withDecisions(seen, mute));
  },
  oneEntryPerEvent: () => {
    const { seen, world } = twice(deciding("end-run"));
    const entry = { ...seen.commit.entry, key: "another" };
    return transition.oneEntryPerEvent({ ...seen, commit: { ...seen.commit, entry } }, world);
  },
  oneAuditRecordPerTransition: () => {
    const { seen } = deciding("end-run");
    const mute = decisionsOf(seen).map((decision) => ({ ...decision, reason: "another" }));
    return transition.oneAuditRecordPerTransition(withDecisions(seen, mute));
  },
  onlyAllowedPhaseChanges: () => {
    const { seen } = deciding("submit-pipeline-job");
    return transition.onlyAllowedPhaseChanges({ ...seen, before: seen.after, after: seen.before });
  },
  terminalPhasesNeverChange: () => {
    const { seen, world } = twice(
      transitionThat("the end of a run", ({ commit }) => commit.runs.length > 0),
    );
    return transition.terminalPhasesNeverChange(seen, world);
  },
  championWasEvaluated: () => {
    const place = transitionThat("the promotion of a run's version", (seen) =>
      decisionsOf(seen).some(({ do: what, ...rest_ }) =>
        what === "promote" && "champion" in rest_ ? rest_.champion.run !== null : false,
      ),
    );
    const { seen, world } = place;
    const decisions = decisionsOf(seen).map((decision) =>
      decision.do === "promote"
        ? { ...decision, champion: { ...decision.champion, artifactDigest: "sha256:another" } }
        : decision,
    );
    return transition.championWasEvaluated(withDecisions(seen, decisions), world);
  },
  atMostOneChampion: () => {
    const { seen } = deciding("promote");
    const all = decisionsOf(seen);
    return transition.atMostOneChampion(withDecisions(seen, [...all, ...all]));
  },
  weightsOnlyRise: () => {
    const { seen } = transitionThat("a rising weight", ({ before, after }) => {
      const [was, is] = [before?.rollout, after?.rollout];
      const isSame = was?.rollout === is?.rollout;
      return isSame && was?.phase === "progressing" && is?.phase === "progressing"
        ? was.weight < is.weight
        : false;
    });
    return transition.weightsOnlyRise({ ...seen, before: seen.after, after: seen.before });
  },
  runsEndAsTheirJobsDid: () => {
    const { seen, world } = deciding("end-run");
    const { job } = jobWorld();
    const running = { ...job, facts: { ...job.facts, state: "running" as const } };
    return transition.runsEndAsTheirJobsDid(seen, {
      ...world,
      jobs: { ...world.jobs, jobsOf: () => [running] },
    });
  },
  cooldownHolds: () => {
    const { seen, world } = transitionThat("a run for an alert", (one) =>
      decisionsOf(one).some(
        (decision) => decision.do === "request-training-run" && decision.to.kind === "drift",
      ),
    );
    const patient = (state: ModelState | null): ModelState => {
      const { manifest } = changed(state, {});
      const triggers = { ...manifest.triggers, cooldownSeconds: 7200 };
      return changed(state, { manifest: { ...manifest, triggers } });
    };
    const slow = { ...seen, before: patient(seen.before), after: patient(seen.after) };
    const again = twice({ seen: slow, world });
    return transition.cooldownHolds(again.seen, again.world);
  },
  budgetHolds: () => {
    const { seen, world } = deciding("request-training-run");
    return transition.budgetHolds(seen, { ...world, spentUsd: () => 1e9 });
  },
  sameContentActsOnce: () => {
    const { seen, world } = twice(deciding("remember"));
    return transition.sameContentActsOnce(seen, world);
  },
  heldModelStartsNothing: () => {
    const { seen } = deciding("request-training-run");
    const before = changed(seen.before, { isPaused: true });
    return transition.heldModelStartsNothing({ ...seen, before });
  },
  approvalsCount: () => {
    const { seen, world } = transitionThat(
      "an approved rollout",
      ({ before, after }) =>
        before?.rollout?.phase === "awaiting-approval" && after?.rollout?.phase === "deploying",
    );
    const { manifest } = changed(seen.before, {});
    const environments = manifest.promotion.environments.map((environment) => ({
      ...environment,
      approval: {
        by: "people" as const,
        quorum: 5,
        expiresSeconds: 1800,
        ownChange: "allow" as const,
      },
    }));
    const promotion = { ...manifest.promotion, environments };
    const before = changed(seen.before, { manifest: { ...manifest, promotion } });
    return transition.approvalsCount({ ...seen, before }, world);
  },
  stateSurvivesStorage: () => {
    const { seen } = deciding("end-run");
    const after = changed(seen.after, { fruitlessRuns: Number.NaN });
    return transition.stateSurvivesStorage({ ...seen, after });
  },
};

const brokenChanges: Readonly<Record<keyof typeof change, Broken>> = {
  trafficIsWhole: () => change.trafficIsWhole(changeOf((id) => ({ after: { [id]: 99 } }))[0]),
  trafficIsNeverOverwrittenBlindly: () =>
    change.trafficIsNeverOverwrittenBlindly(
      ...changeOf((id) => ({ before: { [nobody]: 37, [id]: 63 } })),
    ),
  oneRolloutPerEndpoint: () =>
    change.oneRolloutPerEndpoint(
      ...changeOf(() => ({ after: { [nobody]: 50, [deployedModelId.parse("8888888888")]: 50 } })),
    ),
  weightsRiseOnlyForWhoMayServe: () =>
    change.weightsRiseOnlyForWhoMayServe(...changeOf(() => ({ after: { [nobody]: 100 } }))),
  whoServesStaysDeployed: () =>
    change.whoServesStaysDeployed(...changeOf((id) => ({ what: "undeployed", about: id }))),
  noUndeployUnderTraffic: () =>
    change.noUndeployUnderTraffic(...changeOf((id) => ({ what: "undeploy asked", about: id }))),
};

const brokenMinutes: Readonly<Record<keyof typeof minute, Broken>> = {
  failedChallengersLoseTheirTraffic: () => {
    const { seen, world } = transitionThat("a roll-back from production", (one) =>
      decisionsOf(one).some(
        (decision) =>
          decision.do === "roll-back" &&
          decision.to.phase === "cleaning" &&
          decision.to.retired.some(({ environment }) => environment === "production"),
      ),
    );
    const rollBack = decisionsOf(seen).find((decision) => decision.do === "roll-back");
    const retired = rollBack?.to.phase === "cleaning" ? rollBack.to.retired : [];
    const lost = retired.find(({ environment }) => environment === "production");
    if (lost === undefined) throw new Error("something is retired");
    const { endpoint, deployedModelId: id } = lost;
    return minute.failedChallengersLoseTheirTraffic(
      withEndpoint(world, endpoint, { split: { [id]: 10, [nobody]: 90 } }),
    );
  },
  everyDeployedVersionIsInTheRegistry: () => {
    const { world } = championWorld();
    const registry = { ...world.registry, versions: () => [], version: () => undefined };
    return minute.everyDeployedVersionIsInTheRegistry({ ...world, registry });
  },
};

const brokenRests: Readonly<Record<keyof typeof rest, Broken>> = {
  outboxIsDrained: () => {
    const { world, entry } = entryWorld();
    return rest.outboxIsDrained(withStore(world, { pending: new Set([entry.key]) }));
  },
  everythingEndsOrWaitsForAPerson: () => {
    const { seen, world } = deciding("request-training-run");
    const models = new Map([[seen.model, changed(seen.after, {})]]);
    return rest.everythingEndsOrWaitsForAPerson(withStore(world, { models }));
  },
  everyEventIsDecided: () => {
    const { world, entry } = entryWorld();
    const sent = [...world.sent, { ...entry.event, id: "lost on the way" }];
    return rest.everyEventIsDecided({ ...world, sent });
  },
  invalidInputChangesNothing: () => {
    const { world, entry } = entryWorld();
    return rest.invalidInputChangesNothing({ ...world, poison: [entry.event.id] });
  },
  unauthorisedInputChangesNothing: () => {
    const { world, entry } = entryWorld();
    const forged = [{ id: entry.event.id, status: 204 }];
    return rest.unauthorisedInputChangesNothing({ ...world, forged });
  },
  oneLiveJobPerRun: () => rest.oneLiveJobPerRun(withRunning(2)),
  noOrphanJobs: () => rest.noOrphanJobs(withRunning(1)),
  noOrphanDeployedModels: () => {
    const { world, state } = championWorld();
    const { endpoint } = productionOf(state);
    const known = world.endpoints.endpoints.get(endpoint)?.deployed ?? [];
    const orphans = known.map((one) => ({ ...one, id: nobody }));
    return rest.noOrphanDeployedModels(
      withEndpoint(world, endpoint, { deployed: [...known, ...orphans] }),
    );
  },
  championServesEverything: () => {
    const { world, state } = championWorld();
    return rest.championServesEverything(
      withEndpoint(world, productionOf(state).endpoint, { split: {} }),
    );
  },
  aliasesShowWhoServes: () => {
    const { world } = championWorld();
    return rest.aliasesShowWhoServes({
      ...world,
      registry: { ...world.registry, versions: () => [] },
    });
  },
  oneVersionPerRun: () => {
    const { world } = championWorld();
    const versions: World["registry"]["versions"] = (model) => {
      const all = world.registry.versions(model);
      return [...all, ...all];
    };
    return rest.oneVersionPerRun({ ...world, registry: { ...world.registry, versions } });
  },
  schedulesFollowTheManifest: () => {
    const { world } = championWorld();
    return rest.schedulesFollowTheManifest({ ...world, schedules: new Map() });
  },
  consumersSeeEachEffectOnce: () => {
    const { world } = deciding("notify");
    return rest.consumersSeeEachEffectOnce({ ...world, consumed: new Map() });
  },
  replayGivesTheSameState: () => {
    const { world, state } = championWorld();
    const models = new Map(world.store.models).set(state.model, { ...state, fruitlessRuns: 99 });
    return rest.replayGivesTheSameState(withStore(world, { models }));
  },
  everyAnchoredHeadIsInTheJournal: () => {
    const { world, state } = championWorld();
    const head = { model: state.model, sequence: 1, hash: "of another journal", anchoredAtMs: 0 };
    const anchored = new Map([["another", head]]);
    return rest.everyAnchoredHeadIsInTheJournal({ ...world, anchored });
  },
  noTimerIsOverdue: () => {
    const { world, state } = championWorld();
    const timers = new Map([
      ["late", { model: state.model, kind: "trigger" as const, dueAtMs: 0 }],
    ]);
    return rest.noTimerIsOverdue(withStore(world, { timers }));
  },
};

const broken: Readonly<Record<keyof typeof invariants, Readonly<Record<string, Broken>>>> = {
  transition: brokenTransitions,
  change: brokenChanges,
  minute: brokenMinutes,
  rest: brokenRests,
};

describe("each invariant", () => {
  it("is broken by one of these", () => {
    for (const when of ["transition", "change", "minute", "rest"] as const) {
      expect(Object.keys(broken[when]).toSorted()).toEqual(
        Object.keys(invariants[when]).toSorted(),
      );
    }
  });

  it.each(Object.values(broken).flatMap((table) => Object.entries(table)))(
    "%s can fail",
    (_name, finding) => {
      expect(finding()).toEqual(expect.any(String));
    },
  );

  it("anOldEpochNeverWrites can fail", async () => {
    let nowMs = 0;
    const leases = memoryLeases(() => nowMs);
    const found: Finding[] = [];
    const calls = { setAliases: async () => undefined };
    const world = {
      leases: leases.leases,
      registry: calls,
      endpoints: {},
      schedules: {},
    } as unknown as Ports;
    const process = () => watchFencedWrites(world, leases, (finding) => found.push(finding));
    const [first, second] = [process(), process()];
    const { model } = championWorld().state;
    const write = (ports: Ports): Promise<void> =>
      ports.registry.setAliases(model, "1" as never, ["champion"]);
    await first.leases.acquire(`aliases--${model}`, 1000);
    await write(first);
    expect(found).toEqual([]);
    nowMs = 2000;
    await second.leases.acquire(`aliases--${model}`, 1000);
    await write(second);
    expect(found).toEqual([]);
    await write(first);
    expect(found).toEqual([expect.stringContaining("in epoch 1")]);
  });
});
