/** What to do about one event. Pure and total: the same state, event, facts and time give the same decisions. */
import type { ContinuoEvent, EventOf } from "../../events/index.js";
import type { ModelName } from "../../events/ids.js";
import { manifestSchema } from "../manifest/schema.js";
import { ignore, type Decision } from "./decision.js";
import type { Facts, ModelVersionFacts } from "./facts.js";
import { expired } from "./approval.js";
import { decideCommand } from "./commands.js";
import { addDataset } from "./evolve.js";
import { freezeAt, freezeText } from "./freeze.js";
import { acceptanceOf, eventKey, jobIdOf, shortHash } from "./ids.js";
import type { Alert } from "./loop.js";
import { isOverdue, limitOf } from "./phase-timeouts.js";
import { decideApproval } from "./rollout/approval.js";
import { park } from "./rollout/canary.js";
import { rollBack } from "./rollout/ending.js";
import { obstacleToAdopt } from "./rollout/parts.js";
import { decideRollout } from "./rollout/rollout.js";
import { startRollout } from "./rollout/starting.js";
import { decideGateApproval, refuseGate } from "./run/data-gate.js";
import { endRun } from "./run/ending.js";
import { decideEvaluation } from "./run/evaluation-gate.js";
import { decideRetry } from "./run/failed-job.js";
import { decideJob } from "./run/job.js";
import { decideRequested, decideSubmission } from "./run/submission.js";
import { adoptSchedules, decideScheduleTimer } from "./schedules.js";
import { decideServing } from "./serving.js";
import type { ModelState, RunState, WaitingChallenger } from "./state.js";
import { decideDueTrigger, decideTrigger, reconsiderTrigger, type Trigger } from "./trigger.js";
import { decideUploads } from "./uploads.js";

/** One event with what was looked up for it. */
export interface Observation {
  readonly event: ContinuoEvent;
  readonly facts: Facts;
}

const correlationOf = (event: ContinuoEvent): string => event.correlationid ?? event.id;

const triggerOf = (
  event: ContinuoEvent,
  trigger: Omit<Trigger, "eventKey" | "correlationId">,
): Trigger => ({ ...trigger, eventKey: eventKey(event), correlationId: correlationOf(event) });

/** Decides about one event for one model; its state is undefined while no manifest is applied. */
export const decide = (
  state: ModelState | undefined,
  observation: Observation,
  nowMs: number,
): readonly Decision[] => {
  const { event, facts } = observation;
  if (state === undefined) return decideUnknown(event, nowMs);
  switch (event.type) {
    case "manifest.applied":
      return state.manifestDigest === event.data.digest
        ? ignore("this manifest is already applied")
        : adoptManifest(event, state, nowMs);
    case "dataset.arrived":
      return decideDataset(state, event, nowMs);
    case "schedule.fired":
      return decideSchedule(state, event, nowMs);
    case "drift.detected":
    case "skew.detected":
      return decideAnomaly(state, event, nowMs);
    case "performance.decayed":
      return decideDecay(state, event, nowMs);
    case "pipeline.released":
      return decidePipelineRelease(state, event, nowMs);
    case "training-run.requested":
      return decideRunRequest(state, event, nowMs);
    case "pipeline-job.changed":
      return state.run !== null && jobIdOf(state.run) === event.data.pipelineJob
        ? decideLiveRun(state, state.run, facts, nowMs)
        : ignore(`${event.data.pipelineJob} is not this model's live run`);
    case "evaluation.completed":
      return state.run?.phase === "judging" && state.run.run === event.data.run
        ? decideEvaluation(state, state.run, nowMs)
        : ignore(`run ${event.data.run} does not wait for an evaluation`);
    case "model-version.registered":
      return decideRegistration(state, event, facts, nowMs);
    case "model-version.aliased":
      return decideAliases(state, event, facts, nowMs);
    case "operation.finished":
    case "model.visited":
      return decideVisit(state, facts, nowMs);
    case "timer.fired":
      return decideTimer(state, event, facts, nowMs);
    case "approval.given":
      return decideAnswer(state, event, nowMs);
    case "command.issued":
      return decideCommand(state, event, facts, nowMs);
    case "effect.rejected":
      return decideRejection(state, event, nowMs);
    case "notification.raised":
    case "model.promoted":
      return ignore("told to others; nothing to decide here");
  }
};

