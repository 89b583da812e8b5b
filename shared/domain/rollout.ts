/** A rollout, from the challenger's first deployment to the last clean-up. */
import type { DeployedModelId } from "../../events/ids.js";
import { assess } from "./analysis.js";
import { countAnswer, expired } from "./approval.js";
import { capacityFor, championReplicasOf } from "./capacity.js";
import type { Decision } from "./decision.js";
import type { EndpointFacts, Facts, SmokeTestFacts } from "./facts.js";
import { freezeAt, freezeText, type Freeze } from "./freeze.js";
import { deployedModelIdFor, rolloutIdFor } from "./ids.js";
import { breakFruitlessLoop } from "./loop.js";
import type {
  Champion,
  ModelState,
  Retired,
  RolloutBase,
  RolloutOutcome,
  RolloutState,
  Segment,
  Verdict,
  WaitingChallenger,
} from "./state.js";

/** A deployment that has not ended after this long counts as failed; the slowest known take under half of it. */
const deployMsMax = 60 * 60 * 1000;
/** A traffic change that has not shown after this long was undone by hand, or cannot be made. */
const splitMsMax = 15 * 60 * 1000;
/** An undeployment that has not shown after this long is asked for again. */
const undeployMsMax = 10 * 60 * 1000;

type Split = Readonly<Record<DeployedModelId, number>>;
type InPhase<Phase extends RolloutState["phase"]> = RolloutState & { readonly phase: Phase };

const ignore = (reason: string): readonly Decision[] => [{ do: "ignore", reason }];

const environmentsOf = (state: ModelState) => state.manifest.promotion.environments;

const environmentAt = (state: ModelState, index: number) => {
  const found = environmentsOf(state)[index];
  return found ?? { name: "unknown", endpoint: "unknown", approval: { by: "automatic" as const } };
};

const isProduction = (state: ModelState, index: number): boolean =>
  index === environmentsOf(state).length - 1;

/** Whether two splits are the same; deployed models at 0 % do not count. */
export const sameSplit = (a: Split, b: Split): boolean => {
  const shares = (split: Split): string =>
    JSON.stringify(
      Object.entries<number>(split)
        .filter(([, weight]) => weight > 0)
        .toSorted(([x], [y]) => (x < y ? -1 : 1)),
    );
  return shares(a) === shares(b);
};

const only = (id: DeployedModelId): Split => ({ [id]: 100 });

/** The split of one canary step. */
const splitAt = (
  champion: DeployedModelId | undefined,
  challenger: DeployedModelId,
  weight: number,
): Split =>
  champion === undefined || weight === 100
    ? only(challenger)
    : { [champion]: 100 - weight, [challenger]: weight };

/** The rollout's own deployed model in an environment. */
const deployedIn = (rollout: RolloutState, environment: string): DeployedModelId =>
  rollout.deployed[environment] ?? deployedModelIdFor(rollout.rollout, environment);

/** The flags that tell gcloud where a model's endpoints are; empty where that is not known. */
export const gcloudPlace = (location = ""): string => {
  const where = /^projects\/(?<project>[^/]+)\/locations\/(?<region>[^/]+)$/.exec(location)?.groups;
  return where === undefined ? "" : ` --project=${where["project"]} --region=${where["region"]}`;
};

/** The command that ends this rollout by hand, should the control plane be down. */
export const handCommand = (state: ModelState, rollout: RolloutState): string => {
  const production = environmentAt(state, environmentsOf(state).length - 1);
  const champion = state.champion?.deployed[production.name];
  const place = gcloudPlace(state.location);
  return champion === undefined
    ? `gcloud ai endpoints undeploy-model ${production.endpoint} --deployed-model-id=${deployedIn(rollout, production.name)}${place}`
    : `gcloud ai endpoints update ${production.endpoint} --traffic-split=${champion}=100${place}`;
};

/** What every phase of a rollout has. */
const baseOf = (rollout: RolloutBase): RolloutBase => ({
  rollout: rollout.rollout,
  run: rollout.run,
  cause: rollout.cause,
  versionId: rollout.versionId,
  artifactUri: rollout.artifactUri,
  artifactDigest: rollout.artifactDigest,
  servingImage: rollout.servingImage,
  report: rollout.report,
  startedAtMs: rollout.startedAtMs,
  environment: rollout.environment,
  deployed: rollout.deployed,
  history: rollout.history,
  correlationId: rollout.correlationId,
  ...(rollout.trigger === undefined ? {} : { trigger: rollout.trigger }),
  ...(rollout.by === undefined ? {} : { by: rollout.by }),
  ...(rollout.isReturn === undefined ? {} : { isReturn: rollout.isReturn }),
});

/** Deploys the challenger to an environment. */
const enter = (
  state: ModelState,
  rollout: RolloutBase,
  index: number,
  nowMs: number,
  reason: string,
): readonly [InPhase<"deploying">, Decision] => {
  const { name, endpoint } = environmentAt(state, index);
  const deployedModelId = deployedModelIdFor(rollout.rollout, name);
  const to: InPhase<"deploying"> = {
    ...baseOf(rollout),
    environment: index,
    deployed: { ...rollout.deployed, [name]: deployedModelId },
    phase: "deploying",
    sinceMs: nowMs,
  };
  return [
    to,
    {
      do: "deploy-model",
      environment: name,
      endpoint,
      deployedModelId,
      versionId: rollout.versionId,
      reason,
    },
  ];
};

