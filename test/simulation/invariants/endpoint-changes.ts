/** What must hold whenever an endpoint changes. */
import { sameSplit } from "../../../shared/domain/rollout/traffic.js";
import type { ModelState } from "../../../shared/domain/state.js";
import { knownForMs } from "../../../shared/runtime/handle.js";
import type { Finding, SeenChange, World } from "../world.js";

/** After a person touched an endpoint, calls that were under way may meet what they did not expect. */
const handMs = 600_000;

const ownerOf = (
  { endpoint }: SeenChange,
  world: World,
): {
  readonly state: ModelState;
  readonly environment: string;
  readonly isProduction: boolean;
} | null => {
  for (const state of world.store.models.values()) {
    const { environments } = state.manifest.promotion;
    const index = environments.findIndex((known) => known.endpoint === endpoint);
    const name = environments[index]?.name;
    if (name !== undefined) {
      return { state, environment: name, isProduction: index === environments.length - 1 };
    }
  }
  return null;
};

const wasTouched = ({ endpoint, atMs }: SeenChange, world: World): boolean =>
  atMs - (world.endpoints.handAtMs.get(endpoint) ?? -Infinity) < handMs;

/** Traffic adds up to 100 or is empty, and goes to models that are deployed. */
export const trafficIsWhole = (seen: SeenChange): Finding => {
  const weights = Object.entries<number>(seen.after);
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  if (weights.length > 0 && total !== 100) return `traffic of ${seen.endpoint} adds up to ${total}`;
  const lost = weights.find(([id]) => !seen.deployed.some((known) => known === id));
  return lost === undefined ? null : `${seen.endpoint} sends traffic to ${lost[0]}, which is gone`;
};

/** A split is set only where the decision to set it knew the one before. */
export const trafficIsNeverOverwrittenBlindly = (seen: SeenChange, world: World): Finding => {
  if (seen.what !== "split" || seen.by !== "us") return null;
  const isDecided = world.transitions.some(({ commit }) =>
    commit.entry.decisions.some(
      ({ decision }) =>
        decision.do === "set-traffic-split" &&
        decision.endpoint === seen.endpoint &&
        sameSplit(decision.split, seen.after) &&
        sameSplit(decision.expected, seen.before),
    ),
  );
  return isDecided
    ? null
    : `nobody decided to change ${seen.endpoint} from ${JSON.stringify(seen.before)} to ${JSON.stringify(seen.after)}`;
};

/** Beside the champion at most one version gets traffic: one rollout per endpoint. */
export const oneRolloutPerEndpoint = (seen: SeenChange, world: World): Finding => {
  const owner = ownerOf(seen, world);
  if (seen.what !== "split" || seen.by !== "us" || owner === null) return null;
  const champion = owner.state.champion?.deployed[owner.environment];
  const others = Object.keys(seen.after).filter((id) => id !== champion);
  return others.length <= 1
    ? null
    : `${others.join(" and ")} are rolled out to ${seen.endpoint} at once`;
};

/** Traffic rises only for the champion, or for a challenger up to the weight of its step. */
export const weightsRiseOnlyForWhoMayServe = (seen: SeenChange, world: World): Finding => {
  const owner = ownerOf(seen, world);
  if (seen.what !== "split" || seen.by !== "us" || owner === null) return null;
  const { state, environment, isProduction } = owner;
  const { champion, rollout } = state;
  for (const [id, weight] of Object.entries<number>(seen.after)) {
    if (weight <= (seen.before[id as keyof typeof seen.before] ?? 0)) continue;
    if (champion?.deployed[environment] === id) continue;
    if (rollout?.deployed[environment] === id && rollout.phase !== "cleaning") {
      if (!isProduction) continue;
      if ("weight" in rollout && weight <= rollout.weight) continue;
    }
    // A call that was under way when the decision changed may still land, and one of a process that has just decided
    // the opposite and does not know better yet; cleaning up undoes it.
    const changedAtMs = world.transitions.findLast(
      (transition) =>
        transition.model === state.model &&
        JSON.stringify(transition.before?.rollout?.phase) !==
          JSON.stringify(transition.after?.rollout?.phase),
    )?.atMs;
    if (changedAtMs !== undefined && seen.issuedAtMs <= changedAtMs + knownForMs) continue;
    return `${id} rose to ${weight} % on ${seen.endpoint} while the rollout is ${rollout?.phase ?? "over"}`;
  }
  return null;
};

/** Who serves, and who is being rolled out, stays deployed. */
export const whoServesStaysDeployed = (seen: SeenChange, world: World): Finding => {
  const owner = ownerOf(seen, world);
  if (seen.what !== "undeployed" || seen.by !== "us" || owner === null) return null;
  const { champion, rollout } = owner.state;
  if (champion?.deployed[owner.environment] === seen.about) {
    return `the champion was undeployed from ${seen.endpoint}`;
  }
  return rollout !== null &&
    rollout.phase !== "cleaning" &&
    rollout.deployed[owner.environment] === seen.about
    ? `the challenger was undeployed from ${seen.endpoint} while ${rollout.phase}`
    : null;
};

/** A read may be a minute old, and the call that follows it may be slow. */
const staleMs = 300_000;

const changedLately = ({ endpoint, atMs }: SeenChange, world: World): boolean =>
  atMs - (world.endpoints.endpoints.get(endpoint)?.history.at(-1)?.sinceMs ?? 0) < staleMs;

/** Nobody asks to undeploy what is known to have traffic. */
export const noUndeployUnderTraffic = (seen: SeenChange, world: World): Finding =>
  seen.what === "undeploy asked" &&
  seen.about !== undefined &&
  (seen.before[seen.about] ?? 0) > 0 &&
  !wasTouched(seen, world) &&
  !changedLately(seen, world)
    ? `${seen.about} was to be undeployed from ${seen.endpoint} at ${seen.before[seen.about]} %`
    : null;
