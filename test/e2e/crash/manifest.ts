/** A model whose runs take seconds and whose rollouts need little traffic. */

/** Its manifest, as the api takes it. */
export const manifestOf = (model: string) => ({
  apiVersion: "continuo/v1",
  kind: "Model",
  name: model,
  dataset: {
    name: model,
    label: "late",
    positiveClass: "yes",
    versionsMax: 1,
    features: [
      { name: "distance", type: "numeric" },
      { name: "wind", type: "numeric" },
    ],
    drift: { jsdMax: 10, linfMax: 10 },
  },
  triggers: { debounceSeconds: 0, cooldownSeconds: 0, fruitlessRunsMax: 1000 },
  training: { timeoutSeconds: 600, trainer: { algorithm: "logistic-regression" } },
  // What is trained is beside the point: any two versions are good enough for each other.
  evaluation: { comparison: { mode: "non-inferiority", margin: 0.4 } },
  promotion: {
    environments: [
      { name: "qa", endpoint: `${model}-qa` },
      { name: "production", endpoint: `${model}-production` },
    ],
    smokeTest: { requests: 5, errorsMax: 0, latencyP95MsMax: 10_000 },
  },
  serving: { image: "continuo/predictor" },
  rollout: {
    steps: [50, 100],
    bakeSeconds: 0,
    analysis: {
      ingestDelaySeconds: 1,
      requestsMin: 10,
      errorRatioMax: 100,
      latencyRatioMax: 100,
      inconclusiveSecondsMax: 3600,
    },
  },
  budget: { usdPerRunMax: 1000, usdPerMonthMax: 1_000_000 },
});

/** A small dataset that differs with its seed, and from which every model learns more than a constant knows. */
export const datasetOf = (random: () => number, rows = 600): string =>
  [
    "distance,wind,late",
    ...Array.from({ length: rows }, () => {
      const distance = Math.round(200 + 2000 * random());
      const wind = random() * 4 - 2;
      const isLate = random() < 1 / (1 + Math.exp(-(5 * wind + distance / 1000 - 1)));
      return `${distance},${wind.toFixed(4)},${isLate ? "yes" : "no"}`;
    }),
  ].join("\n");

/** One request for a prediction. */
export const instanceOf = (random: () => number): Readonly<Record<string, number>> => ({
  distance: Math.round(200 + 2000 * random()),
  wind: random() * 4 - 2,
});
