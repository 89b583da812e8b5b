/** The crash test: load, kills, quiet, and the invariants. */
import { z } from "zod";
import { seededRandom } from "../../../shared/statistics/random.js";
import { newFolder, removeFolder, until } from "../instance.js";
import { checkAll, observe, type Check } from "./checks.js";
import { drawKill, perform, type Kill } from "./kills.js";
import { startLoad, type Published } from "./load.js";
import { startWorld, type World } from "./world.js";

/** What to do. */
export interface CrashOptions {
  readonly kills: number;
  readonly seed: number;
  readonly models: number;
  /** How long everything may take to become quiet after the last kill. */
  readonly quietSecondsMax: number;
  readonly tell: (line: string) => void;
}

/** What came of it. */
export interface CrashReport {
  readonly seed: number;
  readonly kills: readonly Kill[];
  readonly published: readonly Published[];
  readonly counts: Readonly<Record<string, number>>;
  readonly checks: readonly Check[];
  readonly seconds: number;
  readonly quietSeconds: number;
  /** What the publisher was told; an event without a confirmation is nobody's promise. */
  readonly refused: readonly string[];
}

const openState = z.looseObject({
  model: z.string(),
  run: z.unknown(),
  rollout: z.unknown(),
  trigger: z.unknown(),
  waiting: z.unknown(),
  champion: z.unknown(),
});

/** What is still going on; empty when nothing is. */
const openWork = async (
  world: World,
  published: readonly Published[],
): Promise<readonly string[]> => {
  const pending = await world.pendingKeys();
  const states = z.array(openState).parse(await world.documents("models", "state"));
  const entries = new Set((await world.journal()).map(({ event }) => event.id));
  const letters = (await world.documents("deadLetters", "letter")).length;
  return [
    ...pending.map((key) => `entry ${key} is pending`),
    ...states.flatMap((state) =>
      (["run", "rollout", "trigger", "waiting"] as const)
        .filter((part) => state[part] !== null)
        .map((part) => `${state.model} has a ${part}`),
    ),
    ...published
      .filter(({ kind, id }) => kind === "dataset" && !entries.has(id))
      .map(({ id }) => `${id} has not arrived`),
    ...(published.filter(({ kind }) => kind === "poison").length > letters
      ? ["poison is on its way"]
      : []),
  ];
};

/** A consumer of promotions, as another team would have one. */
const consumePromotions = async ({ pubsub }: World) => {
  const message = z.looseObject({
    id: z.string(),
    data: z.looseObject({ model: z.string(), versionId: z.string() }),
  });
  const [subscription] = await pubsub.topic("promotion").createSubscription("crash-consumer");
  const received: { id: string; model: string; versionId: string }[] = [];
  subscription.on("message", (one) => {
    const { id, data } = message.parse(JSON.parse(one.data.toString()));
    received.push({ id, model: data.model, versionId: data.versionId });
    one.ack();
  });
  // The stream breaks with every death of the cloud; the client opens it again.
  subscription.on("error", () => undefined);
  return { received, close: () => subscription.close() };
};

const countBy = (names: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...new Set(names)]
      .toSorted()
      .map((name) => [name, names.filter((one) => one === name).length]),
  );

/** Plays it all; throws only when the instance cannot be brought up or back. */
export const crashTest = async (options: CrashOptions): Promise<CrashReport> => {
  const { kills: count, seed, tell } = options;
  const startedAt = performance.now();
  const secondsSince = (from: number): number => (performance.now() - from) / 1000;
  const folder = newFolder();
  const models = Array.from({ length: options.models }, (_, index) => `crash-${index + 1}`);
  const world = await startWorld(folder);
  try {
    const consumer = await consumePromotions(world);
    const load = await startLoad(world, { models, seed });
    const random = seededRandom(seed);
    const kills: Kill[] = [];
    for (let number = 1; number <= count; number += 1) {
      const kill = await perform(world, drawKill(random), number);
      kills.push(kill);
      tell(
        `${secondsSince(startedAt).toFixed(0).padStart(4)} s  kill ${number}/${count} of ${kill.victims.join(" and ")}, aimed at ${kill.aim}: ${kill.stages.join("; ")}`,
      );
    }
    await load.stop();
    const quietFrom = performance.now();
    tell(`${secondsSince(startedAt).toFixed(0)} s  no more kills; waiting until nothing is open`);
    let open: readonly string[] = [];
    await until("quiet", options.quietSecondsMax, async () => {
      open = await openWork(world, load.published());
      return open.length === 0 ? true : null;
    }).catch(() => {
      tell(`still open after ${options.quietSecondsMax} s: ${open.slice(0, 10).join("; ")}`);
    });
    const quietSeconds = secondsSince(quietFrom);
    await load.stopTraffic();
    await consumer.close();
    const observed = await observe(world, load.published(), models, consumer.received);
    return {
      seed,
      kills,
      published: load.published(),
      counts: {
        "distinct events published": load.published().length,
        "messages published": load.published().reduce((sum, { times }) => sum + times, 0),
        "journal entries": observed.journal.length,
        runs: observed.runs.length,
        ...countBy(observed.runs.map(({ outcome }) => `runs that ended ${outcome}`)),
        PipelineJobs: observed.jobs.length,
        "model versions": observed.versions.length,
        rollouts: observed.rollouts.length,
        deployments: observed.deployments.length,
        promotions: new Set(observed.promotions.map(({ id }) => id)).size,
        "dead letters": observed.letters.length,
      },
      checks: checkAll(observed),
      seconds: secondsSince(startedAt),
      quietSeconds,
      refused: load.problems(),
    };
  } finally {
    await world.stop();
    removeFolder(folder);
  }
};