/** Starts the rollout of a registered version: where the first environment is, or in production when it served before. */
export const startRollout = (
  state: ModelState,
  challenger: WaitingChallenger,
  nowMs: number,
): readonly Decision[] => {
  const index = challenger.isReturn === true ? environmentsOf(state).length - 1 : 0;
  const base = {
    ...challenger,
    rollout: rolloutIdFor(state.model, `${challenger.versionId}|${challenger.cause}`),
    startedAtMs: nowMs,
    environment: index,
    deployed: {},
    history: [],
  };
  const { name } = environmentAt(state, index);
  const reason =
    challenger.isReturn === true
      ? `version ${challenger.versionId} was champion before: it goes to ${name} at once`
      : `version ${challenger.versionId} goes to ${name} first`;
  const [to, deploy] = enter(state, base, index, nowMs, reason);
  return [
    { do: "start-rollout", to, reason: challenger.cause },
    askForAlias(challenger.versionId),
    deploy,
  ];
};

const askForAlias = (versionId: WaitingChallenger["versionId"]): Decision => ({
  do: "set-aliases",
  versionId,
  aliases: ["challenger"],
  reason: "the version asks to replace the champion",
});

/** A promotion is taken back before the champion before it was undeployed: it needs no deployment. */
const takeBack = (
  state: ModelState,
  rollout: InPhase<"cleaning">,
  challenger: WaitingChallenger,
  deployed: RolloutBase["deployed"],
  nowMs: number,
): readonly Decision[] => {
  const { outcome, reasons } = rollout;
  const environment = environmentsOf(state).length - 1;
  const to: InPhase<"deploying"> = {
    ...challenger,
    rollout: rolloutIdFor(state.model, `${challenger.versionId}|${challenger.cause}`),
    startedAtMs: nowMs,
    environment,
    deployed,
    history: [],
    phase: "deploying",
    sinceMs: nowMs,
  };
  return [
    {
      do: "end-rollout",
      record: { ...baseOf(rollout), model: state.model, outcome, reasons, endedAtMs: nowMs },
      reason: reasons.join("; "),
    },
    { do: "start-rollout", to, reason: challenger.cause },
    askForAlias(challenger.versionId),
  ];
};

/** Returns to the champion before: in the next look where it is still deployed, else as soon as it is deployed again. */
export const returnToFormer = (
  state: ModelState,
  former: Champion,
  asked: Pick<WaitingChallenger, "cause" | "correlationId" | "by">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { versionId, run, artifactUri, artifactDigest, servingImage, report, trigger } = former;
  const challenger: WaitingChallenger = {
    ...asked,
    versionId,
    run,
    artifactUri,
    artifactDigest,
    servingImage,
    report,
    ...(trigger === undefined ? {} : { trigger }),
    isReturn: true,
  };
  const { rollout } = state;
  if (rollout === null) return startRollout(state, challenger, nowMs);
  const { name, endpoint } = environmentAt(state, environmentsOf(state).length - 1);
  const id = former.deployed[name];
  const found = facts.endpoints?.[endpoint];
  const isStillDeployed =
    rollout.phase === "cleaning" &&
    id !== undefined &&
    found?.operation === null &&
    found.deployed.includes(id) &&
    !rollout.requested.includes(id);
  return isStillDeployed
    ? takeBack(state, rollout, challenger, { [name]: id }, nowMs)
    : [
        {
          do: "queue-challenger",
          waiting: challenger,
          reason: `${asked.cause}; it begins when rollout ${rollout.rollout} is cleaned up`,
        },
      ];
};

/** What is undeployed when the rollout ends this way. */
const retiredAfter = (
  state: ModelState,
  rollout: RolloutState,
  outcome: RolloutOutcome,
): readonly Retired[] => {
  const losers = outcome === "promoted" ? (state.champion?.deployed ?? {}) : rollout.deployed;
  return environmentsOf(state).flatMap(({ name, endpoint }) => {
    const deployedModelId = losers[name];
    return deployedModelId === undefined ? [] : [{ environment: name, endpoint, deployedModelId }];
  });
};

const clean = (
  state: ModelState,
  rollout: RolloutState,
  outcome: RolloutOutcome,
  reasons: readonly string[],
  nowMs: number,
): InPhase<"cleaning"> => ({
  ...baseOf(rollout),
  phase: "cleaning",
  outcome,
  reasons,
  sinceMs: nowMs,
  retired: retiredAfter(state, rollout, outcome),
  requested: [],
});

/** Sends all traffic back to the champion, in one change, from wherever the rollout is. */
export const rollBack = (
  state: ModelState,
  rollout: RolloutState,
  end: {
    readonly outcome: "rolled-back" | "aborted";
    readonly reason: string;
    readonly severity: "info" | "warning";
    /** The split that was found; absent means the one that is believed. */
    readonly found?: Split;
  },
  nowMs: number,
): readonly Decision[] => {
  if (rollout.phase === "cleaning")
    return ignore("the rollout has already ended and is being cleaned up");
  const decisions: Decision[] = [
    {
      do: "roll-back",
      to: clean(state, rollout, end.outcome, [end.reason], nowMs),
      reason: end.reason,
    },
  ];
  if (rollout.phase === "progressing" || rollout.phase === "paused" || rollout.phase === "parked") {
    const { name, endpoint } = environmentAt(state, rollout.environment);
    const champion = state.champion?.deployed[name];
    if (champion !== undefined) {
      const expected = end.found ?? splitAt(champion, deployedIn(rollout, name), rollout.weight);
      decisions.push({
        do: "set-traffic-split",
        endpoint,
        split: only(champion),
        expected,
        reason: `all traffic back to the champion: ${end.reason}`,
      });
    }
  }
  decisions.push(
    {
      do: "set-aliases",
      versionId: rollout.versionId,
      aliases: ["-challenger"],
      reason: "the version no longer asks to replace the champion",
    },
    {
      do: "notify",
      severity: end.severity,
      title: `${state.model}: rollout of version ${rollout.versionId} ${end.outcome}`,
      body: end.reason,
      reason: "a roll-back must be seen",
    },
    ...(rollout.run === null ? [] : breakFruitlessLoop(state, state.fruitlessRuns)),
  );
  return decisions;
};

