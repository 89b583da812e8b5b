/** The loop-breaker: what we caused ourselves never starts a run, and runs that lead nowhere stop by themselves. */
import type { Decision } from "./decision.js";
import type { ModelState, TriggerKind } from "./state.js";

/** An alert, as far as it tells whose doing it is. */
export interface Alert {
  readonly objective: "feature" | "prediction" | "attribution" | "quality";
  readonly deployedModelId: string | undefined;
  /** The chain of events that the alert says it belongs to. */
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
}

const isAlertKind = (kind: TriggerKind | undefined): boolean =>
  kind === "drift" || kind === "skew" || kind === "decay";

/** Users change the features; what predictions and attributions look like changes with whoever serves. */
const dependsOnModel = ({ objective }: Alert): boolean =>
  objective === "prediction" || objective === "attribution";

/** Why an alert is our own rollout's or promotion's doing; null when it is not. */
export const ownDoing = (state: ModelState, alert: Alert, nowMs: number): string | null => {
  const { rollout, champion, manifest } = state;
  const { correlationId, causationId, deployedModelId } = alert;
  if (rollout !== null) {
    if (correlationId !== undefined && correlationId === rollout.correlationId) {
      return `it belongs to the chain of events of our own rollout ${rollout.rollout}`;
    }
    if (Object.values(rollout.deployed).some((id) => id === deployedModelId)) {
      return `it is about ${deployedModelId}, which our own rollout ${rollout.rollout} deployed`;
    }
    if ("weight" in rollout && dependsOnModel(alert)) {
      return `our own rollout ${rollout.rollout} changes the predictions while it is in progress`;
    }
  }
  if (champion === null) return null;
  const promotion = `our own promotion of version ${champion.versionId}`;
  if (causationId?.startsWith(`model.promoted/${state.model}@`) === true) {
    return `it was caused by ${promotion}`;
  }
  const agoMs = nowMs - champion.sinceMs;
  if (agoMs >= manifest.triggers.ownChangeSeconds * 1000) return null;
  const ago = `${promotion} ${Math.round(agoMs / 60_000)} minutes ago`;
  if (dependsOnModel(alert)) return `${ago} changed the predictions`;
  return isAlertKind(champion.trigger)
    ? `it came after ${ago}, which already answered an alert (${champion.trigger ?? ""})`
    : null;
};

/** Parks a model until a person has looked, and tells them. */
export const parkModel = (state: ModelState, reason: string): readonly Decision[] => [
  { do: "park-model", reason },
  {
    do: "notify",
    severity: "page",
    title: `${state.model}: parked, no run starts`,
    body: `${reason}. See: continuo why ${state.model}. Let it go on with: continuo resume ${state.model}`,
    reason: "a person must look before more is spent",
  },
];

/** Parks the model when too many runs in a row ended without a promotion. */
export const breakFruitlessLoop = (
  state: ModelState,
  fruitlessRuns: number,
): readonly Decision[] =>
  state.parkedReason === null && fruitlessRuns >= state.manifest.triggers.fruitlessRunsMax
    ? parkModel(state, `${fruitlessRuns} runs in a row ended without a promotion`)
    : [];
