/** Manifests: plan, apply, read back. */
import { planManifest } from "../../manifest/diff.js";
import { manifestDigest } from "../../manifest/digest.js";
import { parseManifest } from "../../manifest/parse.js";
import { manifestApplied } from "../../../events/manifest.js";
import { modelName } from "../../../events/ids.js";
import { envelope, outcome } from "./commands.js";
import type { Handler } from "./context.js";
import { created, ok } from "./context.js";
import { ApiError } from "./errors.js";
import { existingModel } from "./read.js";

/** Cloud Scheduler's floor. */
const tickSeconds = 60;

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
  const handled = await context.handle(event, [model]);
  return created({ model, version, digest, isApplied: true, ...plan, ...outcome(id, handled) });
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