/** The challenger serves everything, or is the first to serve: it becomes champion. */
const promote = (
  state: ModelState,
  rollout: RolloutState,
  reason: string,
  nowMs: number,
): readonly Decision[] => {
  const champion: Champion = {
    versionId: rollout.versionId,
    run: rollout.run,
    artifactUri: rollout.artifactUri,
    artifactDigest: rollout.artifactDigest,
    servingImage: rollout.servingImage,
    report: rollout.report,
    deployed: rollout.deployed,
    sinceMs: nowMs,
    ...(rollout.trigger === undefined ? {} : { trigger: rollout.trigger }),
  };
  return [
    // What retires is computed against the champion before it is replaced.
    { do: "advance-rollout", to: clean(state, rollout, "promoted", [reason], nowMs), reason },
    { do: "promote", champion, reason },
    {
      do: "set-aliases",
      versionId: rollout.versionId,
      aliases: ["champion", "default", "-challenger"],
      reason: "the registry shows who serves",
    },
    {
      do: "notify",
      severity: "info",
      title: `${state.model}: version ${rollout.versionId} is champion`,
      body: reason,
      reason: "a promotion is told",
    },
  ];
};

/** Moves on from an environment whose gate is passed, or waits for people. */
const decideNextEnvironment = (
  state: ModelState,
  rollout: RolloutState,
  reason: string,
  nowMs: number,
): readonly Decision[] => {
  const index = rollout.environment + 1;
  const { name, approval } = environmentAt(state, index);
  if (approval.by === "people") {
    const expiresAtMs = nowMs + approval.expiresSeconds * 1000;
    return [
      {
        do: "advance-rollout",
        to: { ...rollout, phase: "awaiting-approval", sinceMs: nowMs, expiresAtMs, approvedBy: [] },
        reason: `${reason}; ${name} needs ${approval.quorum} approval(s)`,
      },
      {
        do: "set-timer",
        kind: "approval-deadline",
        dueAtMs: expiresAtMs,
        reason: "approvals expire",
      },
      {
        do: "notify",
        severity: "warning",
        title: `${state.model}: version ${rollout.versionId} waits for approval to enter ${name}`,
        body: `${reason}. Approve with: continuo approve ${state.model} ${rollout.rollout}`,
        reason: "people must act",
      },
    ];
  }
  const [to, deploy] = enter(state, rollout, index, nowMs, `${reason}; next is ${name}`);
  return [{ do: "advance-rollout", to, reason }, deploy];
};

/** Traffic that somebody else sets is waited for as long as a deployment is, and no longer. */
const awaitTraffic = (
  state: ModelState,
  rollout: InPhase<"deploying" | "smoke-testing">,
  what: string,
  nowMs: number,
): readonly Decision[] =>
  nowMs - rollout.sinceMs < deployMsMax
    ? ignore(`the rollout waits ${what}`)
    : rollBack(
        state,
        rollout,
        {
          outcome: "rolled-back",
          reason: `the rollout waited ${deployMsMax / 60_000} minutes ${what}: somebody else sets this traffic`,
          severity: "warning",
        },
        nowMs,
      );

/** Raises the challenger's replicas before a weight, or waits for them; null when they serve and nothing changes the endpoint. */
const awaitReplicas = (
  state: ModelState,
  rollout: InPhase<"deploying" | "progressing">,
  weight: number,
  found: EndpointFacts,
  nowMs: number,
): readonly Decision[] | null => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const challenger = deployedIn(rollout, name);
  const before = rollout.phase === "progressing" ? rollout.championReplicas : undefined;
  const capacity = capacityFor(
    weight,
    challenger,
    {
      championReplicas: championReplicasOf(found, state.champion?.deployed[name], before),
      awaited: rollout.awaitedReplicas,
      endpoint: found,
      serving: state.manifest.serving,
    },
    nowMs,
  );
  switch (capacity.is) {
    case "enough":
      return found.operation === null
        ? null
        : ignore(`${weight} % waits for ${found.operation}, which is changing ${endpoint}`);
    case "wanted": {
      const { awaited, replicasMax } = capacity;
      const reason = `${weight} % of the traffic takes ${awaited.count} replicas`;
      return [
        { do: "advance-rollout", to: { ...rollout, awaitedReplicas: awaited }, reason },
        {
          do: "scale-deployed-model",
          endpoint,
          deployedModelId: challenger,
          replicasMin: awaited.count,
          replicasMax,
          reason,
        },
      ];
    }
    case "awaited":
      return ignore(capacity.reason);
    case "overdue":
      return rollBack(
        state,
        rollout,
        { outcome: "rolled-back", reason: capacity.reason, severity: "warning" },
        nowMs,
      );
  }
};

