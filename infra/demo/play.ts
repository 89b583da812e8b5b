/** What the acts share: how to look at runs and rollouts, and what an act reports. */
import { z } from "zod";
import type { Flight, Month } from "./flights.js";
import type { Traffic } from "./traffic.js";
import { until, type DemoWorld, type WaitLimits } from "./world.js";

const numbers = z.record(z.string(), z.number());

const runReply = z.object({
  run: z.string(),
  isLive: z.boolean(),
  phase: z.string(),
  outcome: z.enum(["registered", "rejected", "failed", "cancelled"]).nullable(),
  trigger: z.string(),
  reason: z.string(),
  reasons: z.array(z.string()),
  datasetUris: z.array(z.string()),
  versionId: z.string().nullable(),
  evaluation: z
    .object({ report: z.string(), outcome: z.string(), numbers, artifact: z.string() })
    .nullable(),
});

const rolloutReply = z.object({
  rollout: z.string(),
  isLive: z.boolean(),
  phase: z.string(),
  outcome: z.enum(["promoted", "rolled-back", "aborted"]).nullable(),
  run: z.string().nullable(),
  versionId: z.string(),
  reasons: z.array(z.string()),
  weight: z.number().nullable(),
  history: z.array(
    z.object({ weight: z.number(), verdict: z.object({ result: z.string(), numbers }) }),
  ),
});

const modelReply = z.object({
  model: z.string(),
  champion: z.object({ versionId: z.string(), run: z.string().nullable() }).nullable(),
  datasets: z.array(z.object({ uris: z.array(z.string()), isStopped: z.boolean() })),
});

/** A run as the api shows it; only what the acts read. */
export type RunSeen = Readonly<z.infer<typeof runReply>>;

/** A rollout as the api shows it; only what the acts read. */
export type RolloutSeen = Readonly<z.infer<typeof rolloutReply>>;

/** A model as the api shows it; only what the acts read. */
export type ModelSeen = Readonly<z.infer<typeof modelReply>>;

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
export const runsOf = async (world: DemoWorld, name: string): Promise<readonly RunSeen[]> =>
  z.object({ runs: z.array(runReply) }).parse(await world.read(`/runs?model=${name}&limit=50`))
    .runs;

/** Rollouts of a model, newest first. */
export const rolloutsOf = async (world: DemoWorld, name: string): Promise<readonly RolloutSeen[]> =>
  z
    .object({ rollouts: z.array(rolloutReply) })
    .parse(await world.read(`/rollouts?model=${name}&limit=50`)).rollouts;

/** A model with its champion and its dataset versions. */
export const modelSeen = async (world: DemoWorld, name: string): Promise<ModelSeen> =>
  modelReply.parse(await world.read(`/models/${name}`));

/** Limits of a wait, and what was seen when they are over. */
const waitLimits = ({ options }: DemoWorld, seen: () => string): WaitLimits => ({
  seconds: options.waitSecondsMax,
  signal: options.signal,
  seen,
});

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
    waitLimits(world, () => (told === "" ? `no such run of ${model} began` : `it is ${told}`)),
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
    waitLimits(world, () => (told === "" ? "no such rollout began" : `it is ${told}`)),
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
