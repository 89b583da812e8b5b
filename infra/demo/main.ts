/** The demo: seven acts against the running system, each judged by what was really decided. */
import { brokenData } from "./acts/broken-data.js";
import { byHand } from "./acts/by-hand.js";
import { drift } from "./acts/drift.js";
import { faultyContainer } from "./acts/faulty-container.js";
import { firstChampion } from "./acts/first-champion.js";
import { malformed } from "./acts/malformed.js";
import { months as monthsAct } from "./acts/months.js";
import { flightsFile, months } from "./flights.js";
import type { ActResult, Stage } from "./play.js";
import { stopAllTraffic } from "./traffic.js";
import { demoWorld, type DemoOptions, type DemoWorld } from "./world.js";

/** The acts in the order they are played. */
export const acts = [
  firstChampion,
  monthsAct,
  faultyContainer,
  brokenData,
  drift,
  byHand,
  malformed,
];

const secondsSince = (startedAt: number): number => (performance.now() - startedAt) / 1000;

/** Cloud Scheduler's floor is a minute: during the acts the tick is run once a second, by its real RunJob. */
const everySecond = (world: DemoWorld): (() => void) => {
  let isAsking = false;
  const timer = setInterval(() => {
    if (isAsking) return;
    isAsking = true;
    world
      .advance("continuo-tick")
      .catch((error: unknown) => world.options.say(`  tick: ${String(error)}`))
      .finally(() => {
        isAsking = false;
      });
  }, 1000);
  return () => clearInterval(timer);
};

const playAct = async (act: (typeof acts)[number], stage: Stage): Promise<ActResult> => {
  const { say, signal } = stage.world.options;
  const startedAt = performance.now();
  say(`Act ${act.number}: ${act.title}`);
  try {
    const result = await act.play(stage);
    return { act: act.number, title: act.title, ...result, seconds: secondsSince(startedAt) };
  } catch (error) {
    signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    return {
      act: act.number,
      title: act.title,
      isAsExpected: false,
      lines: [message],
      seconds: secondsSince(startedAt),
    };
  }
};

/** Plays the chosen acts in order and returns what each came to. Throws only when it is aborted. */
export const playDemo = async (options: DemoOptions): Promise<readonly ActResult[]> => {
  const world = await demoWorld(options);
  const source = months({ file: flightsFile(), share: options.sampleShare, seed: 20_01 });
  const stage: Stage = {
    world,
    nextMonth: async () => {
      const next = await source.next();
      return next.done === true ? null : next.value;
    },
    traffic: null,
    played: [],
    firstPredictionSeconds: null,
  };
  const stopTicks = everySecond(world);
  const results: ActResult[] = [];
  try {
    for (const act of acts) {
      if (!options.acts.includes(act.number)) continue;
      options.signal.throwIfAborted();
      const result = await playAct(act, stage);
      results.push(result);
      for (const line of result.lines) options.say(`  ${line}`);
    }
  } finally {
    stopTicks();
    await stage.traffic?.stop();
    stopAllTraffic();
    await world.close();
  }
  return results;
};
