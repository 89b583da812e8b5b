/** What the time series of a canary say: one verdict per look, valid however often one looks. */
import { logEProcess } from "../statistics/e-process.js";
import { evidenceShares, logWeightedMean } from "../statistics/evidence-shares.js";
import { logLatency, type LatencyStretch } from "../statistics/latency-ranks.js";
import { logSigns } from "../statistics/latency-windows.js";
import { overDispersion } from "../statistics/over-dispersion.js";
import { sampleRatioMismatch } from "../statistics/sample-ratio.js";
import type { Manifest } from "../manifest/schema.js";
import { judgeSignals, type Evidence } from "./signal-evidence.js";
import type { Segment, Verdict } from "./state.js";

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
  /** Version of the manifest that the policy is from. */
  readonly policyVersion?: number;
}

/** Where nobody served beside the challenger, it is compared with all that the champion served before. */
const withBaseline = (segment: Segment, earlier: readonly Segment[]): Segment => {
  if (segment.weight < 100 && segment.champion.requests > 0) return segment;
  const before = earlier.map(({ champion }) => champion);
  const champion = {
    ...segment.champion,
    requests: before.reduce((sum, { requests }) => sum + requests, 0),
    errors: before.reduce((sum, { errors }) => sum + errors, 0),
  };
  return { ...segment, weight: 100, champion };
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

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** Growth counts only once the challenger holds much more than the champion does: every process grows at first. */
const memoryEvidence = (segments: readonly Segment[], ratioMax: number): number => {
  const own = segments.at(-1)?.memory.challengerBytes ?? 0;
  const champion = Math.max(...segments.map(({ memory }) => memory.championBytes));
  if (champion === 0 || own <= ratioMax * champion) return 0;
  return segments.reduce((sum, { memory }) => sum + memory.logGrowth, 0);
};

const processorEvidence = (segments: readonly Segment[]): number => {
  const sum = (pick: (segment: Segment) => number): number =>
    segments.reduce((total, segment) => total + pick(segment), 0);
  return logSigns(
    sum(({ busier }) => busier.compared),
    sum(({ busier }) => busier.busier),
  );
};

/** A machine is slow for seconds at a time, so windows of seconds resemble each other: ranks count after some minutes. */
const ranksMsMin = 4 * 60_000;

const withLastingRanks = ({ slower, ranks, startMs, endMs }: Segment): LatencyStretch =>
  ranks === undefined || endMs - startMs < ranksMsMin ? { slower } : { slower, ranks };

const percent = (part: number, whole: number): string =>
  whole === 0 ? "no requests" : `${((100 * part) / whole).toFixed(2)} % of ${whole}`;

/**
 * With nothing to compare with, only what nobody would call working is a failure: most of at least so many requests. Any
 * fewer that fail may be as many as the champion's or not, which no waiting tells; none cannot be more.
 */
const aloneRequestsMin = 20;

const judge = (look: Look): Verdict => {
  const { current, policy } = look;
  if (current === null || current.challenger.requests + current.champion.requests === 0) {
    return { result: "error", reasons: ["Monitoring has no point of this step yet"], numbers: {} };
  }
  const all = [...look.earlier, current];
  const compared = withBaseline(current, look.earlier);
  const isAlone = compared.champion.requests === 0;
  const segments = [...look.earlier, compared].filter(isComparable);
  const counted = segments.map((segment) => ({
    share: shareOf(segment),
    challengerErrors: segment.challenger.errors,
    errors: segment.challenger.errors + segment.champion.errors,
    dispersion: segment.dispersion,
  }));
  // Windows tell how much errors vary only while both versions serve in each.
  const excess = overDispersion(counted.filter((_, i) => (segments[i]?.weight ?? 100) < 100));
  const logErrors = logEProcess(counted, { rho0: policy.errorRatioMax, dispersion: excess });
  // Only windows in which both served at once are compared: latency of another hour says nothing about this one.
  const concurrent = all.filter(({ weight }) => weight < 100);
  const signals = judgeSignals(look.earlier, current, policy);
  const evidence: readonly Evidence[] = [
    { about: "error rate", log: logErrors, share: evidenceShares.errors },
    {
      about: "latency",
      log: logLatency(concurrent.map(withLastingRanks)),
      share: evidenceShares.latency,
    },
    {
      about: "memory",
      log: memoryEvidence(all, policy.memoryRatioMax),
      share: evidenceShares.memory,
    },
    { about: "processor use", log: processorEvidence(concurrent), share: evidenceShares.processor },
    ...signals.map((signal) => signal.evidence),
  ];
  const logE = logWeightedMean(evidence);
  const of = (about: Evidence["about"]): number =>
    evidence.find((one) => one.about === about)?.log ?? 0;
  const numbers = {
    requests: current.challenger.requests,
    errors: current.challenger.errors,
    championRequests: current.champion.requests,
    championErrors: current.champion.errors,
    logEvidenceErrors: of("error rate"),
    logEvidenceLatency: of("latency"),
    logEvidenceMemory: of("memory"),
    logEvidenceProcessor: of("processor use"),
    logEvidence: logE,
    errorOverDispersion: excess,
    memoryBytes: current.memory.challengerBytes,
    championMemoryBytes: Math.max(...all.map(({ memory }) => memory.championBytes)),
    logEvidenceLimit: -Math.log(policy.alpha),
    alpha: policy.alpha,
    errorRatioMax: policy.errorRatioMax,
    latencyRatioMax: policy.latencyRatioMax,
    memoryRatioMax: policy.memoryRatioMax,
    cpuRatioMax: policy.cpuRatioMax,
    requestsMin: policy.requestsMin,
    windowSeconds: (current.endMs - current.startMs) / 1000,
    ...Object.fromEntries(signals.flatMap((signal) => Object.entries(signal.numbers))),
  };
  const seen = `challenger errors ${percent(current.challenger.errors, current.challenger.requests)}, champion errors ${percent(current.champion.errors, current.champion.requests)}`;
  if (logE >= -Math.log(policy.alpha)) {
    const culprit = evidence.reduce((worst, one) =>
      one.share * Math.exp(one.log - logE) > worst.share * Math.exp(worst.log - logE) ? one : worst,
    ).about;
    const signal = signals.find((one) => one.evidence.about === culprit);
    const held =
      culprit === "memory"
        ? `; it grows and holds ${mebibytes(numbers.memoryBytes)}, the champion at most ${mebibytes(numbers.championMemoryBytes)}`
        : signal === undefined
          ? ""
          : `; ${signal.seen}`;
    const claim = culprit === "prediction distribution" ? "differs" : "is worse";
    return {
      result: "failed",
      reasons: [
        `${culprit} of the challenger ${claim}: evidence e^${logE.toFixed(1)} against a limit of e^${(-Math.log(policy.alpha)).toFixed(1)} (alpha ${policy.alpha}, anytime-valid); ${seen}${held}`,
      ],
      numbers,
    };
  }
  const { requests, errors } = current.challenger;
  if (isAlone && requests >= aloneRequestsMin && 2 * errors > requests) {
    return {
      result: "failed",
      reasons: [
        `most requests to the challenger fail, and the champion served none to compare with; ${seen}`,
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
      isMismatched: true,
    };
  }
  if (current.problems !== undefined && current.problems.length > 0) {
    return { result: "error", reasons: current.problems, numbers };
  }
  const bakedMs = current.endMs - look.stepStartedAtMs;
  const lacks = signals.flatMap((signal) => signal.lacks ?? []);
  const isShort = current.challenger.requests < policy.requestsMin || bakedMs < look.bakeMs;
  if (isShort || lacks.length > 0) {
    const short = `${current.challenger.requests} of ${policy.requestsMin} challenger requests, ${(bakedMs / 1000).toFixed(0)} of ${look.bakeMs / 1000} s at ${current.weight} %`;
    return { result: "inconclusive", reasons: [...(isShort ? [short] : []), ...lacks], numbers };
  }
  if (isAlone && errors > 0) {
    return {
      result: "inconclusive",
      reasons: [
        `${seen}: whether that is worse cannot be told, because the champion served none to compare with; give the rollout a step below 100 %`,
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

/**
 * Judges one look, and keeps what it measured, so that the same verdict can be made again. Sources and guarantees of the
 * tests: shared/statistics/e-process.ts, over-dispersion.ts, latency-windows.ts, latency-ranks.ts, records.ts and mean-excess.ts.
 */
export const assess = (look: Look): Verdict => {
  const { current, policyVersion } = look;
  return {
    ...judge(look),
    ...(policyVersion === undefined ? {} : { policyVersion }),
    ...(current === null ? {} : { measured: current }),
  };
};
