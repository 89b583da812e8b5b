/** What must hold once faults have stopped and nothing moves any more. */
import type { ContinuoEvent } from "../../../events/index.js";
import { modelNamedBy } from "../../../shared/domain/decide.js";
import { evolve, nextLink } from "../../../shared/domain/evolve.js";
import { eventKey } from "../../../shared/domain/ids.js";
import { sameSplit } from "../../../shared/domain/rollout/traffic.js";
import type { DeployedModelId, ModelName } from "../../../events/ids.js";
import type { ModelState } from "../../../shared/domain/state.js";
import type { Finding, World } from "../world.js";

const first = <Item>(items: Iterable<Item>, check: (item: Item) => Finding): Finding => {
  for (const item of items) {
    const finding = check(item);
    if (finding !== null) return finding;
  }
  return null;
};

/** Nothing is left to perform. */
export const outboxIsDrained = ({ store }: World): Finding => {
  const [key] = store.pending;
  const entry = key === undefined ? undefined : store.journal.get(key);
  return entry === undefined
    ? null
    : `effects of ${entry.event.type} ${entry.event.id} were never performed: ${entry.decisions.map(({ decision }) => decision.do).join(", ")}`;
};

const moving = (state: ModelState): Finding => {
  const { model, run, rollout, waiting, trigger, isPaused, parkedReason } = state;
  if (run !== null) return `run ${run.run} of ${model} is still ${run.phase}`;
  const isHeld = isPaused && rollout?.phase !== "cleaning";
  if (rollout !== null && !isHeld && rollout.phase !== "parked" && rollout.phase !== "paused") {
    return `rollout ${rollout.rollout} of ${model} is still ${rollout.phase}`;
  }
  if (rollout === null && waiting !== null && !isPaused)
    return `a challenger of ${model} still waits`;
  return trigger !== null && !isPaused && parkedReason === null
    ? `a ${trigger.kind} trigger of ${model} still waits`
    : null;
};

/** Everything is over, or waits for a person. */
export const everythingEndsOrWaitsForAPerson = ({ store }: World): Finding =>
  first(store.models.values(), moving);

const isAlert = ({ type }: ContinuoEvent): boolean =>
  type === "drift.detected" || type === "skew.detected" || type === "performance.decayed";

/** Every event that was sent is in the journal, but for alerts that were counted with another of their kind. */
export const everyEventIsDecided = ({ sent, store }: World): Finding => {
  const decided = new Set([...store.journal.values()].map(({ event }) => eventKey(event)));
  const answered = new Set(
    [...store.journal.values()].map(({ event, model }) => `${model} ${event.type}`),
  );
  return first(sent, (event) => {
    if (decided.has(eventKey(event))) return null;
    const model = modelNamedBy(event) ?? "nobody";
    return isAlert(event) && answered.has(`${model} ${event.type}`)
      ? null
      : `${event.type} ${event.id} was never decided`;
  });
};

/** Messages that are invalid change nothing and are kept for a person. */
export const invalidInputChangesNothing = ({ poison, store }: World): Finding => {
  const acted = [...store.journal.values()].find(({ event }) => poison.includes(event.id));
  return acted === undefined ? null : `invalid event ${acted.event.id} was acted on`;
};

/** Pushes without a valid token are refused and change nothing. */
export const unauthorisedInputChangesNothing = ({ forged, store }: World): Finding => {
  const accepted = forged.find(({ status }) => status !== null && status !== 401);
  if (accepted !== undefined) return `a forged push was answered with ${accepted.status}`;
  const acted = [...store.journal.values()].find(({ event }) =>
    forged.some(({ id }) => id === event.id),
  );
  return acted === undefined ? null : `forged event ${acted.event.id} was acted on`;
};