/** A person answered: about the rollout that waits, or about the run whose data gate asks. */
const decideAnswer = (
  state: ModelState,
  event: EventOf<"approval.given">,
  nowMs: number,
): readonly Decision[] => {
  const { rollout, run, by, decision } = event.data;
  if (state.rollout?.phase === "awaiting-approval" && state.rollout.rollout === rollout) {
    return decideApproval(state, state.rollout, { by, decision }, nowMs);
  }
  if (state.run?.phase === "awaiting-approval" && state.run.run === run) {
    return decideGateApproval(state, state.run, { by, decision }, nowMs);
  }
  const what = rollout ?? run;
  return ignore(
    what === undefined
      ? "the answer names neither a rollout nor a run"
      : `${what} does not wait for approval`,
  );
};

/** Before a manifest is applied, and after its model was forgotten, only a manifest means anything. */
const decideUnknown = (event: ContinuoEvent, nowMs: number): readonly Decision[] => {
  if (event.type === "manifest.applied") return adoptManifest(event, undefined, nowMs);
  return event.type === "timer.fired"
    ? [{ do: "clear-timer", kind: event.data.kind, reason: "its model is not known any more" }]
    : ignore("no manifest is applied for this model");
};

const adoptManifest = (
  event: EventOf<"manifest.applied">,
  state: ModelState | undefined,
  nowMs: number,
): readonly Decision[] => {
  const parsed = manifestSchema.safeParse(event.data.manifest);
  if (!parsed.success) return ignore(`the manifest is not valid: ${parsed.error.message}`);
  const obstacle = state === undefined ? null : obstacleToAdopt(state, parsed.data);
  if (obstacle !== null) return ignore(obstacle);
  return [
    {
      do: "adopt-manifest",
      model: event.data.model,
      manifest: parsed.data,
      version: event.data.version,
      digest: event.data.digest,
      ...(event.data.location === undefined ? {} : { location: event.data.location }),
      reason: `version ${event.data.version} applied by ${event.data.by}`,
    },
    ...adoptSchedules(state?.manifest ?? null, parsed.data, nowMs),
    ...(state === undefined ? [] : reconsiderTrigger({ ...state, manifest: parsed.data }, nowMs)),
  ];
};

/** The content of a dataset version: the publisher's fingerprint, or one of its objects or addresses. */
export const fingerprintOf = (data: EventOf<"dataset.arrived">["data"]): string => {
  if (data.fingerprint !== undefined) return data.fingerprint;
  const parts =
    data.objects?.map(({ uri, generation, crc32c }) => `${uri}#${generation}#${crc32c ?? ""}`) ??
    data.uris;
  return shortHash(parts.toSorted().join("\n"), 32);
};

/** A stopped version that arrives again was mended, or the manifest was: it is looked at once more. */
const arrivedAgain = (
  fingerprint: string,
  event: EventOf<"dataset.arrived">,
  isByAddress: boolean,
): string =>
  // Addresses do not tell whether what lies there was mended, so this arrival is taken for content of its own.
  isByAddress ? `${fingerprint}.${shortHash(eventKey(event))}` : fingerprint;

const decideDataset = (
  state: ModelState,
  event: EventOf<"dataset.arrived">,
  nowMs: number,
): readonly Decision[] => {
  const { dataset, uris, objects } = event.data;
  const content = fingerprintOf(event.data);
  const isByAddress = event.data.fingerprint === undefined && objects === undefined;
  const known = state.datasets.findLast(
    ({ fingerprint }) =>
      fingerprint === content || (isByAddress && fingerprint.startsWith(`${content}.`)),
  );
  if (known !== undefined && known.isStopped !== true) {
    const advice = isByAddress
      ? "; if the files behind these addresses changed, publish their `objects` or a `fingerprint` too"
      : "";
    return ignore(
      `content ${content} already arrived at ${new Date(known.arrivedAtMs).toISOString()}${advice}`,
    );
  }
  const isAgain = known !== undefined;
  const fingerprint = isAgain ? arrivedAgain(content, event, isByAddress) : content;
  const record: Decision = {
    do: "record-dataset",
    dataset: { fingerprint, uris, arrivedAtMs: nowMs },
    reason: isAgain
      ? `a version of ${dataset} that was stopped arrived again`
      : `a new version of ${dataset}`,
  };
  if (!state.manifest.triggers.newData) return [record];
  const withDataset = { ...state, datasets: addDataset(state.datasets, record.dataset) };
  const trigger = triggerOf(event, {
    kind: "new-data",
    reason: `new data: ${uris.at(-1) ?? dataset}`,
    content: isAgain ? `dataset:${fingerprint}:${eventKey(event)}` : `dataset:${fingerprint}`,
  });
  return [record, ...decideTrigger(withDataset, trigger, nowMs)];
};

