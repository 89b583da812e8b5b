/** A training run, from its request to its end. */
import { settle } from "./budget.js";
import { countAnswer } from "./approval.js";
import type { Decision } from "./decision.js";
import type { PipelineJobFacts } from "./facts.js";
import type { EvaluationSummary, ModelState, RunOutcome, RunRecord, RunState } from "./state.js";
import { jobIdOf } from "./ids.js";
import { breakFruitlessLoop } from "./loop.js";
import { usableDatasets } from "./trigger.js";

const ignore = (reason: string): readonly Decision[] => [{ do: "ignore", reason }];

/** A run whose PipelineJob was submitted and has not been judged. */
type SubmittedRun = RunState & {
  readonly phase: "validating" | "training" | "evaluating" | "cancelling";
};

/** Distances between distributions never exceed 1, so nothing drifts beyond this. */
const anyDrift = { jsdMax: 1, linfMax: 1 } as const;

/** What the data gate asks about, once people let it pass, is allowed; what it stops for is stopped. */
const approvedDataset = (dataset: ModelState["manifest"]["dataset"]): typeof dataset => ({
  ...dataset,
  drift: anyDrift,
  schema: {
    ...dataset.schema,
    unexpectedColumns:
      dataset.schema.unexpectedColumns === "ask" ? "allow" : dataset.schema.unexpectedColumns,
  },
});

/** The config parameter of Continuo's own pipeline template: what its images need of the manifest. */
const trainingConfig = (state: ModelState, run: RunState): Readonly<Record<string, unknown>> => {
  const { training, evaluation } = state.manifest;
  const dataset =
    run.gateApprovedBy === undefined
      ? state.manifest.dataset
      : approvedDataset(state.manifest.dataset);
  return {
    label: dataset.label,
    ...(dataset.positiveClass === undefined ? {} : { positiveClass: dataset.positiveClass }),
    ...(dataset.timeColumn === undefined ? {} : { timeColumn: dataset.timeColumn }),
    holdoutDays: dataset.holdoutDays,
    features: dataset.features,
    schema: dataset.schema,
    drift: dataset.drift,
    trainer: training.trainer,
    evaluation,
  };
};

const pipelineParameters = (
  state: ModelState,
  run: RunState,
): Readonly<Record<string, unknown>> => {
  const own = {
    dataset_uris: run.datasetUris,
    dataset_fingerprint: run.fingerprint,
    champion_model_uri: state.champion?.artifactUri ?? "",
  };
  if (state.manifest.training.template !== undefined) {
    return { ...state.manifest.training.parameters };
  }
  const baseline = usableDatasets(state)
    .filter(
      ({ fingerprint, profileUri }) => fingerprint !== run.fingerprint && profileUri !== undefined,
    )
    .at(-1);
  return {
    ...own,
    baseline_profile_uri: baseline?.profileUri ?? "",
    config: trainingConfig(state, run),
  };
};

/** The requested run's job is submitted. */
export const decideSubmission = (
  state: ModelState,
  run: RunState & { readonly phase: "requested" },
  nowMs: number,
): readonly Decision[] => {
  if (state.manifest.mode === "observe-only") {
    const reasons = ["observe-only was turned on before its PipelineJob was submitted"];
    return endRun(state, run, { outcome: "cancelled", reasons, machineSeconds: 0 }, nowMs);
  }
  const deadlineAtMs =
    run.earlier?.deadlineAtMs ?? nowMs + state.manifest.training.timeoutSeconds * 1000;
  return [
    {
      do: "submit-pipeline-job",
      to: { ...run, phase: "validating", submittedAtMs: nowMs, deadlineAtMs },
      job: {
        run: jobIdOf(run),
        template: state.manifest.training.template ?? null,
        parameters: pipelineParameters(state, run),
        labels: {
          ...state.manifest.labels,
          "continuo-model": state.model,
          "continuo-run": run.run,
          "continuo-trigger": run.kind,
        },
      },
      reason: `run ${run.run}: ${run.reason}`,
    },
    {
      do: "set-timer",
      kind: "run-deadline",
      dueAtMs: deadlineAtMs,
      reason: "no run outlives its timeout",
    },
  ];
};