/** At most one job runs for a run. */
export const oneLiveJobPerRun = ({ jobs }: World): Finding => {
  const live = new Set<string>();
  return first(jobs.jobs.values(), ({ label, facts }) => {
    if (facts.state !== "pending" && facts.state !== "running") return null;
    if (live.has(label)) return `two jobs of run ${label} are live`;
    live.add(label);
    return null;
  });
};

/** No job runs for a run that is over. */
export const noOrphanJobs = ({ jobs, store }: World): Finding =>
  first(jobs.jobs.values(), ({ run, label, facts }) => {
    if (facts.state !== "pending" && facts.state !== "running") return null;
    const isLive = [...store.models.values()].some((state) => state.run?.run === label);
    return isLive ? null : `PipelineJob ${run} is ${facts.state}, but its run is over`;
  });

/** Only who serves or is being rolled out is deployed. */
export const noOrphanDeployedModels = ({ endpoints, store, forgottenSince }: World): Finding => {
  const wanted = new Set<string>();
  for (const { champion, rollout, retired } of store.models.values()) {
    // Leftovers are removed between rollouts: while one waits for a person, so do they.
    if (rollout !== null) {
      for (const { deployedModelId } of retired ?? []) wanted.add(deployedModelId);
    }
    for (const id of Object.values(champion?.deployed ?? {})) wanted.add(id);
    for (const id of Object.values(rollout?.deployed ?? {})) wanted.add(id);
  }
  return first(endpoints.endpoints.values(), ({ name, deployed, split }) => {
    // Forgetting a model leaves what is deployed to people, as its command says.
    const isKnown = (model: string): boolean =>
      [...store.models.keys()].some(
        (known) => known === model && !forgottenSince(known, -Infinity),
      );
    // What a person left without a successor goes on serving, and people are told.
    const isLeft = (id: DeployedModelId): boolean =>
      endpoints.handAtMs.has(name) && (split[id] ?? 0) > 0;
    const orphan = deployed.find(({ id, by }) => !wanted.has(id) && !isLeft(id) && isKnown(by));
    return orphan === undefined ? null : `${orphan.id} is deployed to ${name} for nothing`;
  });
};

/** The champion serves everything between rollouts, unless a person wanted otherwise. */
export const championServesEverything = ({ endpoints, store }: World): Finding =>
  first(store.models.values(), ({ champion, rollout, manifest }) => {
    if (champion === null || rollout !== null) return null;
    return first(manifest.promotion.environments, ({ name, endpoint }) => {
      const id = champion.deployed[name];
      const found = endpoints.endpoints.get(endpoint);
      if (id === undefined || endpoints.handAtMs.has(endpoint)) return null;
      return found !== undefined && sameSplit(found.split, { [id]: 100 })
        ? null
        : `${endpoint} serves ${JSON.stringify(found?.split)}, not champion ${id}`;
    });
  });

/** The registry shows who serves, and nobody who is no longer a challenger, but for what a person set. */
export const aliasesShowWhoServes = ({ registry, store, forgottenSince }: World): Finding =>
  first(store.models.values(), ({ model, champion, rollout }) => {
    if (forgottenSince(model, -Infinity)) return null;
    const holders = (alias: string): readonly string[] =>
      registry
        .versions(model)
        .filter(({ aliases }) => aliases.includes(alias))
        .map(({ id }) => id);
    const byHand = (alias: string, id?: string): boolean =>
      registry.byHand.some(
        (hand) =>
          hand.model === model &&
          hand.aliases.includes(alias) &&
          (id === undefined || hand.id === id),
      );
    const wanted = champion === null ? [] : [champion.versionId];
    if (!byHand("champion") && JSON.stringify(holders("champion")) !== JSON.stringify(wanted)) {
      return `alias champion of ${model} is on ${holders("champion").join(", ") || "nothing"}, not on ${wanted.join(", ") || "nothing"}`;
    }
    return first(holders("challenger"), (id) =>
      id === rollout?.versionId || byHand("challenger", id)
        ? null
        : `version ${id} of ${model} still holds alias challenger`,
    );
  });