const decideDeploying = (
  state: ModelState,
  rollout: InPhase<"deploying">,
  endpointFacts: EndpointFacts | null | undefined,
  nowMs: number,
): readonly Decision[] => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  if (endpointFacts === undefined) return ignore(`endpoint ${endpoint} was not looked at`);
  const id = deployedIn(rollout, name);
  const failure = endpointFacts?.failures[id];
  if (failure !== undefined) {
    const reason = `deployment to ${name} failed: ${failure}`;
    return rollBack(state, rollout, { outcome: "rolled-back", reason, severity: "warning" }, nowMs);
  }
  if (!endpointFacts?.deployed.includes(id)) {
    if (endpointFacts && id !== deployedModelIdFor(rollout.rollout, name)) {
      const gone = `${id} is not deployed to ${name} any more: the version is deployed again`;
      const [to, deploy] = enter(state, rollout, rollout.environment, nowMs, gone);
      return [{ do: "advance-rollout", to, reason: gone }, deploy];
    }
    return nowMs - rollout.sinceMs < deployMsMax
      ? ignore(`deployment ${id} to ${name} is under way`)
      : rollBack(
          state,
          rollout,
          {
            outcome: "rolled-back",
            reason: `deployment to ${name} did not end within ${deployMsMax / 60_000} minutes`,
            severity: "warning",
          },
          nowMs,
        );
  }
  const current = endpointFacts.trafficSplit;
  if (!isProduction(state, rollout.environment)) {
    return [
      {
        do: "advance-rollout",
        to: { ...rollout, phase: "smoke-testing", sinceMs: nowMs },
        reason: `deployed to ${name}`,
      },
      {
        do: "set-traffic-split",
        endpoint,
        split: only(id),
        expected: current,
        reason: `${name} has no users: all of its traffic tests the challenger`,
      },
    ];
  }
  if (rollout.isReturn === true) return returnTraffic(state, rollout, endpointFacts, nowMs);
  const champion = state.champion?.deployed[name];
  if (champion === undefined || !endpointFacts.deployed.includes(champion)) {
    return [
      {
        do: "set-traffic-split",
        endpoint,
        split: only(id),
        expected: current,
        reason: "there is no champion to compare with",
      },
      ...promote(
        state,
        rollout,
        `the first version to pass its gates serves 100 % of ${name}`,
        nowMs,
      ),
    ];
  }
  if (!sameSplit(current, only(champion))) {
    return awaitTraffic(
      state,
      rollout,
      `until the champion serves 100 % of ${name}; now ${JSON.stringify(current)}`,
      nowMs,
    );
  }
  const weight = state.manifest.rollout.steps[0] ?? 100;
  const waiting = awaitReplicas(state, rollout, weight, endpointFacts, nowMs);
  if (waiting !== null) return waiting;
  const { awaitedReplicas: _served, ...deployedRollout } = rollout;
  return [
    {
      do: "advance-rollout",
      to: {
        ...deployedRollout,
        phase: "progressing",
        step: 0,
        weight,
        stepStartedAtMs: nowMs,
        segments: [],
        lastVerdict: null,
        championReplicas: championReplicasOf(endpointFacts, champion),
      },
      reason: `deployed to ${name}; the canary starts with ${weight} %`,
    },
    {
      do: "set-traffic-split",
      endpoint,
      split: splitAt(champion, id, weight),
      expected: current,
      reason: `canary step 1: ${weight} %`,
    },
  ];
};

/** Gives a version that served before all of the traffic, in one change, as soon as its replicas can take it. */
const returnTraffic = (
  state: ModelState,
  rollout: InPhase<"deploying">,
  found: EndpointFacts,
  nowMs: number,
): readonly Decision[] => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const id = deployedIn(rollout, name);
  const waiting = awaitReplicas(state, rollout, 100, found, nowMs);
  if (waiting !== null) return waiting;
  const { awaitedReplicas: _served, ...deployedRollout } = rollout;
  return [
    {
      do: "advance-rollout",
      to: {
        ...deployedRollout,
        phase: "progressing",
        step: state.manifest.rollout.steps.length - 1,
        weight: 100,
        stepStartedAtMs: nowMs,
        segments: [],
        lastVerdict: null,
      },
      reason: `deployed to ${name}, where it served before`,
    },
    {
      do: "set-traffic-split",
      endpoint,
      split: only(id),
      // Whatever it is: a person asked for this change, perhaps after others made by hand.
      expected: found.trafficSplit,
      reason: rollout.cause,
    },
  ];
};

const decideSmokeTest = (
  state: ModelState,
  rollout: InPhase<"smoke-testing">,
  endpointFacts: EndpointFacts | null | undefined,
  result: SmokeTestFacts | undefined,
  nowMs: number,
): readonly Decision[] => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  if (endpointFacts === undefined) return ignore(`endpoint ${endpoint} was not looked at`);
  const id = deployedIn(rollout, name);
  if (!endpointFacts || !sameSplit(endpointFacts.trafficSplit, only(id)) || result === undefined) {
    return awaitTraffic(state, rollout, `until the challenger gets all traffic of ${name}`, nowMs);
  }
  const { errorsMax, latencyP95MsMax } = state.manifest.promotion.smokeTest;
  const numbers = `${result.requests} requests, ${result.errors} errors, p95 ${result.latencyP95Ms.toFixed(1)} ms`;
  if (result.errors > errorsMax || result.latencyP95Ms > latencyP95MsMax) {
    const why = result.firstError === null ? "" : `; first error: ${result.firstError}`;
    return rollBack(
      state,
      rollout,
      {
        outcome: "rolled-back",
        reason: `smoke test in ${name} failed: ${numbers} (allowed ${errorsMax} errors, p95 ${latencyP95MsMax} ms)${why}`,
        severity: "warning",
      },
      nowMs,
    );
  }
  return decideNextEnvironment(state, rollout, `smoke test in ${name} passed: ${numbers}`, nowMs);
};

/** Where a rollout that stopped moving stays until a person acts. */
export const park = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  parkedReason: string,
): readonly Decision[] => [
  { do: "park-rollout", to: { ...rollout, phase: "parked", parkedReason }, reason: parkedReason },
  {
    do: "notify",
    severity: "page",
    title: `${state.model}: rollout parked at ${rollout.weight} %`,
    body: `${parkedReason}. Its weight stays. Resume, abort or roll back; by hand: ${handCommand(state, rollout)}`,
    reason: "a person must act",
  },
];

