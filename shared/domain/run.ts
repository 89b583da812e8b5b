/** A training run, from its request to its end. */
import { settle } from "./budget.js";
import { countAnswer } from "./approval.js";
import type { Decision, PipelineJobRequest } from "./decision.js";
import type { PipelineJobFacts } from "./facts.js";
import type { EvaluationSummary, ModelState, RunOutcome, RunRecord, RunState } from "./state.js";
import { jobIdOf } from "./ids.js";
import { breakFruitlessLoop } from "./loop.js";
import { isOverdue, limitOf, timeoutOf } from "./phase-timeouts.js";
import { usableDatasets } from "./trigger.js";

const ignore = (reason: string): readonly Decision[] => [{ do: "ignore", reason }];

type RunIn<Phase extends RunState["phase"]> = RunState & { readonly phase: Phase };

/** A run whose PipelineJob works, as far as is known. */
type WorkingRun = RunIn<"validating" | "training" | "evaluating">;

/** A run whose PipelineJob should end. */
type StoppingRun = RunIn<"cancelling" | "parked">;

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

/** What a pipeline may be told of a run, by the names of Continuo's own template. */
const knownParameters = (state: ModelState, run: RunState): Readonly<Record<string, unknown>> => {
  const baseline = usableDatasets(state)
    .filter(
      ({ fingerprint, profileUri }) => fingerprint !== run.fingerprint && profileUri !== undefined,
    )
    .at(-1);
  return {
    dataset_uris: run.datasetUris,
    dataset_fingerprint: run.fingerprint,
    champion_model_uri: state.champion?.artifactUri ?? "",
    baseline_profile_uri: baseline?.profileUri ?? "",
    config: trainingConfig(state, run),
  };
};

/** Continuo's own template is given all of it, a user's only what it declares, beside the manifest's parameters. */
const pipelineParameters = (
  state: ModelState,
  run: RunState,
): Pick<PipelineJobRequest, "parameters" | "offered"> => {
  const known = knownParameters(state, run);
  const { template, parameters } = state.manifest.training;
  return template === undefined
    ? { parameters: known }
    : { parameters: { ...parameters }, offered: known };
};

