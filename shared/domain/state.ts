/** A model's state: one document, one union per thing that has phases. Times are milliseconds since 1970. */
import type {
  DeployedModelId,
  ModelName,
  ModelVersionId,
  RolloutId,
  RunId,
} from "../../events/ids.js";
import type { Manifest } from "../manifest/schema.js";
import type { RankSums } from "../statistics/latency-ranks.js";
import type { WindowSigns } from "../statistics/latency-windows.js";
import type { Sums } from "../statistics/mean-excess.js";
import type { Dispersion } from "../statistics/over-dispersion.js";

/** Which family of event asked for a run. */
export type TriggerKind =
  "new-data" | "schedule" | "drift" | "skew" | "decay" | "new-pipeline" | "request";

/** Who and what asked for a run or a version. */
export interface Origin {
  readonly trigger?: TriggerKind;
  /** The person, where it was one. */
  readonly by?: string;
}

/** Triggers that wait: more of them only raise the count. */
export interface PendingTrigger {
  readonly kind: TriggerKind;
  readonly reason: string;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly dueAtMs: number;
  /** The event that gave the reason, from which the run's id is made, and the chain it belongs to. */
  readonly eventKey: string;
  readonly correlationId: string;
  /** The newest distinct reasons, bounded. */
  readonly reasons?: readonly string[];
  /** The person who asked for it, where the reason is one's wish. */
  readonly by?: string;
}

/** One version of the model's dataset. */
export interface DatasetVersion {
  readonly fingerprint: string;
  readonly uris: readonly string[];
  readonly arrivedAtMs: number;
  /** Where its profile is, once a run's data gate let it pass. */
  readonly profileUri?: string;
  /** Where what the data gate found is, once it was judged. */
  readonly anomaliesUri?: string;
  /** The data gate stopped it or could not judge it: later runs leave it out until it arrives again. */
  readonly isStopped?: boolean;
}

/** The version that serves by default. */
export interface Champion {
  readonly versionId: ModelVersionId;
  readonly run: RunId | null;
  readonly artifactUri: string;
  readonly artifactDigest: string;
  readonly servingImage: string;
  /** The evaluation that let it pass, with example requests; null for a version registered by hand. */
  readonly report: string | null;
  /** Where it is deployed, by environment name. */
  readonly deployed: Readonly<Record<string, DeployedModelId>>;
  readonly sinceMs: number;
  /** What asked for its run, by which an alert soon after it is known as a loop. */
  readonly trigger?: TriggerKind;
}

/** A deployed model that must go, by its endpoint. */
export interface Retired {
  readonly endpoint: string;
  readonly environment: string;
  readonly deployedModelId: DeployedModelId;
}

/** What an evaluation said, small enough to keep. */
export interface EvaluationSummary {
  readonly report: string;
  readonly outcome: "accept" | "reject";
  readonly reasons: readonly string[];
  readonly numbers: Readonly<Record<string, number>>;
  readonly artifact: string;
  readonly artifactDigest: string;
}

/** The PipelineJobs of a run that have ended: retries, and those that stopped to ask. */
export interface EarlierJobs {
  readonly count: number;
  readonly machineSeconds: number;
  /** Retries share the time, and so the budget, of the first. */
  readonly deadlineAtMs?: number;
}

interface RunBase {
  readonly run: RunId;
  readonly kind: TriggerKind;
  readonly reason: string;
  /** How many triggers this run answers, when they came, and the newest distinct reasons among them. */
  readonly triggerCount: number;
  readonly triggers?: {
    readonly firstAtMs: number;
    readonly lastAtMs: number;
    readonly reasons: readonly string[];
  };
  readonly by?: string;
  /** How often a failed PipelineJob was tried again. */
  readonly retries?: number;
  /** What the run's ended PipelineJobs leave to the next one. */
  readonly earlier?: EarlierJobs;
  /** Who let it train although its data gate asked. */
  readonly gateApprovedBy?: readonly string[];
  /** Version of the manifest that its gates follow: the one that it was submitted with. */
  readonly policyVersion?: number;
  readonly datasetUris: readonly string[];
  readonly fingerprint: string;
  readonly requestedAtMs: number;
  readonly reservedUsd: number;
  /** The event chain this run belongs to. */
  readonly correlationId: string;
}