/** Ends a run: settles its budget, stops its timer, and lets what waited for it go on. */
export const endRun = (
  state: ModelState,
  run: RunState,
  end: {
    readonly outcome: RunOutcome;
    readonly reasons: readonly string[];
    readonly machineSeconds: number;
    readonly evaluation?: EvaluationSummary;
    readonly versionId?: RunRecord["versionId"];
  },
  nowMs: number,
): readonly Decision[] => {
  // A user's own images may say nothing: the outcome is then all that is known.
  const reasons = end.reasons.filter((reason) => reason.trim() !== "");
  const told =
    reasons.length === 0 ? [`the run ended as ${end.outcome} without a reason`] : reasons;
  const submitted = "submittedAtMs" in run ? { submittedAtMs: run.submittedAtMs } : {};
  const record: RunRecord = {
    run: run.run,
    kind: run.kind,
    reason: run.reason,
    triggerCount: run.triggerCount,
    datasetUris: run.datasetUris,
    fingerprint: run.fingerprint,
    requestedAtMs: run.requestedAtMs,
    reservedUsd: run.reservedUsd,
    correlationId: run.correlationId,
    ...(run.triggers === undefined ? {} : { triggers: run.triggers }),
    ...(run.by === undefined ? {} : { by: run.by }),
    ...(run.earlier === undefined ? {} : { earlier: run.earlier }),
    ...(run.gateApprovedBy === undefined ? {} : { gateApprovedBy: run.gateApprovedBy }),
    ...submitted,
    model: state.model,
    outcome: end.outcome,
    reasons: told,
    endedAtMs: nowMs,
    ...(end.evaluation === undefined ? {} : { evaluation: end.evaluation }),
    ...(end.versionId === undefined ? {} : { versionId: end.versionId }),
  };
  const machineSeconds = end.machineSeconds + (run.earlier?.machineSeconds ?? 0);
  const settledUsd = settle(state.manifest, machineSeconds, run.reservedUsd);
  const title = `${state.model}: run ${run.run} ${end.outcome}`;
  const decisions: Decision[] = [
    { do: "end-run", record, settledUsd, reason: told.join("; ") },
    { do: "clear-timer", kind: "run-deadline", reason: "the run ended" },
    {
      do: "notify",
      severity: end.outcome === "failed" ? "warning" : "info",
      title,
      body: told.join("; "),
      reason: "the end of a run is told",
    },
  ];
  // A registered version may still be promoted: whether its run led anywhere, its rollout tells.
  const parking =
    end.outcome === "registered" ? [] : breakFruitlessLoop(state, state.fruitlessRuns + 1);
  decisions.push(...parking);
  if (parking.length === 0 && state.trigger !== null) {
    decisions.push({
      do: "set-timer",
      kind: "trigger",
      dueAtMs: Math.max(nowMs, state.trigger.dueAtMs),
      reason: "a trigger waited for this run",
    });
  }
  return decisions;
};

/** The data gate's result is kept with the dataset version it judged. */
const recordGate = (
  state: ModelState,
  run: RunState,
  gate: NonNullable<PipelineJobFacts["dataGate"]>,
): readonly Decision[] => {
  const dataset = state.datasets.find(({ fingerprint }) => fingerprint === run.fingerprint);
  if (dataset === undefined) return [];
  return [
    gate.verdict === "go"
      ? {
          do: "record-dataset",
          dataset: { ...dataset, profileUri: gate.profileUri },
          reason: "the data gate let this version pass; it is the next one's baseline",
        }
      : {
          do: "record-dataset",
          dataset: { ...dataset, isStopped: true },
          reason: "the data gate did not let this version pass; later runs leave it out",
        },
  ];
};

/** A version that the data gate could not judge would fail every later run that trains on it. */
const recordUnjudged = (
  state: ModelState,
  run: SubmittedRun,
  job: PipelineJobFacts,
): readonly Decision[] => {
  const dataset = state.datasets.find(({ fingerprint }) => fingerprint === run.fingerprint);
  return dataset === undefined || job.tasks["profile"] !== "failed"
    ? []
    : [
        {
          do: "record-dataset",
          dataset: { ...dataset, isStopped: true },
          reason:
            "the data gate could not judge this version; later runs leave it out until it arrives again",
        },
      ];
};

const phaseOrder = ["validating", "training", "evaluating"] as const;