/** What the analysis says of a step so far. */
const verdictOf = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  current: Segment | null,
): Verdict => {
  const { bakeSeconds, analysis } = state.manifest.rollout;
  return assess({
    earlier: rollout.segments,
    current,
    stepStartedAtMs: rollout.stepStartedAtMs,
    bakeMs: bakeSeconds * 1000,
    policy: analysis,
    policyVersion: state.manifestVersion,
  });
};

/** Whether a step has had no verdict for longer than it may. */
const lacksVerdict = (
  { manifest }: ModelState,
  rollout: InPhase<"progressing">,
  nowMs: number,
): boolean => {
  const { bakeSeconds, analysis } = manifest.rollout;
  const stalledMs = nowMs - rollout.stepStartedAtMs - bakeSeconds * 1000;
  return stalledMs > analysis.inconclusiveSecondsMax * 1000;
};

/** Whether what was measured lets the rollout move, back or stop, for which its endpoint must be looked at. */
export const isConclusive = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  current: Segment | null,
  nowMs: number,
): boolean => {
  switch (verdictOf(state, rollout, current).result) {
    case "successful":
    case "failed":
      return true;
    case "inconclusive":
    case "error":
      return lacksVerdict(state, rollout, nowMs);
  }
};

/** Traffic that is not what was set: it is still to be set, or somebody else set it; null when it is. */
const decideForeignTraffic = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  { trafficSplit }: EndpointFacts,
  nowMs: number,
): readonly Decision[] | null => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const challenger = deployedIn(rollout, name);
  const champion = state.champion?.deployed[name];
  const believed = splitAt(champion, challenger, rollout.weight);
  if (sameSplit(trafficSplit, believed)) return null;
  const previousWeight = rollout.history.at(-1)?.weight ?? 0;
  const before =
    previousWeight === 0 && champion !== undefined
      ? only(champion)
      : splitAt(champion, challenger, previousWeight);
  const mayBePending = nowMs - rollout.stepStartedAtMs < splitMsMax;
  return sameSplit(trafficSplit, before) && mayBePending
    ? ignore("the traffic change of this step is still to be performed")
    : park(
        state,
        rollout,
        `traffic of ${endpoint} is ${JSON.stringify(trafficSplit)}, not ${JSON.stringify(believed)}: it was changed by hand, or could not be set`,
      );
};

const decideProgress = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { endpoint } = environmentAt(state, rollout.environment);
  const endpointFacts = facts.endpoints?.[endpoint];
  const foreign = endpointFacts ? decideForeignTraffic(state, rollout, endpointFacts, nowMs) : null;
  if (foreign !== null) return foreign;
  const unread = ignore(`endpoint ${endpoint} was not read`);
  if (rollout.isReturn === true) {
    return endpointFacts ? promote(state, rollout, rollout.cause, nowMs) : unread;
  }
  const current = facts.series;
  if (current === undefined) return ignore("no look at the metrics is due");
  const verdict = verdictOf(state, rollout, current);
  const reason = `${verdict.result}: ${verdict.reasons.join("; ")}`;
  switch (verdict.result) {
    case "failed": {
      if (!endpointFacts) return unread;
      const measured: RolloutState = { ...rollout, history: remember(rollout, verdict, nowMs) };
      const why = `analysis at ${rollout.weight} % failed: ${verdict.reasons.join("; ")}`;
      return rollBack(
        state,
        measured,
        { outcome: "rolled-back", reason: why, severity: "warning" },
        nowMs,
      );
    }
    case "successful":
      if (!endpointFacts) return unread;
      return rollout.wish === undefined
        ? decideAdvance(state, rollout, verdict, { current, endpointFacts }, nowMs)
        : followWish(state, rollout, rollout.wish, endpointFacts, nowMs);
    case "inconclusive":
    case "error": {
      if (rollout.wish !== undefined) {
        return endpointFacts
          ? followWish(state, rollout, rollout.wish, endpointFacts, nowMs)
          : unread;
      }
      if (lacksVerdict(state, rollout, nowMs)) {
        const { inconclusiveSecondsMax } = state.manifest.rollout.analysis;
        return endpointFacts
          ? park(
              state,
              rollout,
              `no verdict for ${inconclusiveSecondsMax} s after the bake: ${verdict.reasons.join("; ")}`,
            )
          : unread;
      }
      return rollout.lastVerdict?.result === verdict.result
        ? ignore(reason)
        : [{ do: "record-measurement", to: { ...rollout, lastVerdict: verdict }, reason }];
    }
  }
};

const remember = (
  rollout: InPhase<"progressing">,
  verdict: Verdict,
  atMs: number,
): RolloutState["history"] => [...rollout.history, { atMs, weight: rollout.weight, verdict }];

const decideAdvance = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  verdict: Verdict,
  look: { readonly current: Segment | null; readonly endpointFacts: EndpointFacts },
  nowMs: number,
): readonly Decision[] => {
  const history = remember(rollout, verdict, nowMs);
  const because = `step ${rollout.weight} % successful: ${verdict.reasons.join("; ")}`;
  const next = nextStep(state, rollout);
  if (next === undefined) return promote(state, { ...rollout, history }, because, nowMs);
  const segments = look.current === null ? rollout.segments : [...rollout.segments, look.current];
  const waiting = awaitReplicas(state, rollout, next, look.endpointFacts, nowMs);
  return (
    waiting ??
    rise(state, { ...rollout, history, segments }, next, look.endpointFacts, because, nowMs)
  );
};

/** The next weight; the steps may have been changed since this one began, so only a higher one can be next. */
const nextStep = (state: ModelState, { weight }: InPhase<"progressing">): number | undefined =>
  state.manifest.rollout.steps.find((step) => step > weight);

