/** What must hold of every decision that is committed. */
import { eventKey } from "../../../shared/domain/ids.js";
import { nextLink } from "../../../shared/domain/evolve.js";
import type { Decision } from "../../../shared/domain/decision.js";
import type { RolloutState, RunState } from "../../../shared/domain/state.js";
import type { Finding, SeenTransition, World } from "../world.js";

const decisionsOf = ({ commit }: SeenTransition): readonly Decision[] =>
  commit.entry.decisions.map(({ decision }) => decision);

const find = <Do extends Decision["do"]>(
  seen: SeenTransition,
  wanted: Do,
): (Decision & { readonly do: Do }) | undefined =>
  decisionsOf(seen).find(
    (decision): decision is Decision & { readonly do: Do } => decision.do === wanted,
  );

const earlier = (seen: SeenTransition, world: World): readonly SeenTransition[] =>
  world.transitions.filter((other) => other !== seen && other.model === seen.model);

/** Every event ends in at least one decision, and each has a reason. */
export const everyDecisionHasAReason = (seen: SeenTransition): Finding => {
  const decisions = decisionsOf(seen);
  if (decisions.length === 0) return `event ${seen.commit.entry.event.id} was decided with nothing`;
  const mute = decisions.find(({ reason }) => reason.trim() === "");
  return mute === undefined ? null : `${mute.do} has no reason`;
};

/** One event is decided once for one model, whatever message carried it. */
export const oneEntryPerEvent = (seen: SeenTransition, world: World): Finding => {
  const { event, key } = seen.commit.entry;
  const twin = earlier(seen, world).find(
    ({ commit }) => commit.entry.key !== key && eventKey(commit.entry.event) === eventKey(event),
  );
  return twin === undefined ? null : `event ${eventKey(event)} was decided twice`;
};

/** Each transition has one audit record, linked to the one before. */
export const oneAuditRecordPerTransition = (seen: SeenTransition): Finding => {
  const { before, after, commit } = seen;
  const { chain, event, stateVersion } = commit.entry;
  if ((commit.state === undefined) !== (chain === null)) {
    return `event ${event.id}: the state and its audit record were not written together`;
  }
  if (stateVersion !== (before?.sequence ?? 0)) {
    return `event ${event.id} cites state ${stateVersion}, not ${before?.sequence ?? 0}`;
  }
  if (chain === null) return null;
  const { receivedAtMs } = seen.commit.entry;
  const link = nextLink(before, { event, receivedAtMs, decisions: decisionsOf(seen) });
  if (link.hash !== chain.hash || link.previous !== chain.previous) {
    return `event ${event.id}: its link does not continue the chain`;
  }
  return after === null || (after.sequence === chain.sequence && after.head === chain.hash)
    ? null
    : `event ${event.id}: the state's head is not its link`;
};

type RunPhase = RunState["phase"] | "none";
const runPhases: Readonly<Record<RunPhase, readonly RunPhase[]>> = {
  none: ["requested"],
  requested: ["validating", "none"],
  validating: [
    "training",
    "evaluating",
    "judging",
    "retrying",
    "awaiting-approval",
    "cancelling",
    "none",
  ],
  training: ["evaluating", "judging", "retrying", "awaiting-approval", "cancelling", "none"],
  evaluating: ["judging", "retrying", "awaiting-approval", "cancelling", "none"],
  retrying: ["requested", "none"],
  "awaiting-approval": ["awaiting-approval", "requested", "none"],
  cancelling: ["parked", "none"],
  parked: ["none"],
  judging: ["registering", "none"],
  registering: ["registering", "none"],
};

