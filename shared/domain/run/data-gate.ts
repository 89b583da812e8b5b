/** The data gate: what it says of a dataset version is kept, and people answer what it asks. */
import { countAnswer } from "../approval.js";
import { type Decision, ignore } from "../decision.js";
import type { PipelineJobFacts } from "../facts.js";
import type { ModelState, RunState } from "../state.js";
import { endRun } from "./ending.js";
import { type WorkingRun, afterJob } from "./parts.js";

/** The data gate's result is kept with the dataset version it judged. */
export const recordGate = (
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
export const recordUnjudged = (
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

/** The data gate can't tell whether this version should be trained on: people can. */
export const askPeople = (
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