interface LiveRun extends RunBase {
  /** When it entered its phase, from which the phase's own timeout counts. */
  readonly sinceMs: number;
}

interface SubmittedRun extends LiveRun {
  readonly submittedAtMs: number;
  readonly deadlineAtMs: number;
}

/** The limit that a run outlived: its setting, its length, and the phase in which it did. */
export interface Timeout {
  readonly phase: "validating" | "training" | "evaluating";
  readonly setting: string;
  readonly seconds: number;
}

interface CancellingFields {
  /** Why its job is cancelled, where its time was over; absent when somebody asked for its end. */
  readonly timeout?: Timeout;
  /** When its job's cancellation was asked for last. */
  readonly askedAtMs: number;
}

interface JudgedFields {
  readonly evaluation: EvaluationSummary;
  readonly machineSeconds: number;
}

/** A live training run, by phase. */
export type RunState =
  | (LiveRun & {
      readonly phase: "requested";
      /** How often its submission was asked for again, because nothing came of the first request. */
      readonly repeats?: number;
    })
  | (SubmittedRun & { readonly phase: "validating" | "training" | "evaluating" })
  | (LiveRun & {
      readonly phase: "retrying";
      readonly retryAtMs: number;
      readonly earlier: EarlierJobs;
    })
  | (LiveRun & {
      readonly phase: "awaiting-approval";
      readonly expiresAtMs: number;
      readonly approvedBy: readonly string[];
      /** What the data gate asks about. */
      readonly asks: readonly string[];
      readonly earlier: EarlierJobs;
    })
  | (SubmittedRun & CancellingFields & { readonly phase: "cancelling" })
  /** Its job does not end although its cancellation was asked for: a person must act. */
  | (SubmittedRun & CancellingFields & { readonly phase: "parked"; readonly parkedReason: string })
  | (SubmittedRun & { readonly phase: "judging" } & JudgedFields)
  | (SubmittedRun & { readonly phase: "registering" } & JudgedFields);

/** How a run ended. */
export type RunOutcome = "registered" | "rejected" | "failed" | "cancelled";

/** An ended run, as it is kept. */
export interface RunRecord extends RunBase {
  readonly model: ModelName;
  readonly outcome: RunOutcome;
  readonly reasons: readonly string[];
  readonly endedAtMs: number;
  readonly submittedAtMs?: number;
  readonly evaluation?: EvaluationSummary;
  readonly versionId?: ModelVersionId;
}

/** Counts of one arm in the counted windows. Latencies are counts per bucket of the segment's `bounds`. */
export interface ArmCounts {
  readonly requests: number;
  readonly errors: number;
  readonly latencies: readonly number[];
}

/** What the arms answered, counted in cells that the champion's earlier answers gave; one answer of each request. */
export interface AnswerCounts {
  /** Cuts between the cells of scores. */
  readonly scores: readonly number[];
  /** Classes with a cell of their own. */
  readonly classes: readonly string[];
  readonly champion: readonly number[];
  readonly challenger: readonly number[];
}

/** A metric of the user's own, in the windows in which both arms have it. */
export interface BusinessWindows {
  /** How much worse than allowed the challenger was, in the metric's unit. */
  readonly excess: Sums;
  /** Means over these windows. */
  readonly champion: number;
  readonly challenger: number;
  /** Points that were no number. */
  readonly unreadable: number;
}

/** Losses of the predictions of one stretch of constant weight whose label has come. */
export interface LabelledLosses {
  readonly champion: Sums;
  readonly challenger: Sums;
}

/** What was measured beside the endpoint's own series, where the manifest asks for it. */
export interface SignalMeasurements {
  readonly answers?: AnswerCounts;
  readonly business?: BusinessWindows;
  /** Of this stretch and of all before it: labels come late. */
  readonly losses?: readonly LabelledLosses[];
  /** What was asked for and could not be read, and why. */
  readonly problems?: readonly string[];
}

