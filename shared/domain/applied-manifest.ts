/** A manifest is applied. */
import type { EventOf } from "../../events/index.js";
import { manifestSchema } from "../manifest/schema.js";
import { ignore, type Decision } from "./decision.js";
import { obstacleToAdopt } from "./rollout/parts.js";
import { adoptSchedules } from "./schedules.js";
import type { ModelState } from "./state.js";
import { reconsiderTrigger } from "./trigger.js";

/** Adopts it, and looks again at what waits, which it may treat otherwise. */
export const adoptManifest = (
  event: EventOf<"manifest.applied">,
  state: ModelState | undefined,
  nowMs: number,
): readonly Decision[] => {
  const parsed = manifestSchema.safeParse(event.data.manifest);
  if (!parsed.success) return ignore(`the manifest is not valid: ${parsed.error.message}`);
  const obstacle = state === undefined ? null : obstacleToAdopt(state, parsed.data);
  if (obstacle !== null) return ignore(obstacle);
  return [
    {
      do: "adopt-manifest",
      model: event.data.model,
      manifest: parsed.data,
      version: event.data.version,
      digest: event.data.digest,
      ...(event.data.location === undefined ? {} : { location: event.data.location }),
      reason: `version ${event.data.version} applied by ${event.data.by}`,
    },
    ...adoptSchedules(state?.manifest ?? null, parsed.data, nowMs),
    ...(state === undefined ? [] : reconsiderTrigger({ ...state, manifest: parsed.data }, nowMs)),
  ];
};
