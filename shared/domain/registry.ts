/** What people do in the model registry: versions that they upload, aliases that they set. */
import type { EventOf } from "../../events/index.js";
import { ignore, type Decision } from "./decision.js";
import type { Facts, ModelVersionFacts } from "./facts.js";
import { correlationOf } from "./ids.js";
import { offer } from "./rollout/offering.js";
import { registered } from "./run/registering.js";
import type { ModelState } from "./state.js";

/** A version that was looked up; an id may be any text, also the name of something that every object has. */
const versionIn = ({ versions = {} }: Facts, versionId: string): ModelVersionFacts | null =>
  Object.hasOwn(versions, versionId) ? (versions[versionId] ?? null) : null;

/**
 * Identities of our own functions: functions/manifest.ts names them all alike, and a laptop has one for all. The project
 * in their addresses has dots where its id begins with a domain.
 */
const ownPrincipal = /^(?:fn-[a-z-]+|continuo)@[a-z0-9.-]+\.iam\.gserviceaccount\.com$/;

/** A person asks for the rollout of a version by giving it the alias challenger. */
const offerByHand = (
  state: ModelState,
  event: EventOf<"model-version.registered"> | EventOf<"model-version.aliased">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { versionId, principal } = event.data;
  if (!state.manifest.triggers.registryAliases) return ignore("the manifest ignores the registry");
  if (versionId === state.champion?.versionId) return ignore("this version is already champion");
  if (state.rollout?.versionId === versionId || state.waiting?.versionId === versionId) {
    return ignore("this version is already being rolled out");
  }
  if (state.ended?.versionId === versionId && Date.parse(event.time) <= state.ended.atMs) {
    return ignore("the alias is from before the end of this version's rollout; set it once more");
  }
  // A call of ours that a slow network delivers late looks like a wish.
  if (ownPrincipal.test(principal)) {
    return ignore("no person asked: the alias is our own, of a rollout that has ended");
  }
  const version = versionIn(facts, versionId);
  if (!version?.aliases.includes("challenger")) {
    return ignore(`version ${versionId} does not hold the alias challenger any more`);
  }
  return offer(
    state,
    {
      run: null,
      cause: `${principal} set alias challenger on version ${versionId} at ${event.time}`,
      versionId,
      artifactUri: version.artifactUri,
      artifactDigest: version.artifactDigest ?? "",
      servingImage: version.servingImage,
      report: state.champion?.report ?? null,
      correlationId: correlationOf(event),
      by: principal,
    },
    nowMs,
  );
};

/** A version appeared: the live run's own, or one that a person uploaded. */
export const decideRegistration = (
  state: ModelState,
  event: EventOf<"model-version.registered">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { versionId } = event.data;
  if (state.run?.phase === "registering") {
    const own = facts.versions?.[state.run.run];
    if (own?.versionId === versionId) return registered(state, state.run, own, nowMs);
  }
  return versionIn(facts, versionId)?.aliases.includes("challenger")
    ? offerByHand(state, event, facts, nowMs)
    : ignore(
        `version ${versionId} does not ask for anything; alias challenger asks for its rollout`,
      );
};

/** Aliases of a version changed: challenger asks for its rollout, champion alone for nothing. */
export const decideAliases = (
  state: ModelState,
  event: EventOf<"model-version.aliased">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { versionId, aliases, principal } = event.data;
  if (aliases.includes("champion") && state.champion?.versionId !== versionId) {
    if (state.rollout?.versionId === versionId) return ignore("our own rollout sets this alias");
    return versionIn(facts, versionId)?.aliases.includes("champion") !== true
      ? ignore(`version ${versionId} does not hold the alias champion any more`)
      : [
          {
            do: "notify",
            severity: "warning",
            title: `${state.model}: alias champion was moved by hand`,
            body: `${principal} set champion on version ${versionId}; version ${state.champion?.versionId ?? "none"} serves. Set alias challenger on a version to roll it out.`,
            reason: "an alias alone moves no traffic",
          },
        ];
  }
  return aliases.includes("challenger")
    ? offerByHand(state, event, facts, nowMs)
    : ignore("no alias that asks for anything");
};