const decideSchedule = (
  state: ModelState,
  event: EventOf<"schedule.fired">,
  nowMs: number,
): readonly Decision[] => {
  const { schedule } = event.data;
  const known = state.manifest.triggers.schedules.find(({ name }) => name === schedule);
  if (known === undefined) return ignore(`the manifest has no schedule ${schedule}`);
  if (known.backend === "timer") {
    return ignore(
      `schedule ${schedule} is a timer of Continuo's own: delete the Cloud Scheduler job that still fires for it`,
    );
  }
  return decideTrigger(
    state,
    triggerOf(event, {
      kind: "schedule",
      reason: `schedule ${schedule} fired`,
      content: `schedule:${event.id}`,
    }),
    nowMs,
  );
};

/** Applies the manifest's answer to an alert: ignore it, tell people, or train. */
const answerAlert = (
  state: ModelState,
  answer: ModelState["manifest"]["triggers"]["drift"],
  trigger: Trigger,
  nowMs: number,
): readonly Decision[] => {
  switch (answer) {
    case "ignore":
      return ignore(`${trigger.reason}; the manifest says ignore`);
    case "notify":
    case "page":
      return state.seen.includes(trigger.content)
        ? ignore(`${trigger.reason}, which people were already told`)
        : [
            { do: "remember", content: trigger.content, reason: "people are told once" },
            {
              do: "notify",
              severity: answer === "page" ? "page" : "warning",
              title: `${state.model}: ${trigger.kind}`,
              body: trigger.reason,
              reason: `the manifest says ${answer}`,
            },
          ];
    case "retrain":
      return decideTrigger(state, trigger, nowMs);
  }
};

const decideAnomaly = (
  state: ModelState,
  event: EventOf<"drift.detected"> | EventOf<"skew.detected">,
  nowMs: number,
): readonly Decision[] => {
  const { anomalies, window, objective } = event.data;
  const kind = event.type === "drift.detected" ? "drift" : "skew";
  const worst = anomalies
    .toSorted((a, b) => b.deviation / b.threshold - a.deviation / a.threshold)
    .slice(0, 3)
    .map(
      ({ feature, deviation, threshold }) =>
        `${feature} ${deviation.toFixed(3)} (allowed ${threshold})`,
    );
  const reason = `${objective} ${kind} in ${window.start} to ${window.end}: ${worst.join(", ")}`;
  const content = `${kind}:${objective}:${window.start}:${window.end}`;
  return answerAlert(
    state,
    state.manifest.triggers[kind],
    triggerOf(event, {
      kind,
      reason,
      content,
      alert: alertOf(event, { objective, deployedModelId: event.data.deployedModelId }),
    }),
    nowMs,
  );
};

const alertOf = (
  { correlationid, causationid }: ContinuoEvent,
  about: Pick<Alert, "objective" | "deployedModelId">,
): Alert => ({ ...about, correlationId: correlationid, causationId: causationid });

const decideDecay = (
  state: ModelState,
  event: EventOf<"performance.decayed">,
  nowMs: number,
): readonly Decision[] => {
  const { metric, value, threshold, method, rows, window } = event.data;
  const reason = `${metric} fell to ${value.toFixed(4)} (threshold ${threshold}) on ${rows} rows by ${method}`;
  const content = `decay:${metric}:${window.start}:${window.end}`;
  return answerAlert(
    state,
    state.manifest.triggers.decay,
    triggerOf(event, {
      kind: "decay",
      reason,
      content,
      alert: alertOf(event, { objective: "quality", deployedModelId: undefined }),
    }),
    nowMs,
  );
};

const decidePipelineRelease = (
  state: ModelState,
  event: EventOf<"pipeline.released">,
  nowMs: number,
): readonly Decision[] =>
  state.manifest.triggers.newPipeline
    ? decideTrigger(
        state,
        triggerOf(event, {
          kind: "new-pipeline",
          reason: `build ${event.data.build} released pipeline ${event.data.digest}`,
          content: `pipeline:${event.data.digest}`,
        }),
        nowMs,
      )
    : ignore("the manifest does not train on new pipelines");

