/** How a decision changes the state. Pure: replaying the decisions gives the same state. */
import type { ContinuoEvent } from "../../events/index.js";
import { currentBudget } from "./budget.js";
import type { Decision } from "./decision.js";
import { shortHash } from "./ids.js";
import type { Champion, DatasetVersion, ModelState } from "./state.js";
import { withUploaded } from "./uploads.js";

/** Bounds of what a state document remembers. */
const datasetsMax = 48;
const seenMax = 200;
const retiredMax = 20;
const formerMax = 5;

const newState = (decision: Decision & { readonly do: "adopt-manifest" }): ModelState => ({
  model: decision.model,
  manifest: decision.manifest,
  manifestVersion: decision.version,
  manifestDigest: decision.digest,
  ...(decision.location === undefined ? {} : { location: decision.location }),
  isPaused: false,
  parkedReason: null,
  datasets: [],
  trigger: null,
  seen: [],
  lastRunStartedAtMs: null,
  fruitlessRuns: 0,
  run: null,
  champion: null,
  rollout: null,
  waiting: null,
  budget: { month: "", spentUsd: 0, reservedUsd: 0 },
  sequence: 0,
  head: "",
});

/** The versions with one more, or with one changed; a stopped one that arrived again is the newest. */
export const addDataset = (
  datasets: readonly DatasetVersion[],
  dataset: DatasetVersion,
): readonly DatasetVersion[] => {
  const known = datasets.find(({ fingerprint }) => fingerprint === dataset.fingerprint);
  return known === undefined || (known.isStopped === true && dataset.isStopped !== true)
    ? [...datasets.filter((other) => other !== known), dataset].slice(-datasetsMax)
    : datasets.map((other) => (other === known ? dataset : other));
};

/** The champions before: one more, or one less where the newest of them comes back. */
const formerAfter = (
  { former = [], champion }: ModelState,
  next: Champion,
): NonNullable<ModelState["former"]> => {
  if (former.at(-1)?.versionId === next.versionId) return former.slice(0, -1);
  return champion === null ? former : [...former, champion].slice(-formerMax);
};

const withRetired = (state: ModelState, atMs: number): NonNullable<ModelState["retired"]> => {
  const retired = state.rollout?.phase === "cleaning" ? state.rollout.retired : [];
  return [
    ...(state.retired ?? []),
    ...retired.map(({ environment, endpoint, deployedModelId }) => ({
      environment,
      endpoint,
      deployedModelId,
      atMs,
    })),
  ].slice(-retiredMax);
};

/** The state after one decision; null once the model is forgotten. */
export const evolve = (
  state: ModelState | null,
  decision: Decision,
  nowMs: number,
): ModelState | null => {
  if (decision.do === "adopt-manifest") {
    return state === null
      ? newState(decision)
      : {
          ...state,
          manifest: decision.manifest,
          manifestVersion: decision.version,
          manifestDigest: decision.digest,
          ...(decision.location === undefined ? {} : { location: decision.location }),
        };
  }
  if (state === null) return null;
  switch (decision.do) {
    case "ignore":
    case "set-timer":
    case "clear-timer":
    case "deploy-model":
    case "undeploy-model":
    case "scale-deployed-model":
    case "set-traffic-split":
    case "set-aliases":
    case "remove-model-version":
    case "import-evaluation":
    case "notify":
      return state;
    case "forget-model":
      return null;
    case "record-dataset":
      return { ...state, datasets: addDataset(state.datasets, decision.dataset) };
    case "hold-trigger":
      return { ...state, trigger: decision.trigger };
    case "drop-trigger":
      return { ...state, trigger: null };
    case "remember":
      return { ...state, seen: [...state.seen, decision.content].slice(-seenMax) };
    case "request-training-run": {
      const budget = currentBudget(state, nowMs);
      return {
        ...state,
        trigger: null,
        run: decision.to,
        lastRunStartedAtMs: nowMs,
        budget: { ...budget, reservedUsd: budget.reservedUsd + decision.to.reservedUsd },
      };
    }
    case "retry-training-run":
    case "submit-pipeline-job":
    case "enter-phase":
    case "publish-evaluation":
    case "register-model-version":
    case "cancel-pipeline-job":
      return { ...state, run: decision.to };
    case "end-run": {
      const budget = currentBudget(state, nowMs);
      return {
        ...state,
        // A run refused before it began was never the live one.
        ...(state.run?.run === decision.record.run
          ? { run: null, fruitlessRuns: state.fruitlessRuns + 1 }
          : {}),
        ...withUploaded(state, decision.record, nowMs),
        budget: {
          ...budget,
          spentUsd: budget.spentUsd + decision.settledUsd,
          reservedUsd: Math.max(0, budget.reservedUsd - decision.record.reservedUsd),
        },
      };
    }
    case "queue-challenger":
      return { ...state, waiting: decision.waiting };
    case "start-rollout":
    case "advance-rollout":
    case "pause-rollout":
    case "resume-rollout":
    case "park-rollout":
    case "roll-back":
    case "freeze-rollout":
    case "record-measurement":
      return { ...state, rollout: decision.to };
    case "end-rollout":
      return {
        ...state,
        rollout: null,
        retired: withRetired(state, nowMs),
        ended: { versionId: decision.record.versionId, atMs: nowMs },
      };
    case "promote":
      return {
        ...state,
        champion: decision.champion,
        former: formerAfter(state, decision.champion),
        fruitlessRuns: 0,
      };
    case "pause-model":
      return { ...state, isPaused: true };
    case "park-model":
      return { ...state, parkedReason: decision.reason };
    case "resume-model":
      return { ...state, isPaused: false, parkedReason: null, fruitlessRuns: 0 };
  }
};

/** Whether a decision changes the state or the timers. */
export const isChange = (decision: Decision): boolean => decision.do !== "ignore";

/** JSON with sorted keys, so that equal values have equal text. */
export const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );

/** One link of a model's hash chain of state changes. */
export interface ChainLink {
  readonly sequence: number;
  readonly previous: string;
  readonly hash: string;
}

/** What a link stands for: the event as it is journalled, when it came, and what was decided about it. */
export interface LinkedFact {
  readonly event: ContinuoEvent;
  readonly receivedAtMs: number;
  readonly decisions: readonly Decision[];
}

/** The hash of a link: a change of anything that it stands for, or of its place, changes it. */
export const linkHash = (
  { sequence, previous }: Pick<ChainLink, "sequence" | "previous">,
  { event, receivedAtMs, decisions }: LinkedFact,
): string => shortHash(canonicalJson({ sequence, previous, event, receivedAtMs, decisions }), 64);

/** The link that a fact adds to the chain of a state. */
export const nextLink = (
  state: Pick<ModelState, "sequence" | "head"> | null,
  fact: LinkedFact,
): ChainLink => {
  const place = { sequence: (state?.sequence ?? 0) + 1, previous: state?.head ?? "" };
  return { ...place, hash: linkHash(place, fact) };
};
