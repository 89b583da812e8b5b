/** What the acts share: how to look at runs and rollouts, and what an act reports. */
import type { Flight, Month } from "./flights.js";
import type { Traffic } from "./traffic.js";
import { until, type DemoWorld } from "./world.js";

/** A run as the api shows it; only what the acts read. */
export interface RunSeen {
  readonly run: string;
  readonly model: string;
  readonly isLive: boolean;
  readonly phase: string;
  readonly outcome: "registered" | "rejected" | "failed" | "cancelled" | null;
  readonly trigger: string;
  readonly triggerCount: number;
  readonly reason: string;
  readonly reasons: readonly string[];
  readonly datasetUris: readonly string[];
  readonly versionId: string | null;
  readonly evaluation: {
    readonly report: string;
    readonly outcome: string;
    readonly reasons: readonly string[];
    readonly numbers: Readonly<Record<string, number>>;
    readonly artifact: string;
  } | null;
}

/** A rollout as the api shows it; only what the acts read. */
export interface RolloutSeen {
  readonly rollout: string;
  readonly isLive: boolean;
  readonly phase: string;
  readonly outcome: "promoted" | "rolled-back" | "aborted" | null;
  readonly run: string | null;
  readonly versionId: string;
  readonly reasons: readonly string[];
  readonly weight: number | null;
  readonly history: readonly {
    readonly weight: number;
    readonly verdict: {
      readonly result: string;
      readonly numbers: Readonly<Record<string, number>>;
    };
  }[];
}

/** A model as the api shows it; only what the acts read. */
export interface ModelSeen {
  readonly model: string;
  readonly champion: { readonly versionId: string; readonly run: string | null } | null;
  readonly datasets: readonly { readonly uris: readonly string[]; readonly isStopped: boolean }[];
}

/** What one act came to. */
export interface ActResult {
  readonly act: number;
  readonly title: string;
  readonly isAsExpected: boolean;
  /** What was decided and why, one line each. */
  readonly lines: readonly string[];
  readonly seconds: number;
}

/** What is handed from act to act. */
export interface Stage {
  readonly world: DemoWorld;
  readonly nextMonth: () => Promise<Month | null>;
  /** The live stream against production; null before the first model serves. */
  traffic: Traffic | null;
  /** The months played so far. */
  readonly played: Month[];
  firstPredictionSeconds: number | null;
}

/** One act. */
export interface Act {
  readonly number: number;
  readonly title: string;
  readonly play: (stage: Stage) => Promise<Pick<ActResult, "isAsExpected" | "lines">>;
}

export const mainModel = "flights-late";
export const frozenModel = "flights-january";

/** Runs of a model, newest first. */
export const runsOf = async (world: DemoWorld, model: string): Promise<readonly RunSeen[]> =>
  (await world.read<{ readonly runs: readonly RunSeen[] }>(`/runs?model=${model}&limit=50`)).runs;

/** Rollouts of a model, newest first. */
export const rolloutsOf = async (
  world: DemoWorld,
  model: string,
): Promise<readonly RolloutSeen[]> =>
  (
    await world.read<{ readonly rollouts: readonly RolloutSeen[] }>(
      `/rollouts?model=${model}&limit=50`,
    )
  ).rollouts;

export const modelSeen = (world: DemoWorld, model: string): Promise<ModelSeen> =>
  world.read<ModelSeen>(`/models/${model}`);

/** Waits for the end of the first run that matches, telling each phase on the way. */
export const endOfRun = async (
  { world }: Stage,
  model: string,
  what: string,
  matches: (run: RunSeen) => boolean,
): Promise<RunSeen> => {
  let told = "";
  return until(
    `the end of ${what}`,
    async () => {
      const run = (await runsOf(world, model)).find(matches);
      if (run === undefined) return null;
      const state = run.isLive ? run.phase : (run.outcome ?? "ended");
      if (state !== told) world.options.say(`  ${run.run}  ${state}`);
      told = state;
      return run.isLive ? null : run;
    },
    { seconds: 180, signal: world.options.signal },
  );
};

/** Waits for the end of a version's rollout, telling each weight on the way. */
export const endOfRollout = async (
  { world }: Stage,
  model: string,
  matches: (rollout: RolloutSeen) => boolean,
): Promise<RolloutSeen> => {
  let told = "";
  return until(
    `the end of ${model}'s rollout`,
    async () => {
      const rollout = (await rolloutsOf(world, model)).find(matches);
      if (rollout === undefined) return null;
      const state = rollout.isLive
        ? `${rollout.phase}${rollout.weight === null ? "" : ` ${rollout.weight} %`}`
        : (rollout.outcome ?? "ended");
      if (state !== told) world.options.say(`  version ${rollout.versionId}  ${state}`);
      told = state;
      return rollout.isLive ? null : rollout;
    },
    { seconds: 240, signal: world.options.signal },
  );
};

/** The fresh rows that both versions are scored on: the month's last seven days. */
export const freshFlights = (month: Month): readonly Flight[] => {
  const end = month.flights.at(-1)?.dateMs ?? 0;
  return month.flights.filter(({ dateMs }) => dateMs > end - 7 * 86_400_000);
};

/** One short line of a run's reasons. */
export const firstReason = (reasons: readonly string[]): string => {
  const [first = "no reason"] = reasons;
  return first.length > 300 ? `${first.slice(0, 297)}...` : first;
};
