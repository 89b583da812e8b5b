/** The gcloud commands with which a person ends a rollout without the control plane. */
import type { ModelState, RolloutState } from "../state.js";
import { deployedIn, environmentAt, environmentsOf } from "./parts.js";

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