/** Gives the challenger its next weight. */
const rise = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  weight: number,
  found: EndpointFacts,
  because: string,
  nowMs: number,
): readonly Decision[] => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const champion = state.champion?.deployed[name];
  const challenger = deployedIn(rollout, name);
  const step = state.manifest.rollout.steps.indexOf(weight);
  const { awaitedReplicas: _served, wish: _granted, ...rising } = rollout;
  return [
    {
      do: "advance-rollout",
      to: {
        ...rising,
        step,
        weight,
        stepStartedAtMs: nowMs,
        lastVerdict: null,
        championReplicas: championReplicasOf(found, champion, rollout.championReplicas),
      },
      reason: `${because}; next ${weight} %`,
    },
    {
      do: "set-traffic-split",
      endpoint,
      split: splitAt(champion, challenger, weight),
      expected: splitAt(champion, challenger, rollout.weight),
      reason: `canary step ${step + 1}: ${weight} %`,
    },
  ];
};

/** Goes where a person wants the rollout to be, without a verdict, as soon as the replicas serve. */
const followWish = (
  state: ModelState,
  rollout: InPhase<"progressing">,
  wish: NonNullable<InPhase<"progressing">["wish"]>,
  found: EndpointFacts,
  nowMs: number,
): readonly Decision[] => {
  const next = wish.to === "champion" ? 100 : nextStep(state, rollout);
  if (next === undefined || rollout.weight === 100) return promote(state, rollout, wish.why, nowMs);
  const waiting = awaitReplicas(state, rollout, next, found, nowMs);
  if (waiting !== null) return waiting;
  if (wish.to === "next step") return rise(state, rollout, next, found, wish.why, nowMs);
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const challenger = deployedIn(rollout, name);
  return [
    {
      do: "set-traffic-split",
      endpoint,
      split: only(challenger),
      expected: splitAt(state.champion?.deployed[name], challenger, rollout.weight),
      reason: wish.why,
    },
    ...promote(state, rollout, wish.why, nowMs),
  ];
};

/** A person moves a rollout on without waiting for the analysis; it goes on from where it is if it stood still. */
export const wishFor = (
  state: ModelState,
  rollout: InPhase<"progressing"> | InPhase<"parked">,
  command: { readonly name: "skip" | "promote-now"; readonly why: string },
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { name, endpoint } = environmentAt(state, rollout.environment);
  const found = facts.endpoints?.[endpoint];
  const believed = splitAt(
    state.champion?.deployed[name],
    deployedIn(rollout, name),
    rollout.weight,
  );
  if (!found) return ignore(`endpoint ${endpoint} was not read`);
  if (!sameSplit(found.trafficSplit, believed)) {
    return ignore(
      `traffic of ${endpoint} is ${JSON.stringify(found.trafficSplit)}, not ${JSON.stringify(believed)}: set it back, or abort the rollout`,
    );
  }
  const to = command.name === "skip" ? "next step" : "champion";
  const wish = { to, why: command.why } as const;
  const wishing = { ...(rollout.phase === "parked" ? resume(rollout, nowMs) : rollout), wish };
  const decisions = followWish(state, wishing, wish, found, nowMs);
  return decisions.some((decision) => decision.do !== "ignore")
    ? decisions
    : [
        {
          do: "resume-rollout",
          to: wishing,
          reason: `${command.why}; ${decisions.map(({ reason }) => reason).join("; ")}`,
        },
      ];
};

/** A person lets the challenger pass an environment without its test. */
export const skipSmokeTest = (
  state: ModelState,
  rollout: InPhase<"smoke-testing">,
  why: string,
  nowMs: number,
): readonly Decision[] => decideNextEnvironment(state, rollout, why, nowMs);

/** Ends a rollout because a person said so, from whatever split production has. */
export const abort = (
  state: ModelState,
  rollout: RolloutState,
  end: { readonly outcome: "rolled-back" | "aborted"; readonly reason: string },
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { endpoint } = environmentAt(state, rollout.environment);
  const found = facts.endpoints?.[endpoint]?.trafficSplit;
  return rollBack(
    state,
    rollout,
    { ...end, severity: "info", ...(found === undefined ? {} : { found }) },
    nowMs,
  );
};

/** A rollout that a person let go on bakes its step anew, at the weight it has. */
export const resume = (
  rollout: InPhase<"paused"> | InPhase<"parked">,
  nowMs: number,
): InPhase<"progressing"> => ({
  ...baseOf(rollout),
  phase: "progressing",
  step: rollout.step,
  weight: rollout.weight,
  stepStartedAtMs: nowMs,
  segments: rollout.segments,
  lastVerdict: null,
  ...(rollout.championReplicas === undefined ? {} : { championReplicas: rollout.championReplicas }),
});

/** The deployed model that serves an environment once the rollout has ended; undefined when it is not there. */
const keeperOf = (
  state: ModelState,
  rollout: InPhase<"cleaning">,
  { environment, endpoint }: Retired,
  facts: Facts,
): DeployedModelId | undefined => {
  const keeper = (rollout.outcome === "promoted" ? rollout : state.champion)?.deployed[environment];
  const isThere = keeper !== undefined && facts.endpoints?.[endpoint]?.deployed.includes(keeper);
  return isThere ? keeper : undefined;
};

/** Users must be served by something: the last model with production traffic stays when nobody can take it over. */
const mustStay = (
  state: ModelState,
  rollout: InPhase<"cleaning">,
  retired: Retired,
  facts: Facts,
): boolean => {
  const found = facts.endpoints?.[retired.endpoint];
  return (
    state.champion !== null &&
    retired.environment === environmentsOf(state).at(-1)?.name &&
    (found?.trafficSplit[retired.deployedModelId] ?? 0) > 0 &&
    keeperOf(state, rollout, retired, facts) === undefined
  );
};

