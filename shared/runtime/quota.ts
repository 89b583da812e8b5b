/**
 * The quota of submissions to Vertex AI that a region shares: what uses it up, and the ledger that says what is left. Jobs
 * and long-running operations draw on the same 60 a minute. Jobs wait for their share of it. Uploads, deployments and
 * undeployments never wait: they are part of a rollout or of its way back, so they are counted when they are sent, and
 * the jobs get what they leave.
 */
import type { Decision } from "../domain/decision.js";
import { ConflictError, UnavailableError } from "../domain/errors.js";
import type { AdmissionLedger } from "../ports/admission.js";
import type { Ports } from "../ports/ports.js";
import { log } from "./log.js";

/** What a region allows. */
export interface AdmissionLimits {
  readonly submissionsPerMinuteMax: number;
  /** Concurrent jobs by accelerator type; a type without an entry has no limit. */
  readonly acceleratorJobsMax: Readonly<Record<string, number>>;
}

/** Vertex AI allows 60 a minute and region; six are kept for what comes right after a minute's jobs and never waits. */
export const defaultLimits: AdmissionLimits = {
  submissionsPerMinuteMax: 54,
  acceleratorJobsMax: {},
};

/** A minute less what Cloud Scheduler's ticks may come early: a tick that finds no room would waste a minute. */
const minuteMs = 58_000;
/** How long nothing is submitted after the quota was used up. */
export const breakerMs = 60_000;
/** Whether performing a decision uses up the quota of submissions. */
export const isSubmission = (decision: Decision): boolean =>
  decision.do === "submit-pipeline-job" ||
  decision.do === "register-model-version" ||
  decision.do === "deploy-model" ||
  decision.do === "undeploy-model" ||
  decision.do === "remove-model-version";

/** Whether an error says that the quota of submissions is used up. */
export const isQuotaError = (error: unknown): boolean =>
  error instanceof UnavailableError && error.isQuota;

/** Opens the breaker: for a minute nothing is submitted. One write, unless somebody else was first. */
export const openBreaker = async ({ admission, clock }: Ports): Promise<void> => {
  const nowMs = clock();
  log("NOTICE", "the quota of submissions is used up; runs queue for a minute");
  await admission.change((ledger) =>
    ledger.closedUntilMs > nowMs + breakerMs / 2
      ? null
      : { ...ledger, closedUntilMs: nowMs + breakerMs },
  );
};

/** Submissions that count against this minute. */
export const recentOf = (
  { admitted }: AdmissionLedger,
  nowMs: number,
): AdmissionLedger["admitted"] => admitted.filter(({ atMs }) => atMs > nowMs - minuteMs);

/** How many submissions the ledger still allows at this moment. */
export const roomIn = (ledger: AdmissionLedger, nowMs: number, limits: AdmissionLimits): number =>
  nowMs < ledger.closedUntilMs
    ? 0
    : limits.submissionsPerMinuteMax -
      recentOf(ledger, nowMs).reduce((total, { count }) => total + count, 0);

/** Takes one submission out of this minute's; false when there is none, or too many others want one. */
export const takeOne = async (
  { admission, clock }: Ports,
  limits: AdmissionLimits,
): Promise<boolean> => {
  const nowMs = clock();
  let isTaken = false;
  try {
    await admission.change((ledger) => {
      isTaken = roomIn(ledger, nowMs, limits) > 0;
      return isTaken
        ? { ...ledger, admitted: [...recentOf(ledger, nowMs), { atMs: nowMs, count: 1 }] }
        : null;
    });
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    return false;
  }
  return isTaken;
};

/** Counts a submission that does not wait. Under contention it goes uncounted: the reserve is for that. */
export const countOne = async ({ admission, clock }: Ports): Promise<void> => {
  const nowMs = clock();
  try {
    await admission.change((ledger) => ({
      ...ledger,
      admitted: [...recentOf(ledger, nowMs), { atMs: nowMs, count: 1 }],
    }));
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
  }
};