const decideRunRequest = (
  state: ModelState,
  event: EventOf<"training-run.requested">,
  nowMs: number,
): readonly Decision[] => {
  const { run, reason, by } = event.data;
  if (run === undefined) {
    const trigger = triggerOf(event, {
      kind: "request",
      reason: `requested by ${by ?? "an unnamed publisher"}: ${reason}`,
      content: `request:${eventKey(event)}`,
      ...(by === undefined ? {} : { by }),
    });
    return decideTrigger(state, trigger, nowMs);
  }
  return state.run?.phase === "requested" && state.run.run === run
    ? decideSubmission(state, state.run, nowMs)
    : ignore(`run ${run} does not wait to be submitted`);
};

/** What a look at the live run's job or version means, by its phase. */
const decideLiveRun = (
  state: ModelState,
  run: RunState,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  switch (run.phase) {
    case "requested":
      return decideRequested(state, run, nowMs);
    case "retrying":
      return decideRetry(run, nowMs);
    case "awaiting-approval":
      return nowMs >= run.expiresAtMs
        ? refuseGate(state, run, expired, nowMs)
        : ignore(`run ${run.run} waits for approval: ${run.asks.join("; ")}`);
    case "validating":
    case "training":
    case "evaluating":
    case "cancelling":
    case "parked":
      return facts.pipelineJob === undefined
        ? ignore("the PipelineJob was not read")
        : decideJob(state, run, facts.pipelineJob, nowMs);
    case "judging":
      // Its evaluation is known: an announcement that went astray must not keep it from being judged.
      return isOverdue(run, state.manifest, nowMs)
        ? decideEvaluation(state, run, nowMs)
        : ignore(`run ${run.run} waits for its evaluation to be judged`);
    case "registering":
      return decideRegistering(state, run, facts.versions?.[run.run], nowMs);
  }
};

const decideRegistering = (
  state: ModelState,
  run: RunState & { readonly phase: "registering" },
  version: ModelVersionFacts | null | undefined,
  nowMs: number,
): readonly Decision[] => {
  if (version) return registered(state, run, version, nowMs);
  if (version === undefined || !isOverdue(run, state.manifest, nowMs)) {
    return ignore(`the version of run ${run.run} is not in the registry yet`);
  }
  const { seconds, setting } = limitOf("registering", state.manifest);
  const reasons = [
    `its version did not appear in the registry within ${seconds} s (${setting}); the audit log of model ${state.model} tells why`,
  ];
  const { evaluation, machineSeconds } = run;
  return endRun(state, run, { outcome: "failed", reasons, machineSeconds, evaluation }, nowMs);
};

const registered = (
  state: ModelState,
  run: RunState & { readonly phase: "registering" },
  version: ModelVersionFacts,
  nowMs: number,
): readonly Decision[] => {
  const challenger: WaitingChallenger = {
    run: run.run,
    cause: acceptanceOf(run.run),
    versionId: version.versionId,
    artifactUri: run.evaluation.artifact,
    artifactDigest: run.evaluation.artifactDigest,
    servingImage: state.manifest.serving.image,
    report: run.evaluation.report,
    correlationId: run.correlationId,
    trigger: run.kind,
    ...(run.by === undefined ? {} : { by: run.by }),
  };
  const end = endRun(
    state,
    run,
    {
      outcome: "registered",
      reasons: run.evaluation.reasons,
      machineSeconds: run.machineSeconds,
      evaluation: run.evaluation,
      versionId: version.versionId,
    },
    nowMs,
  );
  const shown: Decision = {
    do: "import-evaluation",
    versionId: version.versionId,
    run: run.run,
    report: run.evaluation.report,
    reason: "who looks at the version in the registry should see how it was judged",
  };
  return [...end, shown, ...offer(state, challenger, nowMs)];
};

