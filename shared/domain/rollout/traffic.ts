/** Traffic splits: who gets how much. */
import type { DeployedModelId } from "../../../events/ids.js";

/** Percent of an endpoint's traffic by deployed model. */
export type Split = Readonly<Record<DeployedModelId, number>>;

/** Whether two splits are the same; deployed models at 0 % do not count. */
export const sameSplit = (a: Split, b: Split): boolean => {
  const shares = (split: Split): string =>
    JSON.stringify(
      Object.entries<number>(split)
        .filter(([, weight]) => weight > 0)
        .toSorted(([x], [y]) => (x < y ? -1 : 1)),
    );
  return shares(a) === shares(b);
};

/** All traffic to one deployed model. */
export const only = (id: DeployedModelId): Split => ({ [id]: 100 });

/** The split of one canary step. */
export const splitAt = (
  champion: DeployedModelId | undefined,
  challenger: DeployedModelId,
  weight: number,
): Split =>
  champion === undefined || weight === 100
    ? only(challenger)
    : { [champion]: 100 - weight, [challenger]: weight };
