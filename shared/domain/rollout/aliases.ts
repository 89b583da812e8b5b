/** What the registry calls the version that is being rolled out. */
import type { ModelVersionId } from "../../../events/ids.js";
import type { Decision } from "../decision.js";

/** Only we give this alias, always with `challenger`: a challenger without it is a person's wish. */
export const ownMark = "in-rollout";

/** The registry shows who asks to replace the champion. */
export const askForAlias = (versionId: ModelVersionId): Decision => ({
  do: "set-aliases",
  versionId,
  aliases: ["challenger", ownMark],
  reason: "the version asks to replace the champion",
});

/** Takes from a version what a rollout has given it. */
export const withoutChallenger = ["-challenger", `-${ownMark}`] as const;

/** The version is not called challenger any more. */
export const takeAlias = (versionId: ModelVersionId, reason: string): Decision => ({
  do: "set-aliases",
  versionId,
  aliases: withoutChallenger,
  reason,
});
