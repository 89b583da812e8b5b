/** Anomalies as log entries, which take the way of Vertex AI's own Model Monitoring. */
import type { MonitoringReport } from "../../../events/monitoring.js";
import { shortHash } from "../../domain/ids.js";
import type { Ports } from "../../ports/ports.js";
import { config } from "../wiring.js";
import type { KindOfComparison } from "./measure.js";

/** Model Monitoring's own names; it has no objective for predictions. */
const objectiveNames = {
  feature: { drift: "RAW_FEATURE_DRIFT", skew: "RAW_FEATURE_SKEW" },
  prediction: { drift: "PREDICTION_DRIFT", skew: "PREDICTION_SKEW" },
  attribution: { drift: "FEATURE_ATTRIBUTION_DRIFT", skew: "FEATURE_ATTRIBUTION_SKEW" },
};

/** Writes the log entry of one comparison that found anomalies. */
export const logAnomalies = async (
  { kind, objective, columns }: KindOfComparison,
  report: MonitoringReport,
  ports: Ports,
): Promise<void> => {
  const anomalies = columns.filter(({ isAnomaly }) => isAnomaly);
  if (anomalies.length === 0) return;
  const { projectId, region } = config();
  const { model, window, deployedModelId } = report;
  const job = `continuo-${model}`;
  const about = [
    model,
    window.start,
    window.end,
    ...(kind === "drift" && objective === "feature" ? [] : [kind, objective]),
  ];
  await ports.logs.write({
    log: "aiplatform.googleapis.com/model_monitoring_anomaly",
    insertId: `continuo-${shortHash(about.join("|"), 24)}`,
    timestampMs: Date.parse(window.end),
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
      anomalyObjective: objectiveNames[objective][kind],
      startTime: window.start,
      endTime: window.end,
      modelDeploymentMonitoringJob: `projects/${projectId}/locations/${region}/modelDeploymentMonitoringJobs/${job}`,
      deployedModelId,
      totalAnomaliesCount: anomalies.length,
      featureAnomalies: anomalies.map(({ feature, value, threshold }) => ({
        featureDisplayName: feature,
        deviation: value,
        threshold,
      })),
    },
  });
};
