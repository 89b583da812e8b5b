/** What a model monitoring job must say before it is taken. */
import { RpcError } from "../../protocol/service.js";
import type { StoredEndpoint } from "../endpoints/store.js";
import { checkDisplayName } from "../fields.js";
import { checkLabels } from "../jobs/labels.js";
import { durationMs, type Duration, type Labels } from "../messages.js";

/** The fields of google.cloud.aiplatform.v1.ModelDeploymentMonitoringJob that a caller may change. */
export interface MonitoringFields {
  readonly displayName?: string;
  readonly labels?: Labels;
  readonly modelDeploymentMonitoringObjectiveConfigs?: readonly {
    readonly deployedModelId?: string;
    readonly objectiveConfig?: Readonly<Record<string, unknown>>;
  }[];
  readonly modelDeploymentMonitoringScheduleConfig?: {
    readonly monitorInterval?: Duration;
    readonly monitorWindow?: Duration;
  };
  readonly loggingSamplingStrategy?: {
    readonly randomSampleConfig?: { readonly sampleRate?: number };
  };
  readonly modelMonitoringAlertConfig?: Readonly<Record<string, unknown>>;
  readonly logTtl?: Duration;
  readonly enableMonitoringPipelineLogs?: boolean;
}

/** google.cloud.aiplatform.v1.ModelDeploymentMonitoringJob as it is asked for. */
export interface MonitoringMessage extends MonitoringFields {
  readonly name?: string;
  readonly endpoint?: string;
  readonly predictInstanceSchemaUri?: string;
  readonly samplePredictInstance?: unknown;
  readonly analysisInstanceSchemaUri?: string;
  readonly statsAnomaliesBaseDirectory?: unknown;
}

const hourSeconds = 3_600;

const refuse = (message: string): never => {
  throw new RpcError("INVALID_ARGUMENT", message);
};

/** The interval as the service keeps it: full hours, rounded up. */
const intervalOf = (given: Duration | undefined): Duration => {
  const seconds = given === undefined ? 0 : durationMs(given) / 1_000;
  if (!(seconds > 0)) {
    return refuse(
      "model_deployment_monitoring_schedule_config.monitor_interval is required and must be positive.",
    );
  }
  return { seconds: String(Math.ceil(seconds / hourSeconds) * hourSeconds) };
};

/** Returns the fields as they are kept, or throws RpcError INVALID_ARGUMENT naming the first that is wrong. */
export const checkMonitoring = (
  given: MonitoringFields,
  endpoint: StoredEndpoint,
): MonitoringFields => {
  checkDisplayName("display_name", given.displayName);
  checkLabels(given.labels);
  const objectives = given.modelDeploymentMonitoringObjectiveConfigs ?? [];
  if (objectives.length === 0) {
    refuse(
      "model_deployment_monitoring_objective_configs is required and names no deployed model.",
    );
  }
  for (const { deployedModelId = "", objectiveConfig } of objectives) {
    if (!endpoint.deployedModels.some(({ id }) => id === deployedModelId)) {
      refuse(
        `Deployed model "${deployedModelId}" in model_deployment_monitoring_objective_configs is not on the Endpoint ${endpoint.name}: deploy it first.`,
      );
    }
    if (objectiveConfig === undefined) {
      refuse(`objective_config of deployed model "${deployedModelId}" is required.`);
    }
  }
  const rate = given.loggingSamplingStrategy?.randomSampleConfig?.sampleRate ?? 0;
  if (!(rate > 0 && rate <= 1)) {
    refuse(
      `logging_sampling_strategy.random_sample_config.sample_rate is ${rate}: it must lie above 0 and at most at 1.`,
    );
  }
  const schedule = given.modelDeploymentMonitoringScheduleConfig;
  return {
    ...given,
    modelDeploymentMonitoringScheduleConfig: {
      ...schedule,
      monitorInterval: intervalOf(schedule?.monitorInterval),
    },
  };
};
