/** Traffic splits: percents by deployed model id that sum to 100, or nothing at all. */
import { RpcError } from "../../protocol/service.js";
import type { TrafficSplit } from "../messages.js";

/** Stands for the model being deployed in the split of a DeployModel request. */
export const beingDeployed = "0";

/** Checks a split against the ids that it may name. */
export const checkTrafficSplit = (split: TrafficSplit, ids: readonly string[]): void => {
  const entries = Object.entries(split);
  if (entries.length === 0) return;
  for (const [id, percent] of entries) {
    if (!ids.includes(id)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Invalid traffic_split: "${id}" is not a deployed model of this endpoint${ids.length === 0 ? "" : ` (it has ${ids.join(", ")})`}.`,
      );
    }
    if (!Number.isInteger(percent) || percent < 0 || percent > 100) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Invalid traffic_split: ${percent} for "${id}" is not a percentage from 0 to 100.`,
      );
    }
  }
  const total = entries.reduce((sum, [, percent]) => sum + percent, 0);
  if (total !== 100) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid traffic_split: the percentages sum to ${total}, they must sum to 100.`,
    );
  }
};

/** A deployment's split with the new model's id in the place of "0". */
export const nameBeingDeployed = (split: TrafficSplit, id: string): TrafficSplit =>
  Object.fromEntries(
    Object.entries(split).map(([key, percent]) => [key === beingDeployed ? id : key, percent]),
  );

/** Draws a deployed model for one request; undefined when the split is empty. */
export const drawDeployedModel = (split: TrafficSplit, random: number): string | undefined => {
  let rest = random * 100;
  let last: string | undefined;
  for (const id in split) {
    const percent = split[id] ?? 0;
    if (percent <= 0) continue;
    last = id;
    rest -= percent;
    if (rest < 0) return id;
  }
  return last;
};
