/** The models of one seed: small manifests whose policies differ. */
import type { Manifest } from "../../shared/manifest/schema.js";
import { manifestOf } from "../fixtures/manifest.js";
import type { Random } from "./random.js";

const stepLists = [[100], [10, 100], [10, 50, 100], [5, 20, 50, 100]] as const;

/** The dataset that a model learns from; some models share one. */
const datasetName = (random: Random, index: number): string =>
  random.chance(0.3) ? "shared-rows" : `rows-${index}`;

const hourly = { name: "hourly", cron: "20 * * * *" };

/** A timer of our own that comes due while things happen, and never once all should come to rest. */
const byTimer = { name: "often", cron: "*/20 12-13 5 1 *", backend: "timer" as const };

/** Draws what an operator may change in a manifest that is already applied. */
export const drawPolicy = (random: Random) => ({
  triggers: {
    debounceSeconds: random.pick([0, 30, 300]),
    debounceSecondsMax: 600,
    cooldownSeconds: random.pick([0, 600, 3600]),
    fruitlessRunsMax: random.pick([2, 20]),
    drift: random.pick(["retrain", "retrain", "notify", "ignore"] as const),
    skew: random.pick(["retrain", "notify"] as const),
    schedules: [...random.pick([[], [hourly], [byTimer], [hourly, byTimer]] as const)],
  },
  training: {
    timeoutSeconds: random.pick([900, 1800, 3600]),
    phaseTimeouts: random.pick([{}, { validatingSeconds: 120, trainingSeconds: 480 }]),
    machine: { type: random.pick(["n1-standard-4", "n1-standard-8"]) },
  },
  rollout: {
    steps: [...random.pick(stepLists)],
    bakeSeconds: random.pick([0, 60, 180]),
    analysis: {
      ingestDelaySeconds: random.pick([0, 60]),
      requestsMin: 20,
      inconclusiveSecondsMax: 1200,
    },
  },
  budget: random.pick([
    { usdPerRunMax: 50, usdPerMonthMax: 500 },
    { usdPerRunMax: 50, usdPerMonthMax: 500 },
    { usdPerRunMax: 2, usdPerMonthMax: 0.6 },
    { usdPerRunMax: 0.15, usdPerMonthMax: 500 },
  ]),
});

/** Draws the manifest of one model. */
export const drawManifest = (random: Random, index: number): Manifest => {
  const name = `model-${index}`;
  const approval = random.chance(0.3)
    ? { by: "people" as const, quorum: random.whole(1, 2), expiresSeconds: 1800 }
    : { by: "automatic" as const };
  const production = { name: "production", endpoint: `${name}-production` };
  const environments = random.chance(0.3)
    ? [production]
    : [
        { name: "qa", endpoint: `${name}-qa` },
        { ...production, approval },
      ];
  return manifestOf({
    name,
    dataset: {
      name: datasetName(random, index),
      label: "left",
      positiveClass: "yes",
      features: [{ name: "age", type: "numeric" }],
      approval: { quorum: 1, expiresSeconds: 1800 },
    },
    mode: random.chance(0.05) ? "observe-only" : "active",
    promotion: { environments, smokeTest: { requests: 3 } },
    ...drawPolicy(random),
  });
};