/**
 * A run leaves one model version, however often its upload was tried, and however long the network kept a call. One that
 * a person has given an alias stays, and so does what a model had before it was forgotten.
 */
export const oneVersionPerRun = ({ registry, store, forgottenSince }: World): Finding =>
  first(store.models.keys(), (model) => {
    if (forgottenSince(model, -Infinity)) return null;
    const runs = registry
      .versions(model)
      .filter(({ id }) => !registry.byHand.some((hand) => hand.model === model && hand.id === id))
      .flatMap(({ run }) => run ?? []);
    return first(new Set(runs), (run) => {
      const count = runs.filter((one) => one === run).length;
      return count === 1 ? null : `run ${run} made ${count} versions`;
    });
  });

/** Scheduler's jobs are those of the applied manifest. */
export const schedulesFollowTheManifest = ({ schedules, store }: World): Finding =>
  first(store.models.values(), ({ model, manifest }) =>
    JSON.stringify(schedules.get(model)) ===
    JSON.stringify(manifest.triggers.schedules.filter(({ backend }) => backend === "scheduler"))
      ? null
      : `the schedules of ${model} are not its manifest's`,
  );

/** Each notification and promotion that was decided reached its consumer, as one and the same event. */
export const consumersSeeEachEffectOnce = ({ store, consumed }: World): Finding => {
  const decided = { notification: 0, promotion: 0 };
  for (const { decisions } of store.journal.values()) {
    for (const { decision } of decisions) {
      if (decision.do === "notify") decided.notification += 1;
      if (decision.do === "promote" && decision.champion.run !== null) decided.promotion += 1;
    }
  }
  return first(["notification", "promotion"] as const, (topic) => {
    const got = consumed.get(topic)?.size ?? 0;
    return got === decided[topic]
      ? null
      : `${decided[topic]} events were decided for topic ${topic}, ${got} arrived`;
  });
};

/** Replaying the journal gives the stored state, along one unbroken chain. */
export const replayGivesTheSameState = ({ store }: World): Finding => {
  const states = new Map<ModelName, ModelState | null>();
  for (const { model, chain, decisions, event, receivedAtMs } of store.journal.values()) {
    if (model === null || chain === null) continue;
    const before = states.get(model) ?? null;
    const list = decisions.map(({ decision }) => decision);
    const link = nextLink(before, { event, receivedAtMs, decisions: list });
    if (link.hash !== chain.hash) return `the chain of ${model} breaks at ${chain.sequence}`;
    let next = before;
    for (const decision of list) next = evolve(next, decision, receivedAtMs);
    states.set(
      model,
      next === null ? null : { ...next, sequence: chain.sequence, head: chain.hash },
    );
  }
  return first(store.models, ([model, state]) =>
    JSON.stringify(states.get(model)) === JSON.stringify(state)
      ? null
      : `replaying the journal of ${model} gives another state`,
  );
};

/** Every head that was anchored is one that the journal still holds. */
export const everyAnchoredHeadIsInTheJournal = ({ store, anchored }: World): Finding => {
  const hashes = new Set([...store.journal.values()].map(({ chain }) => chain?.hash));
  return first(anchored.values(), ({ model, sequence, hash }) =>
    hashes.has(hash) ? null : `head ${sequence} of ${model} was anchored and is not in the journal`,
  );
};

/** No timer is due that nobody fires. */
export const noTimerIsOverdue = ({ store, scheduler }: World): Finding => {
  const graceMs = 15 * 60_000;
  const overdue = [...store.timers.values()].find(
    ({ dueAtMs }) => dueAtMs < scheduler.nowMs() - graceMs,
  );
  return overdue === undefined
    ? null
    : `timer ${overdue.kind} of ${overdue.model} is overdue by ${Math.round((scheduler.nowMs() - overdue.dueAtMs) / 60_000)} minutes`;
};