type RolloutPhase = RolloutState["phase"] | "none";
const rolloutPhases: Readonly<Record<RolloutPhase, readonly RolloutPhase[]>> = {
  none: ["deploying"],
  deploying: ["smoke-testing", "progressing", "cleaning"],
  "smoke-testing": ["deploying", "awaiting-approval", "cleaning"],
  "awaiting-approval": ["awaiting-approval", "deploying", "cleaning"],
  progressing: ["progressing", "paused", "parked", "cleaning"],
  paused: ["progressing", "cleaning"],
  parked: ["progressing", "cleaning"],
  // The next challenger's rollout may begin in the transition that ends this one.
  cleaning: ["cleaning", "none", "deploying"],
};

/** Runs and rollouts change their phase only as the tables allow. */
export const onlyAllowedPhaseChanges = ({ before, after }: SeenTransition): Finding => {
  if (after === null) return null;
  const [run, nextRun] = [before?.run ?? null, after.run];
  if (run !== null && nextRun !== null && run.run !== nextRun.run) {
    return `run ${run.run} was replaced by ${nextRun.run} without an end`;
  }
  const from: RunPhase = run?.phase ?? "none";
  const to: RunPhase = nextRun?.phase ?? "none";
  if (from !== to && !runPhases[from].includes(to)) return `a run went from ${from} to ${to}`;
  const [rollout, nextRollout] = [before?.rollout ?? null, after.rollout];
  const left: RolloutPhase = rollout?.phase ?? "none";
  const entered: RolloutPhase = nextRollout?.phase ?? "none";
  const isSame = rollout?.rollout === nextRollout?.rollout;
  if (isSame && left === entered) return null;
  if (!isSame && rollout !== null && left !== "cleaning") {
    return `rollout ${rollout.rollout} left the state while ${left}`;
  }
  return rolloutPhases[left].includes(entered) ? null : `a rollout went from ${left} to ${entered}`;
};

/** What has ended stays ended, as it ended. */
export const terminalPhasesNeverChange = (seen: SeenTransition, world: World): Finding => {
  const { after, commit } = seen;
  for (const { commit: past } of earlier(seen, world)) {
    for (const record of past.runs) {
      if (after?.run?.run === record.run) return `run ${record.run} is live after its end`;
      if (commit.runs.some(({ run }) => run === record.run)) return `run ${record.run} ended twice`;
    }
    for (const record of past.rollouts) {
      if (after?.rollout?.rollout === record.rollout) {
        return `rollout ${record.rollout} is in progress after its end`;
      }
      if (commit.rollouts.some(({ rollout }) => rollout === record.rollout)) {
        return `rollout ${record.rollout} ended twice`;
      }
    }
  }
  return null;
};

/** Who serves was let through by the gate with this very artifact, or asked for by a person. */
export const championWasEvaluated = (seen: SeenTransition, world: World): Finding => {
  const promoted = find(seen, "promote")?.champion;
  if (promoted === undefined) return null;
  if (promoted.run === null) {
    return world.registry.byHand.some(
      ({ model, id, aliases }) =>
        model === seen.model && id === promoted.versionId && aliases.includes("challenger"),
    )
      ? null
      : `version ${promoted.versionId} has no run, and nobody asked for it`;
  }
  const record = world.store.runs.get(promoted.run);
  if (record?.outcome !== "registered" || record.evaluation?.outcome !== "accept") {
    return `run ${promoted.run} of champion ${promoted.versionId} was not accepted`;
  }
  const version = world.registry.version(seen.model, promoted.versionId);
  return record.versionId === promoted.versionId &&
    record.evaluation.artifactDigest === promoted.artifactDigest &&
    version?.artifactDigest === promoted.artifactDigest
    ? null
    : `champion ${promoted.versionId} is not the artifact that was evaluated`;
};