/** Whether a waiting challenger may not start now; going back to who served before is possible in a freeze window. */
const isHeldBack = (state: ModelState, waiting: WaitingChallenger, nowMs: number): boolean =>
  state.manifest.mode === "observe-only" ||
  (waiting.isReturn !== true && freezeAt(state.manifest, "rollouts", nowMs) !== null);

const endRollout = (
  state: ModelState,
  rollout: InPhase<"cleaning">,
  staying: readonly Retired[],
  nowMs: number,
): readonly Decision[] => {
  const { outcome, reasons } = rollout;
  const decisions: Decision[] = [
    {
      do: "end-rollout",
      record: { ...baseOf(rollout), model: state.model, outcome, reasons, endedAtMs: nowMs },
      reason: reasons.join("; "),
    },
    // A call that gave the alias may have been answered late and come last: aliases know no compare-and-set.
    {
      do: "set-aliases",
      versionId: rollout.versionId,
      aliases: ["-challenger"],
      reason: "nobody is challenger when a rollout has ended",
    },
    ...staying.map(({ endpoint, deployedModelId }) => ({
      do: "notify" as const,
      severity: "page" as const,
      title: `${state.model}: ${deployedModelId} still serves ${endpoint}`,
      body: `It should go, but the champion is not deployed there any more, so nothing else could serve. Deploy the champion and give it the traffic, or set alias challenger on the version that should serve.`,
      reason: "traffic is never taken away without somebody to serve it",
    })),
  ];
  return state.waiting === null || isHeldBack(state, state.waiting, nowMs)
    ? decisions
    : [
        ...decisions,
        { do: "queue-challenger", waiting: null, reason: "its turn has come" },
        ...startRollout(state, state.waiting, nowMs),
      ];
};

/** The promoted model keeps no more replicas than its manifest says; null when there is nothing to scale back. */
const scaleBack = (
  state: ModelState,
  rollout: InPhase<"cleaning">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] | null => {
  const { name, endpoint } = environmentAt(state, environmentsOf(state).length - 1);
  const id = rollout.outcome === "promoted" ? rollout.deployed[name] : undefined;
  const found = facts.endpoints?.[endpoint];
  const { replicasMin, replicasMax } = state.manifest.serving;
  if (id === undefined || !found || (found.replicas[id]?.min ?? 0) <= replicasMin) return null;
  const askedAtMs = rollout.scaledBackAtMs;
  if (askedAtMs === undefined) {
    const reason = `the bake is over: ${id} goes back to ${replicasMin} to ${replicasMax} replicas`;
    return [
      { do: "advance-rollout", to: { ...rollout, scaledBackAtMs: nowMs }, reason },
      {
        do: "scale-deployed-model",
        endpoint,
        deployedModelId: id,
        replicasMin,
        replicasMax,
        reason,
      },
    ];
  }
  return nowMs - askedAtMs < undeployMsMax ? ignore(`${id} is scaled back`) : null;
};

const decideCleaning = (
  state: ModelState,
  rollout: InPhase<"cleaning">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const present = rollout.retired.filter(({ endpoint, deployedModelId }) => {
    const found = facts.endpoints?.[endpoint];
    if (found === undefined) return true;
    return found !== null && (found.deployed.includes(deployedModelId) || found.operation !== null);
  });
  const left = present.filter((retired) => !mustStay(state, rollout, retired, facts));
  if (left.length === 0) {
    return scaleBack(state, rollout, facts, nowMs) ?? endRollout(state, rollout, present, nowMs);
  }
  const isStalled = nowMs - rollout.sinceMs >= undeployMsMax;
  const decisions: Decision[] = [];
  const requested: DeployedModelId[] = [];
  for (const retired of left) {
    const { endpoint, deployedModelId } = retired;
    const found = facts.endpoints?.[endpoint];
    if (!found?.deployed.includes(deployedModelId)) continue;
    if ((found.trafficSplit[deployedModelId] ?? 0) > 0) {
      const keeper = keeperOf(state, rollout, retired, facts);
      decisions.push({
        do: "set-traffic-split",
        endpoint,
        split: keeper === undefined ? {} : only(keeper),
        expected: found.trafficSplit,
        reason: "a model that goes must have no traffic",
      });
    } else if (
      !rollout.requested.includes(deployedModelId) ||
      (isStalled && found.operation === null)
    ) {
      requested.push(deployedModelId);
      decisions.push({
        do: "undeploy-model",
        endpoint,
        deployedModelId,
        reason: `${deployedModelId} has no traffic and is not needed any more`,
      });
    }
  }
  if (decisions.length === 0) return ignore("undeployments are under way");
  return [
    {
      do: "advance-rollout",
      to: {
        ...rollout,
        sinceMs: isStalled ? nowMs : rollout.sinceMs,
        requested: [...new Set([...rollout.requested, ...requested])],
      },
      reason: "cleaning up",
    },
    ...decisions,
  ];
};

/** What a rollout does in a freeze window: it waits where it is, and says until when. */
const holdFrozen = (
  rollout: RolloutState,
  freeze: Freeze,
  decisions: readonly Decision[],
): readonly Decision[] => {
  const isForward = decisions.some((decision) => decision.do === "advance-rollout");
  if (!isForward) return decisions;
  const reason = `the rollout waits for the ${freezeText(freeze)}`;
  if (rollout.freeze?.untilMs === freeze.untilMs) return ignore(reason);
  // What has a limit on its waiting begins to wait when the window closes.
  const to =
    rollout.phase === "deploying" || rollout.phase === "smoke-testing"
      ? { ...rollout, freeze, sinceMs: freeze.untilMs }
      : { ...rollout, freeze };
  return [{ do: "freeze-rollout", to, reason }];
};

