/** Capacity before traffic: the challenger's replicas rise to its share of the champion's before each weight. */
import type { DeployedModelId } from "../../events/ids.js";
import type { Manifest } from "../manifest/schema.js";
import type { EndpointFacts } from "./facts.js";
import type { AwaitedReplicas } from "./state.js";

/** Replicas that do not serve this long after they were first asked for will not come. */
export const replicasMsMax = 60 * 60 * 1000;
/** An operation that failed late has changed nothing: the replicas are asked for again after this long. */
const askAgainMs = 10 * 60 * 1000;

/** What a weight needs, and what is being done about it. */
export type Capacity =
  | { readonly is: "enough" }
  | { readonly is: "wanted"; readonly awaited: AwaitedReplicas; readonly replicasMax: number }
  | { readonly is: "awaited" | "overdue"; readonly reason: string };

/** The replicas that a share of the champion's traffic takes. */
const replicasFor = (championReplicas: number, weight: number): number =>
  Math.max(1, Math.ceil((championReplicas * weight) / 100));

/** Whether the challenger can take a weight now; a model whose replicas nobody set always can. */
export const capacityFor = (
  weight: number,
  challenger: DeployedModelId,
  look: {
    readonly championReplicas: number;
    readonly awaited: AwaitedReplicas | undefined;
    readonly endpoint: EndpointFacts;
    readonly serving: Manifest["serving"];
  },
  nowMs: number,
): Capacity => {
  const { awaited, endpoint, serving } = look;
  const found = endpoint.replicas[challenger];
  const count = replicasFor(look.championReplicas, weight);
  if (found === undefined || found.available >= count) return { is: "enough" };
  const reason = `${weight} % takes ${count} replicas of ${challenger}, ${found.available} serve`;
  const isSame = awaited?.count === count;
  if (isSame && nowMs - awaited.sinceMs >= replicasMsMax) {
    return {
      is: "overdue",
      reason: `${reason} ${replicasMsMax / 60_000} minutes after they were asked for`,
    };
  }
  if (endpoint.operation !== null) {
    return { is: "awaited", reason: `${reason}; ${endpoint.operation} is changing the endpoint` };
  }
  if (isSame && (found.min >= count || nowMs - awaited.askedAtMs < askAgainMs)) {
    return { is: "awaited", reason: `${reason}; they were asked for` };
  }
  return {
    is: "wanted",
    awaited: { count, sinceMs: isSame ? awaited.sinceMs : nowMs, askedAtMs: nowMs },
    replicasMax: Math.max(serving.replicasMax, count),
  };
};

/** The champion's replicas as far as known: what it has now, or had before the canary took of its traffic. */
export const championReplicasOf = (
  endpoint: EndpointFacts,
  champion: DeployedModelId | undefined,
  before = 1,
): number =>
  Math.max(before, champion === undefined ? 1 : (endpoint.replicas[champion]?.available ?? 1));