/** One stretch of constant weight, with what was counted in it. */
export interface Segment extends SignalMeasurements {
  /** Percent of traffic that the challenger should get. */
  readonly weight: number;
  readonly startMs: number;
  /** End of the last counted window. */
  readonly endMs: number;
  /** Finite upper bounds of the latency buckets, milliseconds. */
  readonly bounds: readonly number[];
  readonly champion: ArmCounts;
  readonly challenger: ArmCounts;
  /** In how many windows the challenger was slower than allowed, per quantile of the champion. */
  readonly slower: readonly WindowSigns[];
  /** How far the chance that it was slower lay above what is allowed; absent in what was stored before it was measured. */
  readonly ranks?: RankSums;
  /** How much more the errors vary from window to window than independent requests' would. */
  readonly dispersion: Dispersion;
  /** Log evidence that the challenger's memory grows, and the largest of the champion's and the newest of its own, bytes. */
  readonly memory: {
    readonly logGrowth: number;
    readonly championBytes: number;
    readonly challengerBytes: number;
  };
  /** In how many measurements the challenger's processor was busier than allowed beside the champion's. */
  readonly busier: { readonly compared: number; readonly busier: number };
}

/** What one look at the metrics said. */
export interface Verdict {
  readonly result: "successful" | "failed" | "inconclusive" | "error";
  readonly reasons: readonly string[];
  readonly numbers: Readonly<Record<string, number>>;
  /** Version of the manifest that the look followed. */
  readonly policyVersion?: number;
  /** The requests were not shared out as the weight says: the endpoint tells whether somebody changed its traffic. */
  readonly isMismatched?: true;
  /** What the look measured, from which its verdict can be made again; absent when there was nothing. */
  readonly measured?: Segment;
}

/** Replicas that were asked for before a weight, and that the weight waits for. */
export interface AwaitedReplicas {
  readonly count: number;
  readonly sinceMs: number;
  readonly askedAtMs: number;
}

/** What every phase of a rollout has. */
export interface RolloutBase extends Origin {
  readonly rollout: RolloutId;
  /** The run that made the version; null for a version registered by hand. */
  readonly run: RunId | null;
  readonly cause: string;
  readonly versionId: ModelVersionId;
  readonly artifactUri: string;
  readonly artifactDigest: string;
  readonly servingImage: string;
  /** Where example requests for the smoke test are. */
  readonly report: string | null;
  readonly startedAtMs: number;
  /** Index into the manifest's environments. */
  readonly environment: number;
  /** Where the challenger is deployed so far. */
  readonly deployed: Readonly<Record<string, DeployedModelId>>;
  /** What the analysis stored at each advance. */
  readonly history: readonly {
    readonly atMs: number;
    readonly weight: number;
    readonly verdict: Verdict;
  }[];
  readonly correlationId: string;
  /** Returns to a version that was champion before: all traffic in one change, no steps and no analysis. */
  readonly isReturn?: true;
  /** The freeze window that it waited for last. */
  readonly freeze?: { readonly window: string; readonly untilMs: number };
}

interface ProgressingFields {
  /** Index into the manifest's steps. */
  readonly step: number;
  readonly weight: number;
  readonly stepStartedAtMs: number;
  /** The weight that this step's traffic change starts from; absent at the first step, which starts from none. */
  readonly weightBefore?: number;
  /** Segments of the steps that are over. */
  readonly segments: readonly Segment[];
  readonly lastVerdict: Verdict | null;
  /** Replicas with which the champion served everything: what a weight of 100 % takes. */
  readonly championReplicas?: number;
  readonly awaitedReplicas?: AwaitedReplicas;
  /** Where a person wants the rollout to go without a verdict, as soon as the replicas serve. */
  readonly wish?: { readonly to: "next step" | "champion"; readonly why: string };
}

