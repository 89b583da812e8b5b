/** The counts of one endpoint, from the samples of its time series. */
import { deployedModelId, type DeployedModelId } from "../../events/ids.js";
import type { MetricCounts, Usage } from "../domain/segment.js";
import type { ArmCounts } from "../domain/state.js";
import { commonBounds, countingWithin, finiteBounds } from "./distributions.js";
import { grouped, type DistributionValue, type Sample } from "./metric-series.js";

/** The samples of one endpoint, by what they measure. */
export interface EndpointSamples {
  readonly responses: readonly Sample[];
  readonly errors: readonly Sample[];
  readonly latencies: readonly Sample[];
  readonly memory: readonly Sample[];
  readonly cpu: readonly Sample[];
}

/** What one deployed model's samples of one window come to. */
interface Tally {
  requests: number;
  failures: number;
  /** Null without a point of the error series. */
  errors: number | null;
  readonly distributions: DistributionValue[];
}

const deployedModelOf = ({ labels }: Sample): string => labels["deployed_model_id"] ?? "";

const isFailure = ({ labels }: Sample): boolean => /^[45]/.test(labels["response_code"] ?? "");

/** What is no count of anything (negative, not a number) counts nothing. */
const countOf = ({ count }: Sample): number => (count > 0 && Number.isFinite(count) ? count : 0);

type Window = ReadonlyMap<DeployedModelId, Tally>;

/** Each window's requests by deployed model, the oldest window first; what names no model is nobody's. */
const windowsOf = ({
  responses,
  errors,
  latencies,
}: EndpointSamples): readonly (readonly [number, Window])[] => {
  const windows = new Map<number, Map<DeployedModelId, Tally>>();
  const known = new Map<string, DeployedModelId | null>();
  const idOf = (name: string): DeployedModelId | null => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const id = deployedModelId.safeParse(name).data ?? null;
    known.set(name, id);
    return id;
  };
  const tallyOf = (sample: Sample): Tally => {
    const id = idOf(deployedModelOf(sample));
    const window = windows.get(sample.endMs) ?? new Map<DeployedModelId, Tally>();
    windows.set(sample.endMs, window);
    const found = id === null ? undefined : window.get(id);
    if (found !== undefined) return found;
    const tally: Tally = { requests: 0, failures: 0, errors: null, distributions: [] };
    if (id !== null) window.set(id, tally);
    return tally;
  };
  for (const sample of responses) {
    const tally = tallyOf(sample);
    tally.requests += countOf(sample);
    if (isFailure(sample)) tally.failures += countOf(sample);
  }
  for (const sample of errors) {
    const tally = tallyOf(sample);
    tally.errors = (tally.errors ?? 0) + countOf(sample);
  }
  for (const sample of latencies) {
    if (sample.distribution === undefined) tallyOf(sample);
    else tallyOf(sample).distributions.push(sample.distribution);
  }
  return [...windows].toSorted(([one], [other]) => one - other);
};

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

/** Counts of tallies together, given the latencies of each. */
const armOf = (tallies: readonly Tally[], latencies: readonly (readonly number[])[]): ArmCounts => {
  const errors = tallies.flatMap((tally) => tally.errors ?? []);
  const [first = []] = latencies;
  return {
    requests: sum(tallies.map(({ requests }) => requests)),
    // The error series is written beside the responses; without it the response codes say the same.
    errors: sum(errors.length > 0 ? errors : tallies.map(({ failures }) => failures)),
    latencies: first.map((_, bucket) => sum(latencies.map((counts) => counts[bucket] ?? 0))),
  };
};

/** The distinct lists of bounds; points of like buckets share their options. */
const distinctBounds = (latencies: readonly Sample[]): readonly (readonly number[])[] =>
  [...new Set(latencies.flatMap(({ distribution }) => distribution?.bucketOptions ?? []))].map(
    finiteBounds,
  );

/** The highest value; a point that is no number is as good as none. */
const most = (found: readonly Sample[] = []): number | undefined => {
  const values = found.flatMap(({ count }) => (Number.isFinite(count) ? [count] : []));
  return values.length === 0 ? undefined : Math.max(...values);
};

const endOf = ({ endMs }: Sample): number => endMs;

/** The busiest replica of a model at each time, oldest first. */
const usageOf = (memory: readonly Sample[] = [], cpu: readonly Sample[] = []): readonly Usage[] => {
  const memoryAt = grouped(memory, endOf);
  const cpuAt = grouped(cpu, endOf);
  const times = [...new Set([...memoryAt.keys(), ...cpuAt.keys()])].toSorted((a, b) => a - b);
  return times.map((atMs) => {
    const memoryBytes = most(memoryAt.get(atMs));
    const busiest = most(cpuAt.get(atMs));
    return {
      atMs,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(busiest === undefined ? {} : { cpu: busiest }),
    };
  });
};

/** Sums samples per deployed model, in all and by window; null without a request. */
export const countsFrom = (samples: EndpointSamples): MetricCounts | null => {
  const found = windowsOf(samples);
  const last = found.at(-1);
  if (last === undefined) return null;
  const bounds = commonBounds(distinctBounds(samples.latencies));
  const countLatencies = countingWithin(bounds);
  const byModel = new Map<
    DeployedModelId,
    { tallies: Tally[]; latencies: (readonly number[])[] }
  >();
  const windows = found.map(([, window]) => {
    const arms: Record<DeployedModelId, ArmCounts> = {};
    for (const [id, tally] of window) {
      const latencies = countLatencies(tally.distributions);
      arms[id] = armOf([tally], [latencies]);
      const all = byModel.get(id) ?? { tallies: [], latencies: [] };
      byModel.set(id, all);
      all.tallies.push(tally);
      all.latencies.push(latencies);
    }
    return arms;
  });
  const memory = grouped(samples.memory, deployedModelOf);
  const cpu = grouped(samples.cpu, deployedModelOf);
  return {
    endMs: last[0],
    bounds,
    arms: Object.fromEntries(
      [...byModel].map(([id, { tallies, latencies }]) => [id, armOf(tallies, latencies)]),
    ),
    windows,
    usage: Object.fromEntries(
      [...byModel.keys()].map((id) => [id, usageOf(memory.get(id), cpu.get(id))]),
    ),
  };
};
