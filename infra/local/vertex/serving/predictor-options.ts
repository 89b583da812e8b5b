/** What a model's container is started with and asked for, from its specification and Vertex AI's contract. */
import type { CloudSettings } from "../../cloud.js";
import type { StoredDeployedModel } from "../endpoints/store.js";
import { durationMs, type Probe } from "../messages.js";
import { lastSegment } from "../names.js";

/** How a container is probed. */
export interface ProbeRule {
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly failuresMax: number;
}

/** Everything about one deployed model's container but its port. */
export interface PredictorOptions {
  /** For the log: `endpoint/deployed model`. */
  readonly label: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly predictRoute: string;
  readonly healthRoute: string;
  readonly health: ProbeRule;
  readonly liveness: ProbeRule;
  /** How long it may take to become healthy for the first time. */
  readonly startupMsMax: number;
}

const healthRule: ProbeRule = { periodMs: 10_000, timeoutMs: 10_000, failuresMax: 4 };
const livenessRule: ProbeRule = { periodMs: 10_000, timeoutMs: 10_000, failuresMax: 4 };
const startupMsDefault = 60_000;

const ruleOf = (probe: Probe | undefined, fallback: ProbeRule): ProbeRule => ({
  periodMs:
    (probe?.periodSeconds ?? 0) > 0 ? (probe?.periodSeconds ?? 0) * 1000 : fallback.periodMs,
  timeoutMs:
    (probe?.timeoutSeconds ?? 0) > 0 ? (probe?.timeoutSeconds ?? 0) * 1000 : fallback.timeoutMs,
  failuresMax:
    (probe?.failureThreshold ?? 0) > 0 ? (probe?.failureThreshold ?? 0) : fallback.failuresMax,
});

/** Replaces `$(NAME)` by what is already set, as later entries of a container's env may refer to earlier ones. */
const resolve = (text: string, env: Readonly<Record<string, string>>): string =>
  text.replaceAll(/(\$?)\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g, (whole, escape: string, name: string) =>
    escape === "" ? (Object.hasOwn(env, name) ? (env[name] ?? "") : whole) : `$(${name})`,
  );

/** Derives a container's options. */
export const predictorOptions = (
  settings: Pick<CloudSettings, "projectNumber">,
  endpointName: string,
  deployed: StoredDeployedModel,
): PredictorOptions => {
  const spec = deployed.containerSpec;
  const endpointId = lastSegment(endpointName);
  const standardRoute = `/v1/endpoints/${endpointId}/deployedModels/${deployed.id}:predict`;
  const route = (given: string | undefined): string =>
    given === undefined || given === "" ? standardRoute : given;
  const machine = deployed.resources.machineSpec;
  const env: Record<string, string> = {
    AIP_ACCELERATOR_TYPE: machine?.acceleratorType ?? "ACCELERATOR_TYPE_UNSPECIFIED",
    AIP_DEPLOYED_MODEL_ID: deployed.id,
    AIP_ENDPOINT_ID: endpointId,
    AIP_FRAMEWORK: "CUSTOM_CONTAINER",
    AIP_HEALTH_ROUTE: route(spec.healthRoute),
    AIP_MACHINE_TYPE: machine?.machineType ?? "n1-standard-2",
    AIP_MODE: "PREDICTION",
    AIP_MODE_VERSION: "1.0.0",
    AIP_MODEL_NAME: endpointId,
    AIP_PREDICT_ROUTE: route(spec.predictRoute),
    AIP_PROJECT_NUMBER: settings.projectNumber,
    AIP_STORAGE_URI: deployed.storageUri ?? "",
    AIP_VERSION_NAME: deployed.id,
    // A child process shares the machine's network, so it listens on loopback only.
    HOST: "127.0.0.1",
  };
  for (const { name, value } of spec.env ?? []) {
    if (name !== undefined) env[name] = resolve(value ?? "", env);
  }
  return {
    label: `${endpointId}/${deployed.id}`,
    image: spec.imageUri ?? "",
    command: spec.command ?? [],
    args: spec.args ?? [],
    env,
    predictRoute: route(spec.predictRoute),
    healthRoute: spec.healthProbe?.httpGet?.path ?? route(spec.healthRoute),
    health: ruleOf(spec.healthProbe, healthRule),
    liveness: ruleOf(spec.livenessProbe, livenessRule),
    startupMsMax:
      spec.deploymentTimeout === undefined || durationMs(spec.deploymentTimeout) <= 0
        ? startupMsDefault
        : durationMs(spec.deploymentTimeout),
  };
};