/** What a look at the world means for the rollout in progress. */
export const decideRollout = (
  state: ModelState,
  rollout: RolloutState,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const freeze = freezeAt(state.manifest, "rollouts", nowMs);
  // What has ended is cleaned up whenever it ended, and who served before may come back at any time.
  if (freeze === null || rollout.phase === "cleaning" || rollout.isReturn === true) {
    const { freeze: _over, ...thawed } = rollout;
    return decidePhase(state, thawed, facts, nowMs);
  }
  // A smoke test says something about its moment only, so it is made after the window.
  return holdFrozen(
    rollout,
    freeze,
    rollout.phase === "smoke-testing"
      ? [{ do: "advance-rollout", to: rollout, reason: "smoke test" }]
      : decidePhase(state, rollout, facts, nowMs),
  );
};

/** Under observe-only nothing is changed: a canary stands where it is until a person ends it or the mode is left. */
const observe = (
  state: ModelState,
  rollout: Exclude<RolloutState, InPhase<"cleaning">>,
): readonly Decision[] =>
  rollout.phase === "progressing"
    ? park(state, rollout, "observe-only was turned on during the rollout")
    : ignore(`observe-only: the rollout stays ${rollout.phase}, its traffic as it is`);

const decidePhase = (
  state: ModelState,
  rollout: RolloutState,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  if (state.manifest.mode === "observe-only" && rollout.phase !== "cleaning") {
    return observe(state, rollout);
  }
  const { endpoint } = environmentAt(state, rollout.environment);
  switch (rollout.phase) {
    case "deploying":
      if (state.isPaused && rollout.isReturn !== true)
        return ignore("the model is paused, and its rollout with it");
      return decideDeploying(state, rollout, facts.endpoints?.[endpoint], nowMs);
    case "smoke-testing":
      if (state.isPaused) return ignore("the model is paused, and its rollout with it");
      return decideSmokeTest(state, rollout, facts.endpoints?.[endpoint], facts.smokeTest, nowMs);
    case "awaiting-approval":
      if (hasQuorum(state, rollout)) return enterApproved(state, rollout, nowMs);
      return nowMs >= rollout.expiresAtMs
        ? expire(state, rollout, nowMs)
        : ignore("the rollout waits for approval");
    case "progressing":
      return decideProgress(state, rollout, facts, nowMs);
    case "paused":
      return ignore(`the rollout is paused by ${rollout.pausedBy}`);
    case "parked":
      return ignore(`the rollout is parked: ${rollout.parkedReason}`);
    case "cleaning":
      return decideCleaning(state, rollout, facts, nowMs);
  }
};

const expire = (
  state: ModelState,
  rollout: InPhase<"awaiting-approval">,
  nowMs: number,
): readonly Decision[] =>
  rollBack(state, rollout, { outcome: "aborted", reason: expired, severity: "warning" }, nowMs);

const quorumOf = (state: ModelState, rollout: InPhase<"awaiting-approval">): number => {
  const { approval } = environmentAt(state, rollout.environment + 1);
  return approval.by === "people" ? approval.quorum : 0;
};

const hasQuorum = (state: ModelState, rollout: InPhase<"awaiting-approval">): boolean =>
  rollout.approvedBy.length >= quorumOf(state, rollout);

const enterApproved = (
  state: ModelState,
  rollout: InPhase<"awaiting-approval">,
  nowMs: number,
): readonly Decision[] => {
  const reason =
    rollout.approvedBy.length === 0
      ? "no approval is needed any more"
      : `approved by ${rollout.approvedBy.join(", ")}`;
  const [to, deploy] = enter(state, rollout, rollout.environment + 1, nowMs, reason);
  return [
    { do: "advance-rollout", to, reason },
    { do: "clear-timer", kind: "approval-deadline", reason: "the approval was given" },
    deploy,
  ];
};

/** A person answered. */
export const decideApproval = (
  state: ModelState,
  rollout: InPhase<"awaiting-approval">,
  answer: { readonly decision: "approve" | "refuse"; readonly by: string },
  nowMs: number,
): readonly Decision[] => {
  const { approval } = environmentAt(state, rollout.environment + 1);
  const isOwnRefused = approval.by === "people" && approval.ownChange === "refuse";
  const answered = countAnswer(
    {
      quorum: quorumOf(state, rollout),
      expiresAtMs: rollout.expiresAtMs,
      approvedBy: rollout.approvedBy,
      askedBy: isOwnRefused ? (rollout.by ?? null) : null,
    },
    answer,
    nowMs,
  );
  const { reason } = answered;
  switch (answered.is) {
    case "ignored":
      return ignore(reason);
    case "refused":
      return rollBack(state, rollout, { outcome: "aborted", reason, severity: "info" }, nowMs);
    case "expired":
      return expire(state, rollout, nowMs);
    case "counted":
    case "approved": {
      const counted = { ...rollout, approvedBy: answered.approvedBy };
      const freeze = freezeAt(state.manifest, "rollouts", nowMs);
      const isWatched = state.manifest.mode === "observe-only";
      if (answered.is === "approved" && freeze === null && !isWatched) {
        return enterApproved(state, counted, nowMs);
      }
      const waiting = isWatched
        ? "; observe-only: it goes no further"
        : freeze === null
          ? ""
          : `; it waits for the ${freezeText(freeze)}`;
      return [{ do: "advance-rollout", to: counted, reason: `${reason}${waiting}` }];
    }
  }
};