/** The furthest phase that the job's tasks show. */
const phaseShown = (job: PipelineJobFacts): (typeof phaseOrder)[number] => {
  const hasStarted = (name: string): boolean => {
    const state = job.tasks[name];
    return state === "running" || state === "succeeded";
  };
  if (job.tasks["evaluate"] !== undefined && hasStarted("evaluate")) return "evaluating";
  if (hasStarted("score-challenger") || hasStarted("score-champion")) return "evaluating";
  return job.tasks["profile"] === undefined || hasStarted("train") ? "training" : "validating";
};

/** A submission that a cancellation overtook has reached Vertex AI after this long, or never will. */
const submissionMsMax = 5 * 60_000;

/** A job that still runs after this long is cancelled again. */
const cancellationMsMax = 10 * 60_000;

/** A run without a job: it is still being created, or it is gone for good. */
const decideMissingJob = (
  state: ModelState,
  run: SubmittedRun,
  nowMs: number,
): readonly Decision[] => {
  const end = (outcome: RunOutcome, reason: string): readonly Decision[] =>
    endRun(state, run, { outcome, reasons: [reason], machineSeconds: 0 }, nowMs);
  if (run.phase === "cancelling") {
    return nowMs >= run.submittedAtMs + submissionMsMax
      ? end("cancelled", "cancelled before its PipelineJob was created")
      : ignore(`PipelineJob ${run.run} may still be created`);
  }
  return nowMs >= run.deadlineAtMs
    ? end("failed", `PipelineJob ${run.run} does not exist, and the run's time is over`)
    : ignore(`PipelineJob ${run.run} does not exist yet`);
};

/** A job that was cancelled because its time was over has failed; for any other reason somebody wanted it so. */
const decideCancelledJob = (
  state: ModelState,
  run: SubmittedRun,
  { machineSeconds }: PipelineJobFacts,
  nowMs: number,
): readonly Decision[] => {
  const end = (outcome: RunOutcome, reason: string): readonly Decision[] =>
    endRun(state, run, { outcome, reasons: [reason], machineSeconds }, nowMs);
  if (run.phase !== "cancelling") return end("cancelled", "the PipelineJob was cancelled");
  return run.timedOutIn === undefined
    ? end("cancelled", "cancelled on request")
    : end(
        "failed",
        `it was still ${run.timedOutIn} after its timeout of ${Math.round((run.deadlineAtMs - run.submittedAtMs) / 1000)} s and was cancelled; the log of that task tells what it did, training.timeoutSeconds gives it longer`,
      );
};

/** What a look at the run's PipelineJob means. */
export const decideJob = (
  state: ModelState,
  run: SubmittedRun,
  job: PipelineJobFacts | null,
  nowMs: number,
): readonly Decision[] => {
  if (job === null) return decideMissingJob(state, run, nowMs);
  const end = (outcome: RunOutcome, reasons: readonly string[]): readonly Decision[] =>
    endRun(state, run, { outcome, reasons, machineSeconds: job.machineSeconds }, nowMs);
  switch (job.state) {
    case "failed": {
      const retry = run.phase === "cancelling" ? null : decideToRetry(state, run, job, nowMs);
      if (retry !== null) return retry;
      const unjudged = recordUnjudged(state, run, job);
      return [
        ...unjudged,
        ...end("failed", [
          job.error || "the PipelineJob failed without a message",
          ...(unjudged.length === 0
            ? []
            : ["this dataset version is left out of later runs; mend it and publish it again"]),
        ]),
      ];
    }
    case "cancelled":
      return decideCancelledJob(state, run, job, nowMs);
    case "succeeded":
      if (run.phase === "cancelling") {
        return end("cancelled", ["cancelled, although its PipelineJob had already succeeded"]);
      }
      return decideSucceededJob(state, run, job, nowMs);
    case "pending":
    case "running": {
      if (nowMs >= run.deadlineAtMs && run.phase !== "cancelling") {
        return [
          {
            do: "cancel-pipeline-job",
            run: jobIdOf(run),
            to: { ...run, phase: "cancelling", timedOutIn: run.phase, askedAtMs: nowMs },
            reason: `the run exceeded its timeout of ${state.manifest.training.timeoutSeconds} s`,
          },
        ];
      }
      // A cancellation that came before its job was created has cancelled nothing.
      if (run.phase === "cancelling" && nowMs - run.askedAtMs >= cancellationMsMax) {
        return [
          {
            do: "cancel-pipeline-job",
            run: jobIdOf(run),
            to: { ...run, askedAtMs: nowMs },
            reason: `its PipelineJob still runs ${cancellationMsMax / 60_000} minutes after its cancellation was asked for`,
          },
        ];
      }
      const shown = phaseShown(job);
      return run.phase !== "cancelling" && phaseOrder.indexOf(shown) > phaseOrder.indexOf(run.phase)
        ? [{ do: "enter-phase", to: { ...run, phase: shown }, reason: `its tasks show ${shown}` }]
        : ignore(`the run is still ${run.phase}`);
    }
  }
};

