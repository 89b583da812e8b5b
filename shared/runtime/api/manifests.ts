/** Manifests: plan, apply, read back. */
import { planManifest } from "../../manifest/diff.js";
import { manifestDigest } from "../../manifest/digest.js";
import { parseManifest } from "../../manifest/parse.js";
import { manifestApplied } from "../../../events/manifest.js";
import { modelName } from "../../../events/ids.js";
import { obstacleToAdopt } from "../../domain/rollout/parts.js";
import type { ModelState } from "../../domain/state.js";
import type { Manifest } from "../../manifest/schema.js";
import { envelope, outcome } from "./commands.js";
import type { ApiContext, Handler } from "./context.js";
import { created, ok } from "./context.js";
import { ApiError } from "./errors.js";
import { existingModel } from "./read.js";

/** Cloud Scheduler's floor. */
const tickSeconds = 60;

/** Refuses what would take a rollout's endpoints away from it, or give two models one endpoint. */
const refuseConflict = async (
  { ports }: ApiContext,
  manifest: Manifest,
  state: ModelState | null,
): Promise<void> => {
  const obstacle = state === null ? null : obstacleToAdopt(state, manifest);
  if (obstacle !== null) throw new ApiError(409, "rollout-in-progress", obstacle);
  for (const { endpoint } of manifest.promotion.environments) {
    const owners = await ports.state.models({ by: "endpoint", endpoint });
    const other = owners.find(({ model }) => model !== manifest.name);
    if (other !== undefined) {
      throw new ApiError(
        409,
        "endpoint-in-use",
        `endpoint ${endpoint} belongs to model ${other.model}: two rollouts would take each other's traffic. Name another endpoint, or forget that model first: continuo delete ${other.model}`,
      );
    }
  }
};

/** POST /manifests?dryRun=: validates a manifest, answers the plan, and applies it unless asked not to. */
export const postManifest: Handler = async (context, request) => {
  const parsed = parseManifest(request.body);
  if (!parsed.ok) {
    throw new ApiError(
      400,
      "invalid-manifest",
      `the manifest has ${parsed.problems.length} problem${parsed.problems.length === 1 ? "" : "s"}`,
      parsed.problems,
    );
  }
  const { manifest } = parsed;
  if (!context.isLocal && manifest.rollout.bakeSeconds < tickSeconds) {
    throw new ApiError(
      400,
      "invalid-manifest",
      `rollout.bakeSeconds is ${manifest.rollout.bakeSeconds}: on Google Cloud a rollout is looked at once a minute, so it must be at least ${tickSeconds}`,
    );
  }
  const model = modelName.parse(manifest.name);
  const state = await context.ports.state.model(model);
  await refuseConflict(context, manifest, state);
  const plan = planManifest(state?.manifest ?? null, manifest);
  const digest = manifestDigest(manifest);
  const isDryRun = ["true", "1", ""].includes(request.query.get("dryRun") ?? "no");
  if (isDryRun || plan.action === "unchanged") {
    return ok({
      model,
      version: state?.manifestVersion ?? 0,
      digest,
      isApplied: false,
      ...plan,
    });
  }
  const version = (state?.manifestVersion ?? 0) + 1;
  const id = `manifest/${model}/${context.newId()}`;
  const event = manifestApplied.parse({
    ...envelope(context, id),
    type: "manifest.applied",
    subject: model,
    data: { model, version, digest, by: context.by, location: context.location, manifest },
  });
  const came = outcome(id, await context.handle(event, [model]));
  return created({ model, version, digest, isApplied: came.isEffective, ...plan, ...came });
};

/** GET /manifests/:model */
export const getManifest: Handler = async (context, _request, { model }) => {
  const state = await existingModel(context, model);
  return ok({
    model: state.model,
    version: state.manifestVersion,
    digest: state.manifestDigest,
    manifest: state.manifest,
  });
};