/** A model has at most one champion: it changes by one promotion, and the one before is retired. */
export const atMostOneChampion = (seen: SeenTransition): Finding => {
  const { before, after } = seen;
  const promotions = decisionsOf(seen).filter((decision) => decision.do === "promote").length;
  if (promotions > 1) return "two versions were promoted at once";
  if (before === null || after === null || before.champion === after.champion) return null;
  if (promotions === 0) return "the champion changed without a promotion";
  const retired = new Set(
    after.rollout?.phase === "cleaning"
      ? after.rollout.retired.map(({ deployedModelId }) => deployedModelId)
      : [],
  );
  const served = new Set(Object.values(after.champion?.deployed ?? {}));
  const environments = before.manifest.promotion.environments.map(({ name }) => name);
  const left = Object.entries(before.champion?.deployed ?? {}).find(
    ([name, id]) => environments.includes(name) && !retired.has(id) && !served.has(id),
  );
  return left === undefined ? null : `the champion before still has ${left[1]}`;
};

/** Whether a person wanted the challenger to be champion before its steps were over. */
const isWished = ({ before, commit }: SeenTransition): boolean => {
  const { event } = commit.entry;
  const rollout = before?.rollout;
  return (
    (event.type === "command.issued" && event.data.command === "promote-now") ||
    (rollout?.phase === "progressing" && rollout.wish?.to === "champion")
  );
};

/** Within a rollout the weight only rises, and who becomes champion served everything before, or a person wanted it. */
export const weightsOnlyRise = (seen: SeenTransition): Finding => {
  const [was, is] = [seen.before?.rollout, seen.after?.rollout];
  if (was?.phase !== "progressing" || was.rollout !== is?.rollout) return null;
  if ("weight" in is && is.weight < was.weight) {
    return `the weight of ${is.rollout} fell from ${was.weight} to ${is.weight} %`;
  }
  return find(seen, "promote") !== undefined && was.weight < 100 && !isWished(seen)
    ? `${was.rollout} was promoted at ${was.weight} %`
    : null;
};

/** A run ends with what its own job found, and not before its job. */
export const runsEndAsTheirJobsDid = (seen: SeenTransition, world: World): Finding => {
  const record = find(seen, "end-run")?.record;
  if (record === undefined) return null;
  const jobs = world.jobs.jobsOf(record.run);
  const live = jobs.find(({ facts: { state } }) => state === "pending" || state === "running");
  if (live !== undefined) {
    return `run ${record.run} ended ${record.outcome} while its job is ${live.facts.state}`;
  }
  const digest = record.evaluation?.artifactDigest;
  return digest === undefined ||
    jobs.some(({ facts }) => digest === facts.evaluation?.artifactDigest)
    ? null
    : `run ${record.run} ended with the evaluation of another job`;
};

const cools = new Set(["drift", "skew", "decay", "schedule"]);
/** A decision is made with the time at which its handler began; retries of the store may last this much longer. */
const handlerMsMax = 300_000;

/** Runs for alerts and schedules keep their distance, as far as the clocks agree. */
export const cooldownHolds = (seen: SeenTransition, world: World): Finding => {
  const request = find(seen, "request-training-run");
  if (request === undefined || seen.before === null || !cools.has(request.to.kind)) return null;
  const last = earlier(seen, world).findLast(
    (other) => find(other, "request-training-run") !== undefined,
  );
  if (last === undefined || world.forgottenSince(seen.model, last.atMs)) return null;
  // A trigger keeps the time that was due under the policy of the moment at which it was held.
  const policies = earlier(seen, world)
    .filter(({ atMs }) => atMs >= last.atMs)
    .flatMap(({ after }) => after?.manifest.triggers.cooldownSeconds ?? []);
  const leastMs = 1000 * Math.min(...policies, seen.before.manifest.triggers.cooldownSeconds);
  const distanceMs = seen.atMs - last.atMs;
  return distanceMs >= leastMs - 2 * world.skewMsMax - handlerMsMax
    ? null
    : `run ${request.to.run} (${request.to.kind}) began ${Math.round(distanceMs / 1000)} s after the one before`;
};

