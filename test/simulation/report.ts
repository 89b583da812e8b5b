/** What a run of many seeds says in the end. */
import type { SeedResult, Violation } from "./run-seed.js";
import type { Shrunk } from "./shrink.js";
import type { Item } from "./workload.js";

/** What is kept of a seed once it is played. */
export type SeedSummary = Pick<SeedResult, "seed" | "violation" | "events" | "steps" | "faults">;

/** What to keep of a seed. */
export const summaryOf = ({
  seed,
  violation,
  events,
  steps,
  faults,
}: SeedSummary): SeedSummary => ({
  seed,
  violation,
  events,
  steps,
  faults,
});

/** Sums over seeds. */
export interface Tally {
  seeds: number;
  events: number;
  steps: number;
  readonly faults: Map<string, number>;
  readonly failing: { readonly seed: number; readonly violation: Violation }[];
}

/** A tally of nothing. */
export const emptyTally = (): Tally => ({
  seeds: 0,
  events: 0,
  steps: 0,
  faults: new Map(),
  failing: [],
});

/** Adds one seed to a tally. */
export const count = (tally: Tally, result: SeedSummary): void => {
  tally.seeds += 1;
  tally.events += result.events;
  tally.steps += result.steps;
  if (result.violation !== null) {
    tally.failing.push({ seed: result.seed, violation: result.violation });
  }
  for (const [kind, times] of result.faults) {
    tally.faults.set(kind, (tally.faults.get(kind) ?? 0) + times);
  }
};

/** How long a run took. */
export interface Duration {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** A watch that began to run now. */
export const stopwatch = (): (() => Duration) => {
  const startMs = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { seconds: (performance.now() - startMs) / 1000, cpuSeconds: (user + system) / 1e6 };
  };
};

/** How fast a run was. */
export const rates = ({ seeds, events, steps }: Tally, { seconds, cpuSeconds }: Duration) => ({
  seconds,
  /** Of all threads: on a busy machine it tells more than the time that passed. */
  cpuSeconds,
  seedsPerSecond: Math.round((10 * seeds) / seconds) / 10,
  eventsPerSecond: Math.round(events / seconds),
  stepsPerSecond: Math.round(steps / seconds),
});

/** The figures of a run, line by line. */
export const figures = (tally: Tally, duration: Duration, counted = "faults injected"): string => {
  const { seconds, cpuSeconds } = duration;
  const { seedsPerSecond, eventsPerSecond, stepsPerSecond } = rates(tally, duration);
  return [
    `${tally.seeds} seeds in ${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of processor time): ${seedsPerSecond} seeds/s, ${eventsPerSecond} events/s, ${stepsPerSecond} steps/s`,
    `${tally.events} events${tally.faults.size === 0 ? "" : `, ${counted}:`}`,
    ...[...tally.faults]
      .toSorted(([, a], [, b]) => b - a)
      .map(([kind, times]) => `  ${String(times).padStart(8)} ${kind}`),
  ].join("\n");
};

const minutes = (ms: number): string => `${(ms / 60_000).toFixed(1)} min`;

const timeOf = (atMs: Item["atMs"]): string =>
  typeof atMs === "number"
    ? minutes(atMs)
    : `${(atMs.delayMs / 1000).toFixed(1)} s after ${atMs.decision} ${atMs.nth} of ${atMs.model}:`;

const list = (option: string, items: ReadonlySet<number | string>): string =>
  items.size === 0 ? "" : ` ${option} ${[...items].join(",")}`;

/** One failing seed with its thinned history. */
export const failure = ({ result, withoutActs, withoutFaults }: Shrunk): string => {
  const { seed, violation, items } = result;
  return [
    `seed ${seed}: ${violation?.invariant ?? "nothing"} at ${minutes(violation?.sinceStartMs ?? 0)}: ${violation?.finding ?? ""}`,
    `  history (${withoutActs.size} acts left out, faults off: ${[...withoutFaults].join(", ") || "none"}):`,
    ...items.map(
      ({ index, atMs, act }) =>
        `  ${timeOf(atMs).padStart(10)} act ${index} ${act.do === "apply" ? `apply ${act.manifest.name}` : JSON.stringify(act)}`,
    ),
    `  replay: npm run simulate -- --seed ${seed} --trace${list("--without-acts", withoutActs)}${list("--without-faults", withoutFaults)}`,
  ].join("\n");
};
