/** A rollout that has ended and is cleaned up: models without traffic go, and the next challenger starts. */
import type { DeployedModelId } from "../../../events/ids.js";
import { type Decision, ignore } from "../decision.js";
import type { Facts } from "../facts.js";
import type { ModelState, Retired } from "../state.js";
import { takeAlias } from "./aliases.js";
import { type InPhase, baseOf, environmentAt, environmentsOf } from "./parts.js";
import { obstacleToStart } from "./offering.js";
import { startRollout } from "./starting.js";
import { only } from "./traffic.js";

/** An undeployment that has not shown after this long is asked for again. */
const undeployMsMax = 10 * 60 * 1000;

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

/** The rollout is over. Its alias is taken once more: a call that gave it may have come after the one that took it. */
export const over = (
  { model }: ModelState,
  rollout: InPhase<"cleaning">,
  nowMs: number,
): readonly Decision[] => {
  const { outcome, reasons, versionId } = rollout;
  return [
    {
      do: "end-rollout",
      record: { ...baseOf(rollout), model, outcome, reasons, endedAtMs: nowMs },
      reason: reasons.join("; "),
    },
    takeAlias(versionId, "nobody is challenger when a rollout has ended"),
  ];
};

const endRollout = (
  state: ModelState,
  rollout: InPhase<"cleaning">,
  staying: readonly Retired[],
  nowMs: number,
): readonly Decision[] => {
  const decisions: Decision[] = [
    ...over(state, rollout, nowMs),
    ...staying.map(({ endpoint, deployedModelId }) => ({
      do: "notify" as const,
      severity: "page" as const,
      title: `${state.model}: ${deployedModelId} still serves ${endpoint}`,
      body: `It should go, but the champion is not deployed there any more, so nothing else could serve. Deploy the champion and give it the traffic, or set alias challenger on the version that should serve.`,
      reason: "traffic is never taken away without somebody to serve it",
    })),
  ];
  return state.waiting === null || obstacleToStart(state, state.waiting, nowMs) !== null
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

/** A look at what is still to be undeployed. */
export const decideCleaning = (
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