/** A live rollout, by phase. */
export type RolloutState =
  | (RolloutBase & {
      readonly phase: "deploying";
      readonly sinceMs: number;
      readonly awaitedReplicas?: AwaitedReplicas;
    })
  | (RolloutBase & { readonly phase: "smoke-testing"; readonly sinceMs: number })
  | (RolloutBase & {
      readonly phase: "awaiting-approval";
      readonly sinceMs: number;
      readonly expiresAtMs: number;
      readonly approvedBy: readonly string[];
    })
  | (RolloutBase & ProgressingFields & { readonly phase: "progressing" })
  | (RolloutBase & ProgressingFields & { readonly phase: "paused"; readonly pausedBy: string })
  | (RolloutBase & ProgressingFields & { readonly phase: "parked"; readonly parkedReason: string })
  /** The decision is made and traffic is set; what has no traffic is being undeployed. */
  | (RolloutBase & {
      readonly phase: "cleaning";
      readonly outcome: RolloutOutcome;
      readonly reasons: readonly string[];
      readonly sinceMs: number;
      /** What must still be undeployed, and which undeployments were asked for. */
      readonly retired: readonly Retired[];
      readonly requested: readonly DeployedModelId[];
      /** When the promoted model's replicas were set back to what the manifest says. */
      readonly scaledBackAtMs?: number;
    });

/** How a rollout ended. */
export type RolloutOutcome = "promoted" | "rolled-back" | "aborted";

/** An ended rollout, as it is kept. */
export interface RolloutRecord extends RolloutBase {
  readonly model: ModelName;
  readonly outcome: RolloutOutcome;
  readonly reasons: readonly string[];
  readonly endedAtMs: number;
}

/** A registered version that waits for the rollout in progress to end. */
export type WaitingChallenger = Pick<
  RolloutBase,
  | "run"
  | "cause"
  | "versionId"
  | "artifactUri"
  | "artifactDigest"
  | "servingImage"
  | "report"
  | "correlationId"
  | "trigger"
  | "by"
  | "isReturn"
>;

/** A run that ended while its version was uploaded, and that version; without one where none had been seen. */
export interface Uploaded {
  readonly run: RunId;
  readonly versionId?: ModelVersionId;
  readonly atMs: number;
}

/** Everything that is decided about one model together. */
export interface ModelState {
  readonly model: ModelName;
  readonly manifest: Manifest;
  readonly manifestVersion: number;
  readonly manifestDigest: string;
  /** Where its endpoints are: `projects/<project>/locations/<region>`. */
  readonly location?: string;
  readonly isPaused: boolean;
  /** Why no run may start until a person resumes the model; null when it may. */
  readonly parkedReason: string | null;
  readonly datasets: readonly DatasetVersion[];
  readonly trigger: PendingTrigger | null;
  /** Content that already started a run, newest last, bounded: fingerprints, anomaly windows, build digests. */
  readonly seen: readonly string[];
  readonly lastRunStartedAtMs: number | null;
  /** Runs that ended since the last promotion. */
  readonly fruitlessRuns: number;
  readonly run: RunState | null;
  readonly champion: Champion | null;
  /** Champions before this one, to which a person can return; newest last, bounded. */
  readonly former?: readonly Champion[];
  /** The last rollout that ended: an alias from before its end asks for nothing any more. */
  readonly ended?: { readonly versionId: ModelVersionId; readonly atMs: number };
  readonly rollout: RolloutState | null;
  readonly waiting: WaitingChallenger | null;
  /** What ended rollouts took away, newest last, bounded: reconciling looks for leftovers. */
  readonly retired?: readonly (Retired & { readonly atMs: number })[];
  /** Runs that uploaded a version, newest last, bounded: reconciling looks for second uploads. */
  readonly uploaded?: readonly Uploaded[];
  readonly budget: {
    readonly month: string;
    readonly spentUsd: number;
    readonly reservedUsd: number;
  };
  /** Number of state changes so far, and the head of their hash chain. */
  readonly sequence: number;
  readonly head: string;
}