/** The requested run's job is submitted. */
export const decideSubmission = (
  state: ModelState,
  requested: RunIn<"requested">,
  nowMs: number,
): readonly Decision[] => {
  const { repeats: _asked, ...run } = requested;
  if (state.manifest.mode === "observe-only") {
    const reasons = ["observe-only was turned on before its PipelineJob was submitted"];
    return endRun(state, requested, { outcome: "cancelled", reasons, machineSeconds: 0 }, nowMs);
  }
  const deadlineAtMs =
    run.earlier?.deadlineAtMs ?? nowMs + state.manifest.training.timeoutSeconds * 1000;
  if (nowMs >= deadlineAtMs) {
    const reasons = [
      "its time was over (training.timeoutSeconds) before its PipelineJob could be tried again",
    ];
    return endRun(state, requested, { outcome: "failed", reasons, machineSeconds: 0 }, nowMs);
  }
  return [
    {
      do: "submit-pipeline-job",
      to: {
        ...run,
        phase: "validating",
        sinceMs: nowMs,
        submittedAtMs: nowMs,
        deadlineAtMs,
        policyVersion: state.manifestVersion,
      },
      job: {
        run: jobIdOf(run),
        template: state.manifest.training.template ?? null,
        ...pipelineParameters(state, run),
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

/** How often a submission is asked for again, within the time that a run may wait for it. */
const requestRepeatsMax = 3;

/** A run whose submission was asked for: the request may wait for its turn, or be among the dead letters. */
export const decideRequested = (
  state: ModelState,
  run: RunIn<"requested">,
  nowMs: number,
): readonly Decision[] => {
  const { seconds, setting } = limitOf("requested", state.manifest);
  if (isOverdue(run, state.manifest, nowMs)) {
    const reasons = [
      `it was not submitted within ${seconds} s (${setting}): Vertex AI's quota, or its accelerators, had no room all that time, or its request is among the dead letters`,
    ];
    return endRun(state, run, { outcome: "failed", reasons, machineSeconds: 0 }, nowMs);
  }
  const repeats = (run.repeats ?? 0) + 1;
  const againAtMs = run.sinceMs + (seconds * 1000 * repeats) / (requestRepeatsMax + 1);
  return repeats > requestRepeatsMax || nowMs < againAtMs
    ? ignore(`run ${run.run} waits to be submitted`)
    : [
        {
          do: "retry-training-run",
          to: { ...run, repeats },
          reason: `its submission is asked for again (${repeats} of ${requestRepeatsMax}): nothing came of the request so far`,
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
    ...(run.policyVersion === undefined ? {} : { policyVersion: run.policyVersion }),
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
  const found = gate.anomaliesUri === undefined ? {} : { anomaliesUri: gate.anomaliesUri };
  return [
    gate.verdict === "go"
      ? {
          do: "record-dataset",
          dataset: { ...dataset, ...found, profileUri: gate.profileUri },
          reason: "the data gate let this version pass; it is the next one's baseline",
        }
      : {
          do: "record-dataset",
          dataset: { ...dataset, ...found, isStopped: true },
          reason: "the data gate did not let this version pass; later runs leave it out",
        },
  ];
};

/** A version that the data gate could not judge would fail every later run that trains on it. */
const recordUnjudged = (
  state: ModelState,
  run: RunState,
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

/** A submission has reached Vertex AI within five minutes, or never will; the clocks of two processes differ by ten at most. */
const submissionMsMax = 15 * 60_000;

/** A job that still runs after this long is cancelled again. */
const cancellationMsMax = 10 * 60_000;

/** What the end of a run says about the limit that it outlived. */
const timeoutText = (run: StoppingRun): string | null => {
  const { timeout } = run;
  return timeout === undefined
    ? null
    : `it was still ${timeout.phase} after its timeout of ${timeout.seconds} s and was cancelled; the log of that task tells what it did, ${timeout.setting} gives it longer`;
};

/** A job that should end and has: whatever it did at last, a run that outlived its limit has failed. */
const decideStopped = (
  state: ModelState,
  run: StoppingRun,
  job: PipelineJobFacts & { readonly state: "succeeded" | "failed" | "cancelled" },
  nowMs: number,
): readonly Decision[] => {
  const { machineSeconds } = job;
  const late = timeoutText(run);
  switch (job.state) {
    case "succeeded": {
      const reasons =
        late === null
          ? ["cancelled, although its PipelineJob had already succeeded"]
          : [late, "its PipelineJob succeeded all the same, too late to be used"];
      const outcome = late === null ? "cancelled" : "failed";
      return endRun(state, run, { outcome, reasons, machineSeconds }, nowMs);
    }
    case "cancelled": {
      const outcome = late === null ? "cancelled" : "failed";
      const reasons = [late ?? "cancelled on request"];
      return endRun(state, run, { outcome, reasons, machineSeconds }, nowMs);
    }
    case "failed":
      return failJob(state, run, job, late === null ? [] : [late], nowMs);
  }
};

/** What a look at a job that should end means. */
const decideStopping = (
  state: ModelState,
  run: StoppingRun,
  job: PipelineJobFacts | null,
  nowMs: number,
): readonly Decision[] => {
  if (job === null) {
    const reasons = [timeoutText(run) ?? "cancelled before its PipelineJob was created"];
    const outcome = run.timeout === undefined ? "cancelled" : "failed";
    return nowMs >= run.submittedAtMs + submissionMsMax
      ? endRun(state, run, { outcome, reasons, machineSeconds: 0 }, nowMs)
      : ignore(`PipelineJob ${run.run} may still be created`);
  }
  switch (job.state) {
    case "succeeded":
    case "failed":
    case "cancelled":
      return decideStopped(state, run, { ...job, state: job.state }, nowMs);
    case "pending":
    case "running":
      return run.phase === "parked"
        ? ignore(`the run is parked: ${run.parkedReason}`)
        : pursueCancellation(state, run, nowMs);
  }
};

/** A job that goes on although it was cancelled: it is cancelled again, and at last a person is told. */
const pursueCancellation = (
  state: ModelState,
  run: RunIn<"cancelling">,
  nowMs: number,
): readonly Decision[] => {
  if (isOverdue(run, state.manifest, nowMs)) {
    const { seconds, setting } = limitOf("cancelling", state.manifest);
    const parkedReason = `its PipelineJob ${jobIdOf(run)} still runs ${seconds} s (${setting}) after its cancellation was asked for`;
    return [
      {
        do: "enter-phase",
        to: { ...run, phase: "parked", sinceMs: nowMs, parkedReason },
        reason: parkedReason,
      },
      {
        do: "notify",
        severity: "page",
        title: `${state.model}: run ${run.run} is parked: its job does not end`,
        body: `${parkedReason}. It may cost money, and no other run starts. Stop it in Vertex AI Pipelines: the run ends with it. To let the run go without it: continuo cancel ${state.model}`,
        reason: "a person must act",
      },
    ];
  }
  // A cancellation that came before its job was created has cancelled nothing.
  return nowMs - run.askedAtMs < cancellationMsMax
    ? ignore("the run is still cancelling")
    : [
        {
          do: "cancel-pipeline-job",
          run: jobIdOf(run),
          to: { ...run, askedAtMs: nowMs },
          reason: `its PipelineJob still runs ${cancellationMsMax / 60_000} minutes after its cancellation was asked for`,
        },
      ];
};

/** The job failed: so has the run, and a dataset version that could not be judged is left out from then on. */
const failJob = (
  state: ModelState,
  run: WorkingRun | StoppingRun,
  job: PipelineJobFacts,
  because: readonly string[],
  nowMs: number,
): readonly Decision[] => {
  const unjudged = recordUnjudged(state, run, job);
  const reasons = [
    ...because,
    job.error || "the PipelineJob failed without a message",
    ...(unjudged.length === 0
      ? []
      : ["this dataset version is left out of later runs; mend it and publish it again"]),
  ];
  const { machineSeconds } = job;
  return [
    ...unjudged,
    ...endRun(state, run, { outcome: "failed", reasons, machineSeconds }, nowMs),
  ];
};

/** A job that works: it goes on to the phase that its tasks show, or is cancelled because its time is over. */
const decideRunning = (
  state: ModelState,
  run: WorkingRun,
  job: PipelineJobFacts,
  nowMs: number,
): readonly Decision[] => {
  const shown = phaseShown(job);
  const isFurther = phaseOrder.indexOf(shown) > phaseOrder.indexOf(run.phase);
  // A phase that has begun since the last look has its own time.
  const reached = isFurther ? { ...run, phase: shown, sinceMs: nowMs } : run;
  const timeout = timeoutOf(reached, state.manifest, nowMs);
  if (timeout !== null) {
    return [
      {
        do: "cancel-pipeline-job",
        run: jobIdOf(run),
        to: { ...run, phase: "cancelling", sinceMs: nowMs, timeout, askedAtMs: nowMs },
        reason: `the run exceeded its timeout of ${timeout.seconds} s while ${timeout.phase} (${timeout.setting})`,
      },
    ];
  }
  return isFurther
    ? [{ do: "enter-phase", to: reached, reason: `its tasks show ${shown}` }]
    : ignore(`the run is still ${run.phase}`);
};

/** What a look at the run's PipelineJob means. */
export const decideJob = (
  state: ModelState,
  run: WorkingRun | StoppingRun,
  job: PipelineJobFacts | null,
  nowMs: number,
): readonly Decision[] => {
  if (run.phase === "cancelling" || run.phase === "parked") {
    return decideStopping(state, run, job, nowMs);
  }
  if (job === null) {
    const reasons = [`PipelineJob ${jobIdOf(run)} does not exist, and the run's time is over`];
    const mayStillCome = nowMs < run.submittedAtMs + submissionMsMax;
    return mayStillCome || timeoutOf(run, state.manifest, nowMs) === null
      ? ignore(`PipelineJob ${jobIdOf(run)} does not exist yet`)
      : endRun(state, run, { outcome: "failed", reasons, machineSeconds: 0 }, nowMs);
  }
  switch (job.state) {
    case "failed":
      return decideToRetry(state, run, job, nowMs) ?? failJob(state, run, job, [], nowMs);
    case "cancelled": {
      const reasons = ["the PipelineJob was cancelled"];
      const { machineSeconds } = job;
      return endRun(state, run, { outcome: "cancelled", reasons, machineSeconds }, nowMs);
    }
    case "succeeded":
      return decideSucceededJob(state, run, job, nowMs);
    case "pending":
    case "running":
      return decideRunning(state, run, job, nowMs);
  }
};

/** What every phase of a run has, with one more of its jobs ended. */
const afterJob = (run: WorkingRun, job: PipelineJobFacts, nowMs: number) => ({
  sinceMs: nowMs,
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
  run: WorkingRun,
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
    ...afterJob(run, job, nowMs),
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
          to: { ...requested, phase: "requested", sinceMs: nowMs },
          reason: `its PipelineJob is tried again (${run.retries ?? 1})`,
        },
      ];
};

/** The data gate can't tell whether this version should be trained on: people can. */
const askPeople = (
  state: ModelState,
  run: WorkingRun,
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
        ...afterJob(run, job, nowMs),
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
          to: {
            ...base,
            phase: "requested",
            sinceMs: nowMs,
            gateApprovedBy: answered.approvedBy,
          },
          reason,
        },
        { do: "clear-timer", kind: "run-deadline", reason: "the approval was given" },
      ];
  }
};

const decideSucceededJob = (
  state: ModelState,
  run: WorkingRun,
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
        sinceMs: nowMs,
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
          to: { ...run, phase: "registering", sinceMs: nowMs },
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
