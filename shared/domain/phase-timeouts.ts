/** How long a run may stay in each phase. What happens then is decided where the phase is. */
import type { Manifest } from "../manifest/schema.js";
import type { RunState, Timeout } from "./state.js";

type TimedPhase = Exclude<RunState["phase"], "retrying" | "awaiting-approval" | "parked">;

/** A phase's limit and the setting that gives it. Retries and approvals carry their own time; a parked run waits for a person. */
export const limitOf = (
  phase: TimedPhase,
  { training }: Manifest,
): { readonly seconds: number; readonly setting: string } => {
  const limit = training.phaseTimeouts[`${phase}Seconds`];
  return limit === undefined
    ? { seconds: training.timeoutSeconds, setting: "training.timeoutSeconds" }
    : { seconds: limit, setting: `training.phaseTimeouts.${phase}Seconds` };
};

/** Whether a run has been longer in its phase than it may. */
export const isOverdue = (
  run: RunState & { readonly phase: TimedPhase },
  manifest: Manifest,
  nowMs: number,
): boolean => nowMs - run.sinceMs >= limitOf(run.phase, manifest).seconds * 1000;

/** The limit that a run's job has outlived: its phase's, or the one of its three phases together; null while it is within both. */
export const timeoutOf = (
  run: RunState & { readonly phase: Timeout["phase"]; readonly deadlineAtMs: number },
  manifest: Manifest,
  nowMs: number,
): Timeout | null => {
  const { phase } = run;
  if (nowMs >= run.deadlineAtMs) {
    const seconds = Math.round((run.deadlineAtMs - run.submittedAtMs) / 1000);
    return { phase, setting: "training.timeoutSeconds", seconds };
  }
  return isOverdue(run, manifest, nowMs) ? { phase, ...limitOf(phase, manifest) } : null;
};
