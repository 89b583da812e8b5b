/** Effects that are performed late, by a redelivery or a tick: whether the state still wants them. */
import type { DeployedModelId } from "../../events/ids.js";
import type { Decision } from "./decision.js";
import { jobIdOf } from "./ids.js";
import { sameSplit } from "./rollout/traffic.js";
import type { ModelState, RolloutState } from "./state.js";
import { isNamed } from "./uploads.js";

type Split = Extract<Decision, { readonly do: "set-traffic-split" }>;
type Scaling = Extract<Decision, { readonly do: "scale-deployed-model" }>;
type Aliases = Extract<Decision, { readonly do: "set-aliases" }>;

const isIn = (id: string, deployed: Readonly<Record<string, DeployedModelId>>): boolean =>
  Object.values(deployed).some((known) => known === id);

/** The rollout that still moves; null once it has ended. */
const moving = ({ rollout }: ModelState): RolloutState | null =>
  rollout === null || rollout.phase === "cleaning" ? null : rollout;

/** Who should have an endpoint's traffic by now, perhaps nobody; undefined for an endpoint of no environment. */
const wantedSplit = (state: ModelState, endpoint: string): Split["split"] | undefined => {
  const { environments } = state.manifest.promotion;
  const index = environments.findIndex((environment) => environment.endpoint === endpoint);
  const name = environments[index]?.name;
  if (name === undefined) return undefined;
  const champion = state.champion?.deployed[name];
  const rollout = moving(state);
  const challenger = rollout?.deployed[name];
  const served: Split["split"] = champion === undefined ? {} : { [champion]: 100 };
  if (rollout === null || challenger === undefined) return served;
  if (index === environments.length - 1) {
    if (!("weight" in rollout)) return served;
    return champion === undefined || rollout.weight === 100
      ? { [challenger]: 100 }
      : { [champion]: 100 - rollout.weight, [challenger]: rollout.weight };
  }
  // Before production, the challenger has everything from its smoke test on.
  return rollout.environment === index && rollout.phase === "deploying"
    ? served
    : { [challenger]: 100 };
};

const supersededSplit = (state: ModelState, { endpoint, split }: Split): string | null => {
  const wanted = wantedSplit(state, endpoint);
  return wanted === undefined || sameSplit(wanted, split)
    ? null
    : `${endpoint} should have ${JSON.stringify(wanted)} by now`;
};

const supersededScaling = (state: ModelState, scaling: Scaling): string | null => {
  const { deployedModelId: id, replicasMin } = scaling;
  const rollout = moving(state);
  const awaited = rollout !== null && "awaitedReplicas" in rollout && rollout.awaitedReplicas;
  const isAwaited = isIn(id, rollout?.deployed ?? {}) && awaited && awaited.count === replicasMin;
  const isChampions = rollout === null && isIn(id, state.champion?.deployed ?? {});
  return isAwaited || isChampions ? null : `${id} does not wait for ${replicasMin} replicas`;
};

const supersededAliases = (state: ModelState, { versionId, aliases }: Aliases): string | null => {
  const isRolledOut = moving(state)?.versionId === versionId;
  if (aliases.includes("champion")) {
    return state.champion?.versionId === versionId ? null : `${versionId} is not champion any more`;
  }
  if (aliases.includes("challenger")) {
    return isRolledOut ? null : `${versionId} is not rolled out any more`;
  }
  if (aliases.includes("default") && state.champion !== null) {
    return state.champion.versionId === versionId ? null : `${versionId} is not champion`;
  }
  return isRolledOut && aliases.includes("-challenger") ? `${versionId} is rolled out again` : null;
};

/**
 * Why a decision's effect must not be performed any more; null when it must. What another event has replaced since
 * would undo that event's effects: deploy what was undeployed, or set an earlier weight.
 */
export const supersededBy = (decision: Decision, state: ModelState | null): string | null => {
  if (decision.do === "forget-model") {
    return state === null ? null : "the model is known again";
  }
  if (decision.do === "notify" || decision.do === "promote") return null;
  if (state === null) return "the model was forgotten";
  switch (decision.do) {
    case "adopt-manifest":
      return state.manifestDigest === decision.digest ? null : "another manifest was applied";
    case "submit-pipeline-job":
      return state.run !== null &&
        jobIdOf(state.run) === decision.job.run &&
        state.run.phase !== "cancelling"
        ? null
        : `run ${decision.to.run} is not live any more`;
    case "register-model-version":
      return state.run?.run === decision.to.run ? null : `run ${decision.to.run} has ended`;
    case "deploy-model":
      return isIn(decision.deployedModelId, moving(state)?.deployed ?? {})
        ? null
        : `${decision.deployedModelId} is not rolled out any more`;
    case "undeploy-model": {
      const id = decision.deployedModelId;
      const isNeeded =
        isIn(id, state.champion?.deployed ?? {}) || isIn(id, moving(state)?.deployed ?? {});
      return isNeeded ? `${id} is needed again` : null;
    }
    case "set-traffic-split":
      return supersededSplit(state, decision);
    case "scale-deployed-model":
      return supersededScaling(state, decision);
    case "set-aliases":
      return supersededAliases(state, decision);
    case "remove-model-version":
      return isNamed(state, decision.versionId) ? `${decision.versionId} is used` : null;
    case "import-evaluation":
    case "request-training-run":
    case "retry-training-run":
    case "publish-evaluation":
    case "cancel-pipeline-job":
    case "ignore":
    case "record-dataset":
    case "hold-trigger":
    case "drop-trigger":
    case "remember":
    case "set-timer":
    case "clear-timer":
    case "enter-phase":
    case "end-run":
    case "queue-challenger":
    case "start-rollout":
    case "advance-rollout":
    case "pause-rollout":
    case "resume-rollout":
    case "park-rollout":
    case "roll-back":
    case "freeze-rollout":
    case "record-measurement":
    case "end-rollout":
    case "pause-model":
    case "park-model":
    case "resume-model":
      return null;
  }
};
