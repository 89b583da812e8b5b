/** The counts of one endpoint, from the samples of its time series. */
import { deployedModelId, type DeployedModelId } from "../../events/ids.js";
import type { MetricCounts, Usage } from "../domain/segment.js";
import type { ArmCounts } from "../domain/state.js";
import { commonBounds, countingWithin, finiteBounds } from "./distributions.js";
import type { DistributionValue, Sample } from "./metric-series.js";

/** The samples of one endpoint, by what they measure. */
export interface EndpointSamples {
  readonly responses: readonly Sample[];
  readonly errors: readonly Sample[];
  readonly latencies: readonly Sample[];
  readonly memory: readonly Sample[];
  readonly cpu: readonly Sample[];
}

/** What counts requests; usage is measured whether anybody asks or not. */
type Requests = Pick<EndpointSamples, "responses" | "errors" | "latencies">;

const deployedModelOf = ({ labels }: Sample): string => labels["deployed_model_id"] ?? "";

const isFailure = ({ labels }: Sample): boolean => /^[45]/.test(labels["response_code"] ?? "");

/** Requests in all; what is no count of anything (negative, not a number) counts nothing. */
const sum = (found: readonly Sample[]): number =>
  found.reduce((total, { count }) => total + (count > 0 && Number.isFinite(count) ? count : 0), 0);

/** Items by a key, in the order in which the keys first came. */
const grouped = <Key, Item>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
): ReadonlyMap<Key, readonly Item[]> => {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
};

/** Requests apart by a key; a key of any of the three is a key of the result. */
const requestsBy = <Key>(
  { responses, errors, latencies }: Requests,
  keyOf: (sample: Sample) => Key,
): ReadonlyMap<Key, Requests> => {
  const byKey = {
    responses: grouped(responses, keyOf),
    errors: grouped(errors, keyOf),
    latencies: grouped(latencies, keyOf),
  };
  const keys = new Set(Object.values(byKey).flatMap((groups) => [...groups.keys()]));
  return new Map(
    [...keys].map((key) => [
      key,
      {
        responses: byKey.responses.get(key) ?? [],
        errors: byKey.errors.get(key) ?? [],
        latencies: byKey.latencies.get(key) ?? [],
      },
    ]),
  );
};

const distributionsOf = (found: readonly Sample[]): readonly DistributionValue[] =>
  found.flatMap(({ distribution }) => distribution ?? []);

const distinctBounds = (found: readonly DistributionValue[]): readonly (readonly number[])[] => [
  ...new Map(
    found.map(({ bucketOptions }) => [JSON.stringify(bucketOptions), finiteBounds(bucketOptions)]),
  ).values(),
];

type CountLatencies = ReturnType<typeof countingWithin>;

const countsOf = (
  { responses, errors, latencies }: Requests,
  countLatencies: CountLatencies,
): ArmCounts => ({
  requests: sum(responses),
  // The error series is written beside the responses; without it the response codes say the same.
  errors: errors.length > 0 ? sum(errors) : sum(responses.filter(isFailure)),
  latencies: countLatencies(distributionsOf(latencies)),
});

/** Counts by deployed model; what names none is nobody's. */
const armsOf = (
  requests: Requests,
  countLatencies: CountLatencies,
): Readonly<Record<DeployedModelId, ArmCounts>> =>
  Object.fromEntries(
    [...requestsBy(requests, deployedModelOf)].flatMap(([id, own]) => {
      const parsed = deployedModelId.safeParse(id);
      return parsed.success ? [[parsed.data, countsOf(own, countLatencies)]] : [];
    }),
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
  const windows = [...requestsBy(samples, endOf)].toSorted(([a], [b]) => a - b);
  const last = windows.at(-1);
  if (last === undefined) return null;
  const bounds = commonBounds(distinctBounds(distributionsOf(samples.latencies)));
  const countLatencies = countingWithin(bounds);
  const arms = armsOf(samples, countLatencies);
  const memory = grouped(samples.memory, deployedModelOf);
  const cpu = grouped(samples.cpu, deployedModelOf);
  return {
    endMs: last[0],
    bounds,
    arms,
    windows: windows.map(([, requests]) => armsOf(requests, countLatencies)),
    usage: Object.fromEntries(
      Object.keys(arms).map((id) => [id, usageOf(memory.get(id), cpu.get(id))]),
    ),
  };
};
