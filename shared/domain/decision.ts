/** What can be decided. Each decision holds all that its state change and its effect need. */
import type { DeployedModelId, ModelName, ModelVersionId, RunId } from "../../events/ids.js";
import type { Manifest } from "../manifest/schema.js";
import type {
  Champion,
  DatasetVersion,
  EvaluationSummary,
  PendingTrigger,
  RolloutRecord,
  RolloutState,
  RunRecord,
  RunState,
  WaitingChallenger,
} from "./state.js";

/** A timer's purpose; one timer per model and kind. */
export type TimerKind = "trigger" | "run-deadline" | "approval-deadline" | "schedule";

/** What a training run's PipelineJob is made of. */
export interface PipelineJobRequest {
  readonly run: RunId;
  readonly template: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What Continuo knows of the run: a template of the user's is given what it declares of it. */
  readonly offered?: Readonly<Record<string, unknown>>;
  readonly labels: Readonly<Record<string, string>>;
}

type Because = { readonly reason: string };

/** One decision, imperative, with its reason. */
export type Decision = Because &
  (
    | { readonly do: "ignore" }
    | {
        readonly do: "adopt-manifest";
        readonly model: ModelName;
        readonly manifest: Manifest;
        readonly version: number;
        readonly digest: string;
        readonly location?: string;
      }
    | { readonly do: "forget-model" }
    | { readonly do: "record-dataset"; readonly dataset: DatasetVersion }
    | { readonly do: "hold-trigger"; readonly trigger: PendingTrigger }
    | { readonly do: "drop-trigger" }
    | { readonly do: "remember"; readonly content: string }
    | { readonly do: "set-timer"; readonly kind: TimerKind; readonly dueAtMs: number }
    | { readonly do: "clear-timer"; readonly kind: TimerKind }
    | {
        readonly do: "request-training-run";
        readonly to: RunState & { readonly phase: "requested" };
      }
    | {
        readonly do: "retry-training-run";
        readonly to: RunState & { readonly phase: "requested" };
      }
    | {
        readonly do: "submit-pipeline-job";
        readonly to: RunState & { readonly phase: "validating" };
        readonly job: PipelineJobRequest;
      }
    | { readonly do: "enter-phase"; readonly to: RunState }
    | {
        readonly do: "publish-evaluation";
        readonly to: RunState & { readonly phase: "judging" };
        readonly evaluation: EvaluationSummary;
      }
    | {
        readonly do: "register-model-version";
        readonly to: RunState & { readonly phase: "registering" };
        readonly alias: string;
        readonly isFirst: boolean;
      }
    | { readonly do: "cancel-pipeline-job"; readonly run: RunId; readonly to: RunState }
    | { readonly do: "end-run"; readonly record: RunRecord; readonly settledUsd: number }
    | { readonly do: "queue-challenger"; readonly waiting: WaitingChallenger | null }
    | { readonly do: "start-rollout"; readonly to: RolloutState }
    | { readonly do: "advance-rollout"; readonly to: RolloutState }
    | { readonly do: "pause-rollout"; readonly to: RolloutState }
    | { readonly do: "resume-rollout"; readonly to: RolloutState }
    | { readonly do: "park-rollout"; readonly to: RolloutState }
    | { readonly do: "roll-back"; readonly to: RolloutState }
    | { readonly do: "freeze-rollout"; readonly to: RolloutState }
    | { readonly do: "record-measurement"; readonly to: RolloutState }
    | { readonly do: "end-rollout"; readonly record: RolloutRecord }
    | {
        readonly do: "deploy-model";
        readonly environment: string;
        readonly endpoint: string;
        readonly deployedModelId: DeployedModelId;
        readonly versionId: ModelVersionId;
      }
    | {
        readonly do: "undeploy-model";
        readonly endpoint: string;
        readonly deployedModelId: DeployedModelId;
      }
    | {
        readonly do: "scale-deployed-model";
        readonly endpoint: string;
        readonly deployedModelId: DeployedModelId;
        readonly replicasMin: number;
        readonly replicasMax: number;
      }
    | {
        readonly do: "set-traffic-split";
        readonly endpoint: string;
        readonly split: Readonly<Record<DeployedModelId, number>>;
        /** The split this change starts from; any other means that somebody else changed it. */
        readonly expected: Readonly<Record<DeployedModelId, number>>;
      }
    | { readonly do: "promote"; readonly champion: Champion }
    | {
        readonly do: "set-aliases";
        readonly versionId: ModelVersionId;
        readonly aliases: readonly string[];
      }
    | { readonly do: "remove-model-version"; readonly versionId: ModelVersionId }
    | {
        readonly do: "import-evaluation";
        readonly versionId: ModelVersionId;
        readonly run: RunId;
        /** Address of the run's evaluation.json. */
        readonly report: string;
      }
    | { readonly do: "pause-model" }
    | { readonly do: "park-model" }
    | { readonly do: "resume-model" }
    | {
        readonly do: "notify";
        readonly severity: "info" | "warning" | "page";
        readonly title: string;
        readonly body: string;
      }
  );

/** Nothing to do, which is a decision too, and why. */
export const ignore = (reason: string): readonly Decision[] => [{ do: "ignore", reason }];
