/** Checks a BatchPredictionJob before it is accepted. */
import { RpcError } from "../../protocol/service.js";
import type { Labels, ModelContainerSpec, ProtoValue } from "../messages.js";
import {
  checkDisplayName,
  checkGcsDirectory,
  checkMachine,
  invalid,
  refuseFields,
  type MachineSpec,
} from "./resource-checks.js";

/** BatchPredictionJob.InstanceConfig. */
export interface InstanceConfig {
  readonly instanceType?: string;
  readonly keyField?: string;
  readonly includedFields?: readonly string[];
  readonly excludedFields?: readonly string[];
}

/** google.cloud.aiplatform.v1.BatchPredictionJob. */
export interface BatchPredictionMessage {
  readonly displayName?: string;
  readonly model?: string;
  readonly unmanagedContainerModel?: {
    readonly artifactUri?: string;
    readonly predictSchemata?: unknown;
    readonly containerSpec?: ModelContainerSpec;
  };
  readonly inputConfig?: {
    readonly instancesFormat?: string;
    readonly gcsSource?: { readonly uris?: readonly string[] };
    readonly bigquerySource?: unknown;
    readonly vertexMultimodalDatasetSource?: unknown;
  };
  readonly instanceConfig?: InstanceConfig;
  readonly modelParameters?: ProtoValue;
  readonly outputConfig?: {
    readonly predictionsFormat?: string;
    readonly gcsDestination?: { readonly outputUriPrefix?: string };
    readonly bigqueryDestination?: unknown;
    readonly vertexMultimodalDatasetDestination?: unknown;
  };
  readonly dedicatedResources?: {
    readonly machineSpec?: MachineSpec;
    readonly startingReplicaCount?: number;
    readonly maxReplicaCount?: number;
  };
  readonly serviceAccount?: string;
  readonly manualBatchTuningParameters?: { readonly batchSize?: number };
  readonly generateExplanation?: boolean;
  readonly explanationSpec?: unknown;
  readonly labels?: Labels;
  readonly encryptionSpec?: unknown;
  readonly disableContainerLogging?: boolean;
}

const batchSizeMax = 10_000;

const onlyJsonl = (at: string, format: string | undefined): void => {
  if (format === undefined || format === "") throw invalid(`${at} is missing: give "jsonl".`);
  if (format !== "jsonl") {
    throw new RpcError("UNIMPLEMENTED", `${at} "${format}" is not implemented here: use "jsonl".`);
  }
};

const checkInstanceConfig = (config: InstanceConfig): void => {
  const type = config.instanceType ?? "";
  if (!["", "object", "array"].includes(type)) {
    throw invalid(`instanceConfig.instanceType is "${type}": give "object" or "array".`);
  }
  const included = config.includedFields ?? [];
  if (included.length > 0 && (config.excludedFields ?? []).length > 0) {
    throw invalid("instanceConfig has both includedFields and excludedFields: give one of them.");
  }
};

const checkModel = (job: BatchPredictionMessage): void => {
  const unmanaged = job.unmanagedContainerModel;
  if ((job.model === undefined || job.model === "") === (unmanaged === undefined)) {
    throw invalid("Exactly one of model and unmanagedContainerModel must be set.");
  }
  if (unmanaged === undefined) return;
  if (!unmanaged.containerSpec?.imageUri) {
    throw invalid("unmanagedContainerModel.containerSpec.imageUri is missing.");
  }
  if (unmanaged.artifactUri !== undefined && unmanaged.artifactUri !== "") {
    checkGcsDirectory("unmanagedContainerModel.artifactUri", unmanaged.artifactUri);
  }
};

/** Checks the job and returns it with its display name. */
export const checkBatchPrediction = (
  job: BatchPredictionMessage | undefined,
): { readonly displayName: string; readonly request: BatchPredictionMessage } => {
  if (job === undefined) throw invalid("The request has no batchPredictionJob.");
  const displayName = checkDisplayName(job.displayName);
  refuseFields("batchPredictionJob", {
    encryptionSpec: job.encryptionSpec,
    generateExplanation: job.generateExplanation,
    explanationSpec: job.explanationSpec,
  });
  refuseFields("inputConfig", {
    bigquerySource: job.inputConfig?.bigquerySource,
    vertexMultimodalDatasetSource: job.inputConfig?.vertexMultimodalDatasetSource,
  });
  refuseFields("outputConfig", {
    bigqueryDestination: job.outputConfig?.bigqueryDestination,
    vertexMultimodalDatasetDestination: job.outputConfig?.vertexMultimodalDatasetDestination,
  });
  checkModel(job);
  onlyJsonl("inputConfig.instancesFormat", job.inputConfig?.instancesFormat);
  onlyJsonl("outputConfig.predictionsFormat", job.outputConfig?.predictionsFormat);
  const uris = job.inputConfig?.gcsSource?.uris ?? [];
  if (uris.length === 0) throw invalid("inputConfig.gcsSource.uris is empty.");
  for (const uri of uris) checkGcsDirectory("inputConfig.gcsSource.uris", uri);
  checkGcsDirectory(
    "outputConfig.gcsDestination.outputUriPrefix",
    job.outputConfig?.gcsDestination?.outputUriPrefix,
  );
  checkMachine("dedicatedResources", job.dedicatedResources?.machineSpec);
  checkInstanceConfig(job.instanceConfig ?? {});
  const batchSize = job.manualBatchTuningParameters?.batchSize ?? 0;
  if (batchSize < 0 || batchSize > batchSizeMax) {
    throw invalid(`manualBatchTuningParameters.batchSize must be 1 to ${batchSizeMax}.`);
  }
  return { displayName, request: job };
};
