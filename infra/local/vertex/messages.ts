/** The shapes of the protobuf messages that these services read and write, as the handlers see them. */

/** google.protobuf.Timestamp. */
export interface Timestamp {
  readonly seconds: string;
  readonly nanos: number;
}

/** google.protobuf.Duration. */
export interface Duration {
  readonly seconds?: string;
  readonly nanos?: number;
}

/** google.protobuf.Value. */
export interface ProtoValue {
  readonly nullValue?: string;
  readonly numberValue?: number;
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly structValue?: { readonly fields?: Readonly<Record<string, ProtoValue>> };
  readonly listValue?: { readonly values?: readonly ProtoValue[] };
}

/** google.protobuf.FieldMask, in snake_case paths. */
export interface FieldMask {
  readonly paths?: readonly string[];
}

/** google.protobuf.Any with its message spelled out beside its type. */
export type ProtoAny = Readonly<Record<string, unknown>> & { readonly "@type": string };

/** google.rpc.Status. */
export interface RpcStatus {
  readonly code: number;
  readonly message: string;
}

/** Labels, as every resource carries them. */
export type Labels = Readonly<Record<string, string>>;

/** google.cloud.aiplatform.v1.Probe, as far as it is kept here. */
export interface Probe {
  readonly httpGet?: { readonly path?: string };
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
}

/** google.cloud.aiplatform.v1.ModelContainerSpec. */
export interface ModelContainerSpec {
  readonly imageUri?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name?: string; readonly value?: string }[];
  readonly ports?: readonly { readonly containerPort?: number }[];
  readonly predictRoute?: string;
  readonly healthRoute?: string;
  readonly invokeRoutePrefix?: string;
  readonly grpcPorts?: readonly unknown[];
  readonly deploymentTimeout?: Duration;
  readonly startupProbe?: Probe;
  readonly healthProbe?: Probe;
  readonly livenessProbe?: Probe;
}

/** google.cloud.aiplatform.v1.Model. */
export interface Model {
  readonly name?: string;
  readonly versionId?: string;
  readonly versionAliases?: readonly string[];
  readonly versionCreateTime?: Timestamp;
  readonly versionUpdateTime?: Timestamp;
  readonly displayName?: string;
  readonly description?: string;
  readonly versionDescription?: string;
  readonly containerSpec?: ModelContainerSpec;
  readonly artifactUri?: string;
  readonly labels?: Labels;
  readonly etag?: string;
  readonly metadata?: ProtoValue;
  readonly metadataSchemaUri?: string;
  readonly predictSchemata?: Readonly<Record<string, unknown>>;
  readonly explanationSpec?: Readonly<Record<string, unknown>>;
  readonly pipelineJob?: string;
  readonly createTime?: Timestamp;
  readonly updateTime?: Timestamp;
  readonly deployedModels?: readonly {
    readonly endpoint: string;
    readonly deployedModelId: string;
  }[];
  readonly supportedDeploymentResourcesTypes?: readonly string[];
  readonly supportedInputStorageFormats?: readonly string[];
  readonly supportedOutputStorageFormats?: readonly string[];
  readonly modelSourceInfo?: { readonly sourceType: string };
}

/** google.cloud.aiplatform.v1.ModelEvaluation. */
export interface ModelEvaluation {
  readonly name?: string;
  readonly displayName?: string;
  readonly metricsSchemaUri?: string;
  readonly metrics?: ProtoValue;
  readonly createTime?: Timestamp;
  readonly sliceDimensions?: readonly string[];
  readonly dataItemSchemaUri?: string;
  readonly annotationSchemaUri?: string;
  readonly metadata?: ProtoValue;
}

/** google.cloud.aiplatform.v1.DedicatedResources. */
export interface DedicatedResources {
  readonly machineSpec?: {
    readonly machineType?: string;
    readonly acceleratorType?: string;
    readonly acceleratorCount?: number;
  };
  readonly minReplicaCount?: number;
  readonly maxReplicaCount?: number;
  readonly requiredReplicaCount?: number;
  readonly autoscalingMetricSpecs?: readonly {
    readonly metricName?: string;
    readonly target?: number;
  }[];
  readonly spot?: boolean;
}