/** What every phase of a run has, with one more of its jobs ended. */
const afterJob = (run: SubmittedRun, job: PipelineJobFacts) => ({
  run: run.run,
  kind: run.kind,
  reason: run.reason,
  triggerCount: run.triggerCount,
  datasetUris: run.datasetUris,
  fingerprint: run.fingerprint,
  requestedAtMs: run.requestedAtMs,
  reservedUsd: run.reservedUsd,
  correlationId: run.correlationId,
  ...(run.triggers === undefined ? {} : { triggers: run.triggers }),
  ...(run.by === undefined ? {} : { by: run.by }),
  ...(run.retries === undefined ? {} : { retries: run.retries }),
  ...(run.gateApprovedBy === undefined ? {} : { gateApprovedBy: run.gateApprovedBy }),
  earlier: {
    count: (run.earlier?.count ?? 0) + 1,
    machineSeconds: (run.earlier?.machineSeconds ?? 0) + job.machineSeconds,
  },
});

/** The first retry comes after this long, each later one after twice as long as the one before. */
const retryDelayMs = 60_000;

/** Tries a job again that failed by no fault of its own; null when it must not, or no time is left. */
const decideToRetry = (
  state: ModelState,
  run: SubmittedRun,
  job: PipelineJobFacts,
  nowMs: number,
): readonly Decision[] | null => {
  const retries = run.retries ?? 0;
  const retryAtMs = nowMs + retryDelayMs * 2 ** retries;
  const { retriesMax } = state.manifest.training;
  if (job.isRetriable !== true || retries >= retriesMax || retryAtMs >= run.deadlineAtMs) {
    return null;
  }
  const to = {
    ...afterJob(run, job),
    phase: "retrying" as const,
    retries: retries + 1,
    retryAtMs,
  };
  const reason = `retry ${retries + 1} of ${retriesMax} at ${new Date(retryAtMs).toISOString()}: ${job.error ?? "the cloud failed"}`;
  return [
    {
      do: "enter-phase",
      to: { ...to, earlier: { ...to.earlier, deadlineAtMs: run.deadlineAtMs } },
      reason,
    },
    { do: "set-timer", kind: "run-deadline", dueAtMs: retryAtMs, reason: "the retry comes due" },
  ];
};

/** The retry of a job comes due. */
export const decideRetry = (
  run: RunState & { readonly phase: "retrying" },
  nowMs: number,
): readonly Decision[] => {
  const { retryAtMs, ...requested } = run;
  return nowMs < retryAtMs
    ? ignore(`run ${run.run} is tried again at ${new Date(retryAtMs).toISOString()}`)
    : [
        {
          do: "retry-training-run",
          to: { ...requested, phase: "requested" },
          reason: `its PipelineJob is tried again (${run.retries ?? 1})`,
        },
      ];
};

/** The data gate can't tell whether this version should be trained on: people can. */
const askPeople = (
  state: ModelState,
  run: SubmittedRun,
  job: PipelineJobFacts,
  reasons: readonly string[],
  nowMs: number,
): readonly Decision[] => {
  const { quorum, expiresSeconds } = state.manifest.dataset.approval;
  const expiresAtMs = nowMs + expiresSeconds * 1000;
  const asks = reasons.length === 0 ? ["the data gate asks without a reason"] : reasons;
  return [
    {
      do: "enter-phase",
      to: {
        ...afterJob(run, job),
        phase: "awaiting-approval",
        expiresAtMs,
        approvedBy: [],
        asks,
      },
      reason: `the data gate asks ${quorum} ${quorum === 1 ? "person" : "people"}: ${asks.join("; ")}`,
    },
    { do: "set-timer", kind: "run-deadline", dueAtMs: expiresAtMs, reason: "approvals expire" },
    {
      do: "notify",
      severity: "warning",
      title: `${state.model}: run ${run.run} waits for approval of its data`,
      body: `${asks.join("; ")}. Train on it with: continuo approve ${state.model} ${run.run}; leave this version out with: continuo approve ${state.model} ${run.run} --refuse`,
      reason: "people must act",
    },
  ];
};

