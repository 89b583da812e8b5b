/** What every phase of a rollout is made of: its environment, its deployed model, what it carries along. */
import type { DeployedModelId } from "../../../events/ids.js";
import type { Manifest } from "../../manifest/schema.js";
import { deployedModelIdFor } from "../ids.js";
import type { ModelState, RolloutBase, RolloutState } from "../state.js";

/** A rollout in one of its phases. */
export type InPhase<Phase extends RolloutState["phase"]> = RolloutState & { readonly phase: Phase };

/** A model's environments, production last. */
export const environmentsOf = (state: ModelState) => state.manifest.promotion.environments;

/** One environment; a placeholder for one that the manifest no longer has. */
export const environmentAt = (state: ModelState, index: number) => {
  const found = environmentsOf(state)[index];
  return found ?? { name: "unknown", endpoint: "unknown", approval: { by: "automatic" as const } };
};

const placesOf = ({ promotion }: Manifest): string =>
  JSON.stringify(promotion.environments.map(({ name, endpoint }) => [name, endpoint]));

/** Why a manifest can't be adopted now; null when it can. A rollout that lost its environments would leave its traffic there. */
export const obstacleToAdopt = (state: ModelState, next: Manifest): string | null =>
  state.rollout === null || placesOf(state.manifest) === placesOf(next)
    ? null
    : `rollout ${state.rollout.rollout} is ${state.rollout.phase} in the environments that this manifest changes: wait for its end, or abort it, and apply the manifest again`;

/** Whether an environment is the last. */
export const isProduction = (state: ModelState, index: number): boolean =>
  index === environmentsOf(state).length - 1;

/** The rollout's own deployed model in an environment. */
export const deployedIn = (rollout: RolloutState, environment: string): DeployedModelId =>
  rollout.deployed[environment] ?? deployedModelIdFor(rollout.rollout, environment);

/** What every phase of a rollout has. */
export const baseOf = (rollout: RolloutBase): RolloutBase => ({
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