/** No run may bring the month's real cost above the budget. */
export const budgetHolds = (seen: SeenTransition, world: World): Finding => {
  const request = find(seen, "request-training-run");
  if (request === undefined || seen.before === null) return null;
  const { usdPerRunMax, usdPerMonthMax } = seen.before.manifest.budget;
  if (request.to.reservedUsd > usdPerRunMax) return `run ${request.to.run} may cost too much`;
  const spent = world.spentUsd(seen.model);
  const total = spent + request.to.reservedUsd;
  return total <= usdPerMonthMax + 0.01
    ? null
    : `run ${request.to.run} brings the month to ${total.toFixed(2)} of ${usdPerMonthMax} USD`;
};

/** The same content starts or joins one run. */
export const sameContentActsOnce = (seen: SeenTransition, world: World): Finding => {
  const contents = decisionsOf(seen).flatMap((decision) =>
    decision.do === "remember" ? [decision.content] : [],
  );
  if (contents.length === 0) return null;
  const known = earlier(seen, world).findLast(
    (other) =>
      !world.forgottenSince(seen.model, other.atMs) &&
      decisionsOf(other).some(
        (decision) => decision.do === "remember" && contents.includes(decision.content),
      ),
  );
  return known === undefined ? null : `${contents.join(", ")} acted twice`;
};

/** A paused, parked or observe-only model starts nothing. */
export const heldModelStartsNothing = (seen: SeenTransition): Finding => {
  const { before } = seen;
  if (before === null) return null;
  const isHeld = before.isPaused || before.parkedReason !== null;
  if (isHeld && find(seen, "request-training-run") !== undefined) {
    return "a run was requested for a paused or parked model";
  }
  const started = find(seen, "start-rollout")?.to;
  // A person who rolls back to the champion before need not resume the model first.
  if (before.isPaused && started !== undefined && started.isReturn !== true) {
    return `rollout ${started.rollout} started while the model is paused`;
  }
  const isObserving = before.manifest.mode === "observe-only";
  const starts =
    find(seen, "request-training-run") ?? find(seen, "start-rollout") ?? find(seen, "promote");
  if (isObserving && starts !== undefined && starts.do !== "promote") {
    return `observe-only, but ${starts.do} was decided`;
  }
  const [was, is] = [before.rollout, seen.after?.rollout];
  if (is?.isReturn === true) return null;
  const weight = is?.phase === "progressing" ? is.weight : 0;
  const weightBefore = was && "weight" in was ? was.weight : 0;
  return before.isPaused && seen.after?.isPaused === true && weight > weightBefore
    ? `the challenger's weight rose to ${weight} % while the model is paused`
    : null;
};

/** Enough different people approved before the approval expired, as far as the clocks agree. */
export const approvalsCount = (seen: SeenTransition, world: World): Finding => {
  const waiting = seen.before?.rollout;
  if (waiting?.phase !== "awaiting-approval" || seen.after?.rollout?.phase !== "deploying") {
    return null;
  }
  const { event } = seen.commit.entry;
  const environment = seen.before?.manifest.promotion.environments[waiting.environment + 1];
  const quorum = environment?.approval.by === "people" ? environment.approval.quorum : 1;
  const people = new Set(waiting.approvedBy);
  if (event.type === "approval.given") people.add(event.data.by);
  if (people.size < quorum) return `${people.size} of ${quorum} people approved`;
  return seen.commit.entry.receivedAtMs <= waiting.expiresAtMs + world.skewMsMax
    ? null
    : "the approval had expired";
};

const isPlain = (value: unknown): boolean => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "object" && Object.values(value).every(isPlain);
};

/** A state survives being stored as JSON. */
export const stateSurvivesStorage = ({ before, after }: SeenTransition): Finding => {
  if (after === null) return null;
  // What a transition left as it was has been looked at before.
  const known: Readonly<Record<string, unknown>> = before === null ? {} : { ...before };
  const odd = Object.entries(after).find(([key, value]) => known[key] !== value && !isPlain(value));
  return odd === undefined ? null : `${odd[0]} holds something that JSON cannot`;
};
