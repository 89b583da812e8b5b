/** What must hold at every minute, with bounds that outlast the longest outage. */
import type { Finding, World } from "../world.js";

/** Outages last minutes, and a message's back-off up to ten more. */
const rollBackMsMax = 60 * 60_000;

/** A challenger that was rolled back gets no users' traffic any more within a bound. */
export const failedChallengersLoseTheirTraffic = (world: World): Finding => {
  const nowMs = world.scheduler.nowMs();
  for (const { atMs, commit, before } of world.transitions) {
    if (nowMs - atMs < rollBackMsMax) continue;
    const production = before?.manifest.promotion.environments.at(-1)?.name;
    for (const { decision } of commit.entry.decisions) {
      if (decision.do !== "roll-back") continue;
      for (const { environment, endpoint, deployedModelId } of decision.to.phase === "cleaning"
        ? decision.to.retired
        : []) {
        if (environment !== production) continue;
        const found = world.endpoints.endpoints.get(endpoint);
        const weight = found?.split[deployedModelId] ?? 0;
        const handAtMs = world.endpoints.handAtMs.get(endpoint) ?? -Infinity;
        // Where a person undeployed who should serve instead, nobody is left, and people are told.
        const isAlone = found?.deployed.every(({ id }) => id === deployedModelId) ?? true;
        const isTouched = handAtMs > atMs || (isAlone && handAtMs > -Infinity);
        if (weight > 0 && !isTouched) {
          return `${deployedModelId} still has ${weight} % of ${environment}, ${Math.round((nowMs - atMs) / 60_000)} minutes after its roll-back`;
        }
      }
    }
  }
  return null;
};

/** Whatever is deployed is in the registry: no repair removes a version that serves or may serve. */
export const everyDeployedVersionIsInTheRegistry = ({ endpoints, registry }: World): Finding => {
  for (const { deployed } of endpoints.endpoints.values()) {
    const lost = deployed.find(
      ({ by, versionId }) => registry.version(by, versionId) === undefined,
    );
    if (lost !== undefined) {
      return `version ${lost.versionId} of ${lost.by} was removed and is deployed as ${lost.id}`;
    }
  }
  return null;
};