/** Starts the rollout of a version, or lets it wait for the one in progress. */
const offer = (
  state: ModelState,
  challenger: WaitingChallenger,
  nowMs: number,
): readonly Decision[] => {
  if (state.manifest.mode === "observe-only") {
    return ignore(
      `observe-only: would have rolled out version ${challenger.versionId} because ${challenger.cause}`,
    );
  }
  if (state.waiting?.isReturn === true) {
    return ignore(
      `version ${challenger.versionId} is not rolled out: ${state.waiting.cause} comes first; set alias challenger on it afterwards`,
    );
  }
  const freeze = freezeAt(state.manifest, "rollouts", nowMs);
  if (state.rollout === null && freeze !== null) {
    return [
      {
        do: "queue-challenger",
        waiting: challenger,
        reason: `no rollout starts in the ${freezeText(freeze)}; the newest challenger waits for its end`,
      },
    ];
  }
  return state.rollout === null
    ? startRollout(state, challenger, nowMs)
    : [
        {
          do: "queue-challenger",
          waiting: challenger,
          reason: `rollout ${state.rollout.rollout} is in progress; the newest challenger waits for its end`,
        },
      ];
};

/** A version appeared: the live run's own, or one that a person uploaded. */
/** A version that was looked up; an id may be any text, also the name of something that every object has. */
const versionIn = ({ versions = {} }: Facts, versionId: string): ModelVersionFacts | null =>
  Object.hasOwn(versions, versionId) ? (versions[versionId] ?? null) : null;

const decideRegistration = (
  state: ModelState,
  event: EventOf<"model-version.registered">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { versionId } = event.data;
  if (state.run?.phase === "registering") {
    const own = facts.versions?.[state.run.run];
    if (own?.versionId === versionId) return registered(state, state.run, own, nowMs);
  }
  return versionIn(facts, versionId)?.aliases.includes("challenger")
    ? offerByHand(state, event, facts, nowMs)
    : ignore(
        `version ${versionId} does not ask for anything; alias challenger asks for its rollout`,
      );
};

/** Identities of our own functions: functions/manifest.ts names them all alike, and a laptop has one for all. */
const ownPrincipal = /^(?:fn-[a-z-]+|continuo)@[a-z0-9-]+\.iam\.gserviceaccount\.com$/;

/** A person asks for the rollout of a version by giving it the alias challenger. */
const offerByHand = (
  state: ModelState,
  event: EventOf<"model-version.registered"> | EventOf<"model-version.aliased">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { versionId, principal } = event.data;
  if (!state.manifest.triggers.registryAliases) return ignore("the manifest ignores the registry");
  if (versionId === state.champion?.versionId) return ignore("this version is already champion");
  if (state.rollout?.versionId === versionId || state.waiting?.versionId === versionId) {
    return ignore("this version is already being rolled out");
  }
  if (state.ended?.versionId === versionId && Date.parse(event.time) <= state.ended.atMs) {
    return ignore("the alias is from before the end of this version's rollout; set it once more");
  }
  // A call of ours that a slow network delivers late looks like a wish.
  if (ownPrincipal.test(principal)) {
    return ignore("no person asked: the alias is our own, of a rollout that has ended");
  }
  const version = versionIn(facts, versionId);
  if (!version?.aliases.includes("challenger")) {
    return ignore(`version ${versionId} does not hold the alias challenger any more`);
  }
  return offer(
    state,
    {
      run: null,
      cause: `${principal} set alias challenger on version ${versionId} at ${event.time}`,
      versionId,
      artifactUri: version.artifactUri,
      artifactDigest: version.artifactDigest ?? "",
      servingImage: version.servingImage,
      report: state.champion?.report ?? null,
      correlationId: correlationOf(event),
      by: principal,
    },
    nowMs,
  );
};

const decideAliases = (
  state: ModelState,
  event: EventOf<"model-version.aliased">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  const { versionId, aliases, principal } = event.data;
  if (aliases.includes("champion") && state.champion?.versionId !== versionId) {
    if (state.rollout?.versionId === versionId) return ignore("our own rollout sets this alias");
    return versionIn(facts, versionId)?.aliases.includes("champion") !== true
      ? ignore(`version ${versionId} does not hold the alias champion any more`)
      : [
          {
            do: "notify",
            severity: "warning",
            title: `${state.model}: alias champion was moved by hand`,
            body: `${principal} set champion on version ${versionId}; version ${state.champion?.versionId ?? "none"} serves. Set alias challenger on a version to roll it out.`,
            reason: "an alias alone moves no traffic",
          },
        ];
  }
  return aliases.includes("challenger")
    ? offerByHand(state, event, facts, nowMs)
    : ignore("no alias that asks for anything");
};

