/** What the time series of a canary say: one verdict per look, valid however often one looks. */
import { logEProcess } from "../statistics/e-process.js";
import { logWindowSigns } from "../statistics/latency-windows.js";
import { sampleRatioMismatch } from "../statistics/sample-ratio.js";
import type { Manifest } from "../manifest/schema.js";
import type { ArmCounts, Segment, Verdict } from "./state.js";

type AnalysisPolicy = Manifest["rollout"]["analysis"];

/** What the look is about. */
export interface Look {
  /** Segments of the steps that are over. */
  readonly earlier: readonly Segment[];
  /** The current step's segment; null when Monitoring has no point of it. */
  readonly current: Segment | null;
  readonly stepStartedAtMs: number;
  readonly bakeMs: number;
  readonly policy: AnalysisPolicy;
}

const emptyArm = (buckets: number): ArmCounts => ({
  requests: 0,
  errors: 0,
  latencies: Array.from({ length: buckets }, () => 0),
});

const addArms = (a: ArmCounts, b: ArmCounts): ArmCounts => ({
  requests: a.requests + b.requests,
  errors: a.errors + b.errors,
  latencies: a.latencies.map((count, bucket) => count + (b.latencies[bucket] ?? 0)),
});

const sameBounds = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((bound, index) => bound === b[index]);

/** At 100 % nobody serves beside the challenger: it is compared with all that the champion served before. */
const withBaseline = (segment: Segment, earlier: readonly Segment[]): Segment => {
  if (segment.weight < 100) return segment;
  const champion = earlier
    .filter(({ bounds }) => sameBounds(bounds, segment.bounds))
    .reduce((sum, { champion: arm }) => addArms(sum, arm), emptyArm(segment.bounds.length + 1));
  return { ...segment, champion };
};

/** The challenger's expected share of a segment's requests. */
const shareOf = (segment: Segment): number => {
  if (segment.weight < 100) return segment.weight / 100;
  const total = segment.champion.requests + segment.challenger.requests;
  return total === 0 ? 0.5 : segment.challenger.requests / total;
};

/** A segment says something only when both arms served. */
const isComparable = (segment: Segment): boolean =>
  segment.champion.requests > 0 && segment.challenger.requests > 0;

const logMean = (a: number, b: number): number => {
  const top = Math.max(a, b);
  return top + Math.log((Math.exp(a - top) + Math.exp(b - top)) / 2);
};

const percent = (part: number, whole: number): string =>
  whole === 0 ? "no requests" : `${((100 * part) / whole).toFixed(2)} % of ${whole}`;

/** Judges one look. Sources and guarantees of the tests: shared/statistics/e-process.ts and latency-windows.ts. */
export const assess = (look: Look): Verdict => {
  const { current, policy } = look;
  if (current === null || current.challenger.requests + current.champion.requests === 0) {
    return { result: "error", reasons: ["Monitoring has no point of this step yet"], numbers: {} };
  }
  const segments = [...look.earlier, withBaseline(current, look.earlier)].filter(isComparable);
  const logErrors = logEProcess(
    segments.map((segment) => ({
      share: shareOf(segment),
      challengerErrors: segment.challenger.errors,
      errors: segment.challenger.errors + segment.champion.errors,
    })),
    { rho0: policy.errorRatioMax },
  );
  // Only windows in which both served at once are compared: latency of another hour says nothing about this one.
  const logLatency = logWindowSigns(
    [...look.earlier, current].filter(({ weight }) => weight < 100).map(({ slower }) => slower),
  );
  const logE = logMean(logErrors, logLatency);
  const numbers = {
    requests: current.challenger.requests,
    errors: current.challenger.errors,
    championRequests: current.champion.requests,
    championErrors: current.champion.errors,
    logEvidenceErrors: logErrors,
    logEvidenceLatency: logLatency,
    logEvidence: logE,
    logEvidenceLimit: -Math.log(policy.alpha),
    windowSeconds: (current.endMs - current.startMs) / 1000,
  };
  const seen = `challenger errors ${percent(current.challenger.errors, current.challenger.requests)}, champion errors ${percent(current.champion.errors, current.champion.requests)}`;
  if (logE >= -Math.log(policy.alpha)) {
    const culprit = logErrors >= logLatency ? "error rate" : "latency";
    return {
      result: "failed",
      reasons: [
        `${culprit} of the challenger is worse: evidence e^${logE.toFixed(1)} against a limit of e^${(-Math.log(policy.alpha)).toFixed(1)} (alpha ${policy.alpha}, anytime-valid); ${seen}`,
      ],
      numbers,
    };
  }
  const ratio =
    current.weight < 100
      ? sampleRatioMismatch(
          [current.challenger.requests, current.champion.requests],
          [current.weight / 100, 1 - current.weight / 100],
        )
      : { mismatch: false, pValue: 1 };
  if (ratio.mismatch) {
    return {
      result: "error",
      reasons: [
        `the challenger got ${percent(current.challenger.requests, current.challenger.requests + current.champion.requests)} requests, not ${current.weight} %: the split is not what was set (p ${ratio.pValue.toExponential(1)})`,
      ],
      numbers,
    };
  }
  const bakedMs = current.endMs - look.stepStartedAtMs;
  if (current.challenger.requests < policy.requestsMin || bakedMs < look.bakeMs) {
    return {
      result: "inconclusive",
      reasons: [
        `${current.challenger.requests} of ${policy.requestsMin} challenger requests, ${(bakedMs / 1000).toFixed(0)} of ${look.bakeMs / 1000} s at ${current.weight} %`,
      ],
      numbers,
    };
  }
  return {
    result: "successful",
    reasons: [
      `no evidence that the challenger is worse (e^${logE.toFixed(1)}, limit e^${(-Math.log(policy.alpha)).toFixed(1)}); ${seen}`,
    ],
    numbers,
  };
};
