/** What the control plane costs in a month: counts that were measured, times prices that are given. */
import type { PriceList } from "./prices.js";

/** What a month holds. */
export interface Workload {
  /** Training runs, each with one rollout. */
  readonly runs: number;
  /** Events that change nothing: alerts in a cooldown, data that is already known ... */
  readonly ignoredEvents: number;
  /** How long one rollout lasts. */
  readonly rolloutHours: number;
  /** Models with a cron of their own in Cloud Scheduler. */
  readonly schedules: number;
}

/** One line of the bill. */
export interface CostLine {
  readonly price: keyof PriceList["prices"];
  readonly amount: number;
  readonly unit: string;
  readonly free: number;
  readonly usd: number;
  /** How the amount comes about. */
  readonly arithmetic: string;
}

/** A month's bill. */
export interface MonthlyCost {
  readonly lines: readonly CostLine[];
  readonly usd: number;
  /** The same if no free tier were left. */
  readonly usdWithoutFreeTier: number;
}

const minutesPerMonth = 30 * 24 * 60;
const systemSchedules = 3;

/**
 * Counted in the local cloud's log of calls. An idle tick asks four queries, of one read each. A run from its dataset
 * to its promotion in two steps: 15 journal entries, 48 documents read, 47 queries, 32 commits and 4 messages of our
 * own, while the tick came every second or two; rounded up, with three documents to a commit.
 */
const counted = {
  readsPerIdleTick: 4,
  readsPerRun: 100,
  writesPerRun: 96,
  messagesPerRun: 20,
  readsPerIgnored: 1,
  writesPerIgnored: 1,
} as const;

/**
 * Guessed, and on the high side: an analysis every three minutes that reads two models' errors, latency, memory and CPU
 * in a few series each; a request of a warm function, one log line per request, one small message.
 */
const guessed = {
  seriesPerAnalysis: 16,
  analysesPerRolloutHour: 20,
  secondsPerRequest: 0.3,
  gibPerRequest: 0.5,
  bytesPerLogLine: 1000,
  bytesPerMessage: 1000,
  artifactBytesPerRun: 5_000_000,
} as const;

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);

/** The bill of a workload at these prices. */
export const monthlyCost = (workload: Workload, { prices }: PriceList): MonthlyCost => {
  const { runs, ignoredEvents, rolloutHours, schedules } = workload;
  const line = (price: keyof PriceList["prices"], amount: number, arithmetic: string): CostLine => {
    const { usd, per, free } = prices[price];
    return {
      price,
      amount,
      unit: per,
      free,
      usd: Math.max(0, amount - free) * usd,
      arithmetic,
    };
  };
  const requests = minutesPerMonth + runs * counted.messagesPerRun + ignoredEvents;
  const writes = runs * counted.writesPerRun + ignoredEvents * counted.writesPerIgnored;
  const series = runs * rolloutHours * guessed.analysesPerRolloutHour * guessed.seriesPerAnalysis;
  const lines = [
    line(
      "firestoreRead",
      minutesPerMonth * counted.readsPerIdleTick +
        runs * counted.readsPerRun +
        ignoredEvents * counted.readsPerIgnored,
      `${minutesPerMonth} ticks x ${counted.readsPerIdleTick} + ${runs} runs x ${counted.readsPerRun} + ${ignoredEvents} ignored events x ${counted.readsPerIgnored}`,
    ),
    line(
      "firestoreWrite",
      writes,
      `${runs} runs x ${counted.writesPerRun} + ${ignoredEvents} ignored events x ${counted.writesPerIgnored}`,
    ),
    line("firestoreDelete", writes, "at most what was written: journal entries expire"),
    line(
      "cloudRunRequest",
      requests,
      `${minutesPerMonth} ticks + ${runs} runs x ${counted.messagesPerRun} + ${ignoredEvents} ignored events`,
    ),
    line(
      "cloudRunCpu",
      requests * guessed.secondsPerRequest,
      `${requests} requests x ${guessed.secondsPerRequest} s x 1 vCPU`,
    ),
    line(
      "cloudRunMemory",
      requests * guessed.secondsPerRequest * guessed.gibPerRequest,
      `${requests} requests x ${guessed.secondsPerRequest} s x ${guessed.gibPerRequest} GiB`,
    ),
    line(
      "pubsubData",
      2 * requests * guessed.bytesPerMessage,
      `${requests} messages x ${guessed.bytesPerMessage} bytes, in and out`,
    ),
    line(
      "schedulerJob",
      systemSchedules + schedules,
      `${systemSchedules} of the system + ${schedules} of models`,
    ),
    line("pipelineRun", runs, `${runs} runs x 1 PipelineJob`),
    line(
      "timeSeries",
      series,
      `${runs} rollouts x ${rolloutHours} h x ${guessed.analysesPerRolloutHour} analyses x ${guessed.seriesPerAnalysis} series`,
    ),
    line(
      "logs",
      requests * guessed.bytesPerLogLine,
      `${requests} requests x ${guessed.bytesPerLogLine} bytes`,
    ),
    line(
      "storage",
      runs * guessed.artifactBytesPerRun,
      `${runs} runs x ${guessed.artifactBytesPerRun} bytes`,
    ),
  ];
  return {
    lines,
    usd: sum(lines.map(({ usd }) => usd)),
    usdWithoutFreeTier: sum(lines.map(({ price, amount }) => amount * prices[price].usd)),
  };
};
