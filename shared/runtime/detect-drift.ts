/** The scheduled drift detector: reads logged predictions and writes anomalies as Vertex AI's own monitoring does. */
import { compareWindows } from "../domain/drift.js";
import { shortHash } from "../domain/ids.js";
import type { ModelState } from "../domain/state.js";
import type { LoggedPrediction } from "../ports/prediction-log.js";
import type { Ports } from "../ports/ports.js";
import { log } from "./log.js";
import { config } from "./wiring.js";

const rowsMax = 200_000;

const instances = (predictions: readonly LoggedPrediction[]) =>
  predictions.map(({ instance }) => instance);

/** Looks at one model; null when it has nothing to compare yet. */
const anomalyEntry = async (state: ModelState, ports: Ports) => {
  const { monitoring, dataset, promotion } = state.manifest;
  const production = promotion.environments.at(-1);
  const deployedModelId = production && state.champion?.deployed[production.name];
  if (
    !monitoring.drift ||
    !monitoring.predictionLog ||
    !production ||
    !state.champion ||
    !deployedModelId
  ) {
    return null;
  }
  const predictions = await ports.predictionLog.read({
    location: monitoring.predictionLog,
    endpoint: production.endpoint,
    sinceMs: state.champion.sinceMs,
    untilMs: ports.clock(),
    rowsMax,
  });
  const { rowsMin } = monitoring.drift;
  const served = predictions.filter((prediction) => prediction.deployedModelId === deployedModelId);
  // Two full windows that do not overlap: the first rows that the champion served, and the newest.
  if (served.length < 2 * rowsMin) {
    log("INFO", "too few predictions for a drift verdict", {
      model: state.model,
      rows: served.length,
      rowsMin,
    });
    return null;
  }
  const reference = served.slice(0, rowsMin);
  const current = served.slice(-rowsMin);
  const drifts = compareWindows(
    dataset.features,
    instances(reference),
    instances(current),
    monitoring.drift,
  );
  for (const { feature, value, nullQuantile, threshold, isAnomaly } of drifts) {
    log("INFO", "drift measured", {
      model: state.model,
      feature,
      value,
      nullQuantile,
      threshold,
      isAnomaly,
    });
  }
  const anomalies = drifts.filter(({ isAnomaly }) => isAnomaly);
  if (anomalies.length === 0) return null;
  const startMs = current[0]?.timeMs ?? 0;
  const endMs = current.at(-1)?.timeMs ?? 0;
  return { deployedModelId, anomalies, startMs, endMs };
};

/** Looks at one model and writes one log entry when a feature drifted. */
const detectFor = async (state: ModelState, ports: Ports): Promise<void> => {
  const found = await anomalyEntry(state, ports);
  if (found === null) return;
  const { projectId, region } = config();
  const job = `continuo-${state.model}`;
  await ports.logs.write({
    log: "aiplatform.googleapis.com/model_monitoring_anomaly",
    insertId: `continuo-${shortHash(`${state.model}|${found.startMs}|${found.endMs}`, 24)}`,
    timestampMs: found.endMs,
    severity: "WARNING",
    resourceType: "aiplatform.googleapis.com/ModelDeploymentMonitoringJob",
    resourceLabels: {
      model_deployment_monitoring_job: job,
      location: region,
      resource_container: `projects/${projectId}`,
    },
    payload: {
      "@type":
        "type.googleapis.com/google.cloud.aiplatform.logging.ModelMonitoringAnomaliesLogEntry",
      anomalyObjective: "RAW_FEATURE_DRIFT",
      startTime: new Date(found.startMs).toISOString(),
      endTime: new Date(found.endMs).toISOString(),
      modelDeploymentMonitoringJob: `projects/${projectId}/locations/${region}/modelDeploymentMonitoringJobs/${job}`,
      deployedModelId: found.deployedModelId,
      totalAnomaliesCount: found.anomalies.length,
      featureAnomalies: found.anomalies.map(({ feature, value, threshold }) => ({
        featureDisplayName: feature,
        deviation: value,
        threshold,
      })),
    },
  });
};

/** Looks at every model whose manifest asks for it. */
export const detectDrift = async (ports: Ports): Promise<void> => {
  for (const state of await ports.state.models({ by: "all" })) await detectFor(state, ports);
};
