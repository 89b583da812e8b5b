/** A training run that waits for its PipelineJob's submission, and what is submitted. */
import { usdPerHour } from "../budget.js";
import { type Decision, type PipelineJobRequest, ignore } from "../decision.js";
import { jobIdOf } from "../ids.js";
import { isOverdue, limitOf } from "../phase-timeouts.js";
import type { ModelState, RunState } from "../state.js";
import { usableDatasets } from "../trigger.js";
import { endRun } from "./ending.js";
import type { RunIn } from "./parts.js";

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
  const { training, evaluation, serving } = state.manifest;
  const hourly = usdPerHour(serving.machine);
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
    ...(hourly === null
      ? {}
      : { serving: { machineType: serving.machine.type, usdPerHour: hourly } }),
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
