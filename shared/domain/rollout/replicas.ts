/** Replicas before traffic. */
import { capacityFor, championReplicasOf } from "../capacity.js";
import { type Decision, ignore } from "../decision.js";
import type { EndpointFacts } from "../facts.js";
import type { ModelState } from "../state.js";
import { rollBack } from "./ending.js";
import { type InPhase, deployedIn, environmentAt } from "./parts.js";

/** Raises the challenger's replicas before a weight, or waits for them; null when they serve and nothing changes the endpoint. */
export const awaitReplicas = (
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
