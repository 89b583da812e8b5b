/** What must be looked up before deciding, and what was found. */
import type { DeployedModelId, ModelVersionId, RunId } from "../../events/ids.js";
import type { Stretch } from "./segment.js";
import type { BusinessRule } from "./signals.js";
import type { EvaluationSummary, Segment } from "./state.js";

/** What else a step is looked at for, as the manifest says. */
export interface SignalsWanted {
  /** When the rollout began: what the champion answered before is what its answers are compared by. */
  readonly startedAtMs: number;
  /** The stretches of the steps that are over. */
  readonly earlier: readonly { readonly sinceMs: number; readonly untilMs: number }[];
  readonly positiveClass: string | undefined;
  readonly answers?: { readonly location: string };
  readonly business?: BusinessRule & { readonly metric: string; readonly label: string };
  readonly quality?: {
    readonly location: string;
    readonly labels: string;
    readonly idField: string;
  };
}

/** One thing to look up; the runtime reads it through a port. */
export type Need =
  | { readonly fact: "pipeline-job"; readonly run: RunId }
  | { readonly fact: "model-version"; readonly alias: string }
  /** The newest versions that runs uploaded. */
  | { readonly fact: "uploads" }
  | { readonly fact: "endpoint"; readonly endpoint: string }
  | (Stretch & {
      readonly fact: "series";
      readonly endpoint: string;
      /** Only windows that ended before this time count. */
      readonly untilMs: number;
      readonly signals?: SignalsWanted;
    })
  | {
      readonly fact: "smoke-test";
      readonly endpoint: string;
      readonly report: string | null;
      readonly requests: number;
      /** With more errors than this it has failed and may end early. */
      readonly errorsMax: number;
      /** What the requests' p95 may be; one that takes many times as long counts as an error. */
      readonly latencyP95MsMax: number;
    };

/** The state of one of Continuo's tasks inside a PipelineJob. */
export type TaskState = "pending" | "running" | "succeeded" | "failed" | "skipped" | "cancelled";

/** A PipelineJob as Vertex AI reports it, with the artifacts that its ended tasks wrote. */
export interface PipelineJobFacts {
  readonly state: "pending" | "running" | "succeeded" | "failed" | "cancelled";
  /** The job's error, in Vertex AI's words; null without one. */
  readonly error: string | null;
  /** The cloud lacked machines or broke by itself: the same job may well succeed later. */
  readonly isRetriable?: boolean;
  readonly tasks: Readonly<Record<string, TaskState>>;
  /** The data gate's verdict, once its task ended. */
  readonly dataGate: {
    readonly verdict: "go" | "stop" | "ask";
    readonly reasons: readonly string[];
    readonly profileUri: string;
    /** Where everything that it found is, with its numbers. */
    readonly anomaliesUri?: string;
  } | null;
  /** The evaluation, once its task ended. */
  readonly evaluation: EvaluationSummary | null;
  /** Seconds of machine time that the tasks used. */
  readonly machineSeconds: number;
}

/** A model version in the registry. */
export interface ModelVersionFacts {
  readonly versionId: ModelVersionId;
  readonly aliases: readonly string[];
  readonly artifactUri: string;
  readonly artifactDigest: string | null;
  readonly servingImage: string;
}

/** A model version that a run uploaded. */
export interface UploadedVersion extends ModelVersionFacts {
  readonly run: RunId;
}

/** A deployed model's replicas: the bounds that were asked for, and how many serve now. */
export interface ReplicaFacts {
  readonly min: number;
  readonly max: number;
  readonly available: number;
}

/** An endpoint and what is deployed to it. */
export interface EndpointFacts {
  readonly deployed: readonly DeployedModelId[];
  readonly trafficSplit: Readonly<Record<DeployedModelId, number>>;
  /** Name of the operation that is changing it now; null when none is known. */
  readonly operation: string | null;
  /** Errors of deployments that failed, by deployed model id. */
  readonly failures: Readonly<Record<DeployedModelId, string>>;
  /** By deployed model id; one whose replicas Vertex AI chooses by itself is left out. */
  readonly replicas: Readonly<Record<DeployedModelId, ReplicaFacts>>;
}

/** Requests sent to an environment that takes no users' traffic. */
export interface SmokeTestFacts {
  readonly requests: number;
  readonly errors: number;
  readonly latencyP95Ms: number;
  readonly firstError: string | null;
}

/** Whatever was found; null means looked up and absent, undefined means not looked up. */
export interface Facts {
  readonly pipelineJob?: PipelineJobFacts | null;
  /** By the alias or id that was asked for. */
  readonly versions?: Readonly<Record<string, ModelVersionFacts | null>>;
  readonly uploads?: readonly UploadedVersion[];
  /** By endpoint. */
  readonly endpoints?: Readonly<Record<string, EndpointFacts | null>>;
  /** The current step's counts; null when Monitoring had no point. */
  readonly series?: Segment | null;
  /** Why the current step's counts could not be read. */
  readonly seriesError?: string;
  readonly smokeTest?: SmokeTestFacts;
}
