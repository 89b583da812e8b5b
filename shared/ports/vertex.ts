/** Training, registry and serving, named after what the decisions need. */
import type { Fence } from "./leases.js";
import type { DeployedModelId, ModelName, ModelVersionId, RunId } from "../../events/ids.js";
import type { PipelineJobRequest } from "../domain/decision.js";
import type {
  EndpointFacts,
  ModelVersionFacts,
  PipelineJobFacts,
  UploadedVersion,
} from "../domain/facts.js";

/** Training runs as PipelineJobs. */
export interface Pipelines {
  /** Submits a run's job; the run's id is the job's id, so a repeated call finds the first one's job. */
  readonly submit: (request: PipelineJobRequest, spec: unknown) => Promise<void>;
  /** The job with its tasks and the artifacts they wrote; null when there is none. */
  readonly get: (run: RunId) => Promise<PipelineJobFacts | null>;
  /** Asks for cancellation; a job that already ended is left as it is. */
  readonly cancel: (run: RunId) => Promise<void>;
}

/** What is needed to register a model version. */
export interface VersionUpload {
  readonly model: ModelName;
  /** Unique alias by which the version is found again. */
  readonly alias: string;
  readonly artifactUri: string;
  readonly artifactDigest: string;
  readonly image: string;
  readonly healthRoute: string;
  readonly predictRoute: string;
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** A report on a version, as the registry shows it. */
export interface VersionEvaluation {
  /** Unique name by which the evaluation is found again. */
  readonly name: string;
  /** Address of evaluation.json. */
  readonly report: string;
}

/** The model registry. */
export interface Registry {
  /** Starts an upload. Nothing is looked up: another call makes another version, so whoever calls has to know. */
  readonly upload: (version: VersionUpload, fence?: Fence) => Promise<void>;
  /** Name of an upload to a model that has not ended; null when none runs. */
  readonly uploading: (model: ModelName) => Promise<string | null>;
  /** A version by alias or by id; null when there is none. */
  readonly version: (model: ModelName, aliasOrId: string) => Promise<ModelVersionFacts | null>;
  /** The newest versions that runs uploaded, at most a page of them; none when there is no such model. */
  readonly uploads: (model: ModelName) => Promise<readonly UploadedVersion[]>;
  /** Removes a version; one that is gone, or has an alias, is left so. Throws RejectedError for one that is deployed. */
  readonly remove: (model: ModelName, version: ModelVersionId) => Promise<void>;
  /** Merges aliases into a version's; a leading `-` removes one. */
  readonly setAliases: (
    model: ModelName,
    version: ModelVersionId,
    aliases: readonly string[],
    fence?: Fence,
  ) => Promise<void>;
  /** Shows a report with a version; one that is shown already, or of a kind that the registry has no form for, is left so. */
  readonly importEvaluation: (
    model: ModelName,
    version: ModelVersionId,
    evaluation: VersionEvaluation,
    fence?: Fence,
  ) => Promise<void>;
}

/** What is needed to deploy a model version to an endpoint. */
export interface Deployment {
  readonly endpoint: string;
  readonly model: ModelName;
  readonly versionId: ModelVersionId;
  readonly deployedModelId: DeployedModelId;
  readonly machineType: string;
  readonly accelerator?: { readonly type: string; readonly count: number };
  readonly replicasMin: number;
  readonly replicasMax: number;
}

/** How many replicas a deployed model should have. */
export interface Scaling {
  readonly endpoint: string;
  readonly deployedModelId: DeployedModelId;
  readonly replicasMin: number;
  readonly replicasMax: number;
}

/** Endpoints and their traffic. */
export interface Endpoints {
  /** Creates the endpoint unless it exists; one that exists gets the labels that it lacks, or has otherwise. */
  readonly ensure: (
    endpoint: string,
    options: {
      readonly labels: Readonly<Record<string, string>>;
      readonly predictionLog?: string;
      readonly samplingRate: number;
    },
  ) => Promise<void>;
  readonly get: (endpoint: string) => Promise<EndpointFacts | null>;
  /** Starts a deployment without traffic; one that exists, or is under way, is left as it is. */
  readonly deploy: (deployment: Deployment) => Promise<void>;
  /** Starts an undeployment; what is not deployed is left as it is. */
  readonly undeploy: (endpoint: string, deployedModelId: DeployedModelId) => Promise<void>;
  /** Starts changing a deployed model's replicas; one that has these bounds, or is gone, is left as it is. */
  readonly scale: (scaling: Scaling, fence?: Fence) => Promise<void>;
  /**
   * Compare-and-set of the traffic split. Does nothing when the split already is `split`; throws RejectedError
   * when it is neither `expected` nor `split`.
   */
  readonly setTrafficSplit: (
    endpoint: string,
    split: Readonly<Record<string, number>>,
    expected: Readonly<Record<string, number>>,
  ) => Promise<void>;
  /** One online prediction; reports the HTTP status and never throws for a refused, failed or late request. */
  readonly predict: (
    endpoint: string,
    instances: readonly unknown[],
    deadlineMs: number,
  ) => Promise<{ readonly status: number; readonly latencyMs: number; readonly body: unknown }>;
}