/** A challenger that waited for the end of a freeze window. */
const decideWaiting = (state: ModelState, nowMs: number): readonly Decision[] => {
  const { waiting, manifest } = state;
  if (waiting === null) return ignore("no rollout is in progress");
  const freeze = freezeAt(manifest, "rollouts", nowMs);
  if (freeze !== null && waiting.isReturn !== true) {
    return ignore(`version ${waiting.versionId} waits for the ${freezeText(freeze)}`);
  }
  return manifest.mode === "observe-only"
    ? ignore(`observe-only: would have rolled out version ${waiting.versionId}`)
    : [
        { do: "queue-challenger", waiting: null, reason: "its turn has come" },
        ...startRollout(state, waiting, nowMs),
      ];
};

/** The first of run, rollout and trigger that has something to do. */
const decideVisit = (state: ModelState, facts: Facts, nowMs: number): readonly Decision[] => {
  const looks = [
    state.run === null ? ignore("no run is live") : decideLiveRun(state, state.run, facts, nowMs),
    state.rollout === null
      ? decideWaiting(state, nowMs)
      : decideRollout(state, state.rollout, facts, nowMs),
    state.trigger === null || state.trigger.dueAtMs > nowMs
      ? ignore("no trigger is due")
      : decideDueTrigger(state, nowMs),
    state.rollout === null && facts.endpoints !== undefined
      ? decideServing(state, facts, nowMs)
      : ignore("no reconciliation is due"),
    decideUploads(state, facts, nowMs),
  ];
  const change = looks.find((decisions) => decisions.some((decision) => decision.do !== "ignore"));
  return (
    change ?? ignore(looks.flatMap((decisions) => decisions.map(({ reason }) => reason)).join("; "))
  );
};

const decideTimer = (
  state: ModelState,
  event: EventOf<"timer.fired">,
  facts: Facts,
  nowMs: number,
): readonly Decision[] => {
  switch (event.data.kind) {
    case "trigger":
      return [
        { do: "clear-timer", kind: "trigger", reason: "it fired" },
        ...decideDueTrigger(state, nowMs),
      ];
    case "run-deadline":
      return [
        { do: "clear-timer", kind: "run-deadline", reason: "it fired; visits look at the run" },
        ...(state.run === null ? [] : decideLiveRun(state, state.run, facts, nowMs)),
      ];
    case "schedule":
      return decideScheduleTimer(state, event, nowMs);
    case "approval-deadline":
      return [
        { do: "clear-timer", kind: "approval-deadline", reason: "it fired" },
        ...(state.rollout?.phase === "awaiting-approval"
          ? decideRollout(state, state.rollout, facts, nowMs)
          : []),
      ];
  }
};

/** The cloud refused an effect: what depended on it ends, and says why. */
const decideRejection = (
  state: ModelState,
  event: EventOf<"effect.rejected">,
  nowMs: number,
): readonly Decision[] => {
  const { decision, about, message } = event.data;
  const reason = `${decision} was refused: ${message}`;
  // A job that would not be cancelled goes on: its run ends with it, or is parked.
  if (state.run?.run === about && decision !== "cancel-pipeline-job") {
    return endRun(
      state,
      state.run,
      {
        outcome: "failed",
        reasons: [reason],
        machineSeconds: "machineSeconds" in state.run ? state.run.machineSeconds : 0,
      },
      nowMs,
    );
  }
  const dependent = state.rollout?.rollout === about ? state.rollout : null;
  const isSplit = decision === "set-traffic-split";
  if (dependent?.phase === "progressing" && isSplit) return park(state, dependent, reason);
  // Traffic that a person changed while the rollout stands still is that person's.
  const stands = dependent?.phase === "paused" || dependent?.phase === "parked";
  if (dependent !== null && dependent.phase !== "cleaning" && !(stands && isSplit)) {
    return rollBack(
      state,
      dependent,
      { outcome: "rolled-back", reason, severity: "warning" },
      nowMs,
    );
  }
  return [
    {
      do: "notify",
      severity: "warning",
      title: `${state.model}: ${decision} was refused`,
      body: message,
      reason: "nothing in progress ends by it, so a person is told",
    },
  ];
};

/** The model an event names itself; null when it must be found by what the event is about. */
export const modelNamedBy = (event: ContinuoEvent): ModelName | null =>
  "model" in event.data && event.data.model !== undefined ? event.data.model : null;