type AskingRun = RunState & { readonly phase: "awaiting-approval" };

/** Nobody lets the version pass: the run ends, and later ones leave it out. */
export const refuseGate = (
  state: ModelState,
  run: AskingRun,
  reason: string,
  nowMs: number,
): readonly Decision[] => [
  ...recordGate(state, run, { verdict: "stop", reasons: run.asks, profileUri: "" }),
  ...endRun(
    state,
    run,
    {
      outcome: "rejected",
      reasons: [...run.asks.map((asked) => `data gate: ${asked}`), reason],
      machineSeconds: 0,
    },
    nowMs,
  ),
];

/** A person answered what the data gate asks. */
export const decideGateApproval = (
  state: ModelState,
  run: AskingRun,
  answer: { readonly decision: "approve" | "refuse"; readonly by: string },
  nowMs: number,
): readonly Decision[] => {
  const { quorum, ownChange } = state.manifest.dataset.approval;
  const { expiresAtMs, approvedBy, asks: _asked, ...base } = run;
  const askedBy = ownChange === "refuse" ? (run.by ?? null) : null;
  const answered = countAnswer({ quorum, expiresAtMs, approvedBy, askedBy }, answer, nowMs);
  const { reason } = answered;
  switch (answered.is) {
    case "ignored":
      return ignore(reason);
    case "refused":
    case "expired":
      return refuseGate(state, run, reason, nowMs);
    case "counted":
      return [{ do: "enter-phase", to: { ...run, approvedBy: answered.approvedBy }, reason }];
    case "approved":
      return [
        {
          do: "retry-training-run",
          to: { ...base, phase: "requested", gateApprovedBy: answered.approvedBy },
          reason,
        },
        { do: "clear-timer", kind: "run-deadline", reason: "the approval was given" },
      ];
  }
};

const decideSucceededJob = (
  state: ModelState,
  run: SubmittedRun,
  job: PipelineJobFacts,
  nowMs: number,
): readonly Decision[] => {
  if (job.dataGate?.verdict === "ask" && run.gateApprovedBy === undefined) {
    return askPeople(state, run, job, job.dataGate.reasons, nowMs);
  }
  const gate = job.dataGate === null ? [] : recordGate(state, run, job.dataGate);
  if (job.dataGate !== null && job.dataGate.verdict !== "go") {
    const { verdict } = job.dataGate;
    const given = job.dataGate.reasons.length === 0 ? [verdict] : job.dataGate.reasons;
    const reasons = given.map((reason) => `data gate: ${reason}`);
    return [
      ...gate,
      ...endRun(
        state,
        run,
        { outcome: "rejected", reasons, machineSeconds: job.machineSeconds },
        nowMs,
      ),
    ];
  }
  if (job.evaluation === null) {
    const reasons = [
      "the PipelineJob succeeded but wrote no evaluation; its template must have a task `evaluate`",
    ];
    return endRun(
      state,
      run,
      { outcome: "failed", reasons, machineSeconds: job.machineSeconds },
      nowMs,
    );
  }
  return [
    ...gate,
    {
      do: "publish-evaluation",
      to: {
        ...run,
        phase: "judging",
        evaluation: job.evaluation,
        machineSeconds: job.machineSeconds,
      },
      evaluation: job.evaluation,
      reason: "champion and challenger were scored",
    },
  ];
};

/** The evaluation gate: a challenger that did not pass is never registered. */
export const decideEvaluation = (
  state: ModelState,
  run: RunState & { readonly phase: "judging" },
  nowMs: number,
): readonly Decision[] => {
  const { evaluation } = run;
  switch (evaluation.outcome) {
    case "accept":
      return [
        {
          do: "register-model-version",
          to: { ...run, phase: "registering" },
          alias: run.run,
          isFirst: state.champion === null,
          reason: evaluation.reasons.join("; ") || "its evaluation accepted it",
        },
      ];
    case "reject": {
      const given = evaluation.reasons.length === 0 ? ["rejected"] : evaluation.reasons;
      const reasons = given.map((reason) => `evaluation gate: ${reason}`);
      return endRun(
        state,
        run,
        { outcome: "rejected", reasons, machineSeconds: run.machineSeconds, evaluation },
        nowMs,
      );
    }
  }
};
