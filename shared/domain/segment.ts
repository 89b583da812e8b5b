/** What one stretch of constant weight measured, brought into the few numbers that a verdict needs. */
import type { DeployedModelId } from "../../events/ids.js";
import { sumLatencyRanks } from "../statistics/latency-ranks.js";
import { compareLatencyWindows } from "../statistics/latency-windows.js";
import { errorDispersion } from "../statistics/over-dispersion.js";
import { logRecords } from "../statistics/records.js";
import type { Point } from "./signals.js";
import type { ArmCounts, Segment } from "./state.js";

/** One deployed model's busiest replica at one time. */
export interface Usage {
  readonly atMs: number;
  /** Resident memory; absent when only the processor was measured at that time. */
  readonly memoryBytes?: number;
  /** Fraction of the allocated processor; above 1 with several cores. */
  readonly cpu?: number;
}

/** An endpoint's counts in whole windows, by deployed model. */
export interface MetricCounts {
  /** End of the last window that a request was counted in. */
  readonly endMs: number;
  /** Finite upper bounds of the latency buckets, milliseconds. */
  readonly bounds: readonly number[];
  readonly arms: Readonly<Record<DeployedModelId, ArmCounts>>;
  /** The counts of each window, oldest first. */
  readonly windows: readonly Readonly<Record<DeployedModelId, ArmCounts>>[];
  /** Memory and processor in the same span, oldest first. */
  readonly usage: Readonly<Record<DeployedModelId, readonly Usage[]>>;
  /** The user's own metric, where it was asked for. */
  readonly business?: {
    readonly points: Readonly<Record<DeployedModelId, readonly Point[]>>;
    /** Why it cannot be judged; null when it can. */
    readonly problem: string | null;
  };
}

/** Which stretch of time of which pair is wanted, and what the challenger is allowed beside the champion. */
export interface Stretch {
  readonly champion: DeployedModelId | null;
  readonly challenger: DeployedModelId;
  readonly weight: number;
  /** Only windows that began at or after this time count. */
  readonly sinceMs: number;
  readonly latencyRatioMax: number;
  readonly cpuRatioMax: number;
}

const noRequests = (buckets: number): ArmCounts => ({
  requests: 0,
  errors: 0,
  latencies: Array.from({ length: buckets }, () => 0),
});

/** Whether a measurement can be reckoned with: its writer may have had none, and then it arrives as no number. */
const isAmount = (value: number | undefined): value is number =>
  value !== undefined && value >= 0 && value <= Number.MAX_SAFE_INTEGER;

/** Pairs each of the challenger's processor values with the champion's last one before it. */
const busier = (
  champion: readonly Usage[],
  challenger: readonly Usage[],
  ratioMax: number,
): Segment["busier"] => {
  const pairs = challenger.flatMap(({ atMs, cpu }) => {
    const beside = champion.findLast((usage) => isAmount(usage.cpu) && usage.atMs <= atMs)?.cpu;
    return isAmount(cpu) && beside !== undefined ? [{ cpu, beside }] : [];
  });
  return {
    compared: pairs.length,
    busier: pairs.filter(({ cpu, beside }) => cpu > ratioMax * beside).length,
  };
};

const memory = (champion: readonly Usage[], challenger: readonly Usage[]): Segment["memory"] => {
  const bytes = (usage: readonly Usage[]) =>
    usage.flatMap(({ memoryBytes }) => (isAmount(memoryBytes) ? [memoryBytes] : []));
  const own = bytes(challenger);
  return {
    logGrowth: logRecords(own),
    championBytes: bytes(champion).reduce((most, value) => Math.max(most, value), 0),
    challengerBytes: own.at(-1) ?? 0,
  };
};

/** The segment of one stretch; O(windows x buckets). */
export const segmentFrom = (counts: MetricCounts, stretch: Stretch): Segment => {
  const buckets = counts.bounds.length + 1;
  const armIn = (
    arms: Readonly<Record<DeployedModelId, ArmCounts>>,
    id: DeployedModelId | null,
  ): ArmCounts => (id === null ? undefined : arms[id]) ?? noRequests(buckets);
  const windows = counts.windows.map((window) => ({
    champion: armIn(window, stretch.champion),
    challenger: armIn(window, stretch.challenger),
  }));
  const latencies = windows.map(({ champion, challenger }) => ({
    champion: champion.latencies,
    challenger: challenger.latencies,
  }));
  const championUsage = stretch.champion === null ? [] : (counts.usage[stretch.champion] ?? []);
  const challengerUsage = counts.usage[stretch.challenger] ?? [];
  return {
    weight: stretch.weight,
    startMs: stretch.sinceMs,
    endMs: counts.endMs,
    bounds: counts.bounds,
    champion: armIn(counts.arms, stretch.champion),
    challenger: armIn(counts.arms, stretch.challenger),
    slower: compareLatencyWindows(latencies, counts.bounds, { ratioMax: stretch.latencyRatioMax }),
    ranks: sumLatencyRanks(latencies, { ratioMax: stretch.latencyRatioMax }),
    dispersion: errorDispersion(
      windows
        .filter(({ champion, challenger }) => champion.requests > 0 && challenger.requests > 0)
        .map(({ champion, challenger }) => ({
          challengerErrors: challenger.errors,
          errors: champion.errors + challenger.errors,
        })),
    ),
    memory: memory(championUsage, challengerUsage),
    busier: busier(championUsage, challengerUsage, stretch.cpuRatioMax),
  };
};