/** google.cloud.aiplatform.v1.DeployedModel. */
export interface DeployedModel {
  readonly id?: string;
  readonly model?: string;
  readonly modelVersionId?: string;
  readonly displayName?: string;
  readonly createTime?: Timestamp;
  readonly dedicatedResources?: DedicatedResources;
  readonly automaticResources?: unknown;
  readonly sharedResources?: string;
  readonly serviceAccount?: string;
  readonly disableContainerLogging?: boolean;
  readonly enableAccessLogging?: boolean;
  readonly disableExplanations?: boolean;
  readonly explanationSpec?: unknown;
  readonly status?: {
    readonly message?: string;
    readonly lastUpdateTime?: Timestamp;
    readonly availableReplicaCount?: number;
  };
}

/** Percent of the traffic by deployed model id. */
export type TrafficSplit = Readonly<Record<string, number>>;

/** google.cloud.aiplatform.v1.PredictRequestResponseLoggingConfig. */
export interface PredictionLogConfig {
  readonly enabled?: boolean;
  readonly samplingRate?: number;
  readonly bigqueryDestination?: { readonly outputUri?: string };
}

/** google.cloud.aiplatform.v1.Endpoint. */
export interface Endpoint {
  readonly name?: string;
  readonly displayName?: string;
  readonly description?: string;
  readonly deployedModels?: readonly DeployedModel[];
  readonly trafficSplit?: TrafficSplit;
  readonly etag?: string;
  readonly labels?: Labels;
  readonly createTime?: Timestamp;
  readonly updateTime?: Timestamp;
  readonly network?: string;
  readonly enablePrivateServiceConnect?: boolean;
  readonly privateServiceConnectConfig?: unknown;
  readonly dedicatedEndpointEnabled?: boolean;
  readonly predictRequestResponseLoggingConfig?: PredictionLogConfig;
  readonly clientConnectionConfig?: { readonly inferenceTimeout?: Duration };
  readonly encryptionSpec?: unknown;
}

/** The type URL of a message of Vertex AI's v1. */
export const typeUrl = (message: string): string =>
  `type.googleapis.com/google.cloud.aiplatform.v1.${message}`;

/** google.protobuf.Empty as a reply of a long-running operation. */
export const emptyReply: ProtoAny = { "@type": "type.googleapis.com/google.protobuf.Empty" };

/** A Timestamp of a time in milliseconds. */
export const timestampOf = (ms: number): Timestamp => {
  const seconds = Math.floor(ms / 1000);
  return { seconds: String(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
};

/** A Duration in milliseconds. */
export const durationMs = (duration: Duration): number =>
  Number(duration.seconds ?? 0) * 1000 + (duration.nanos ?? 0) / 1e6;

/** Turns plain JSON into a google.protobuf.Value. */
export const valueOf = (json: unknown): ProtoValue => {
  if (json === null || json === undefined) return { nullValue: "NULL_VALUE" };
  if (typeof json === "number") return { numberValue: json };
  if (typeof json === "string") return { stringValue: json };
  if (typeof json === "boolean") return { boolValue: json };
  if (Array.isArray(json)) return { listValue: { values: json.map(valueOf) } };
  return {
    structValue: {
      fields: Object.fromEntries(Object.entries(json).map(([key, item]) => [key, valueOf(item)])),
    },
  };
};

/** Turns a google.protobuf.Value into plain JSON. */
export const jsonOfValue = (value: ProtoValue): unknown => {
  if (value.numberValue !== undefined) return value.numberValue;
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.listValue !== undefined) return (value.listValue.values ?? []).map(jsonOfValue);
  if (value.structValue !== undefined) {
    return Object.fromEntries(
      Object.entries(value.structValue.fields ?? {}).map(([key, item]) => [key, jsonOfValue(item)]),
    );
  }
  return null;
};

const valueKeys = new Set([
  "nullValue",
  "numberValue",
  "stringValue",
  "boolValue",
  "structValue",
  "listValue",
]);

/**
 * Writes a message as protobuf's JSON form, for the places that hold JSON rather than messages (audit entries,
 * polled operations): times as RFC 3339, bytes as base64, Values as what they hold.
 */
export const jsonOfMessage = (message: unknown): unknown => {
  if (message === null || typeof message !== "object") return message;
  if (Buffer.isBuffer(message)) return message.toString("base64");
  if (Array.isArray(message)) return message.map(jsonOfMessage);
  const entries = Object.entries(message);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined && valueKeys.has(first[0])) {
    return jsonOfValue(message);
  }
  if (
    entries.length === 2 &&
    "seconds" in message &&
    typeof message.seconds === "string" &&
    "nanos" in message &&
    typeof message.nanos === "number"
  ) {
    return new Date(Number(message.seconds) * 1000 + message.nanos / 1e6).toISOString();
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, jsonOfMessage(item)]));
};
