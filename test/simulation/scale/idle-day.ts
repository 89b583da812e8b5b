/** A day on which nothing happens, whatever the number of models. */
import { systemSchedules } from "../../../functions/manifest.js";
import { reconcile, tick } from "../../../shared/runtime/tick.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { storyOf } from "../../flow/story.js";
import { spread } from "./fleet.js";

/** What the day cost. */
export interface IdleDay {
  readonly models: number;
  readonly writes: number;
  readonly messages: number;
  /** Reads of the ticks, for each of a tick's four queries: pending effects, due timers, open models, the queue. */
  readonly tickReadsPerQuery: number;
  readonly ticks: number;
  /** Jobs of Cloud Scheduler, the models' own ones included. */
  readonly schedulerJobs: number;
}

const minuteMs = 60_000;
const minutesADay = 1440;
const queriesPerTick = 4;

/** Lets a day of minutes pass over a fleet that has nothing to do. */
export const idleDay = async (models: number): Promise<IdleDay> => {
  const story = await storyOf(manifestOf());
  await story.firstChampion();
  const { world } = story;
  // The story's own model is one of them.
  await spread(world, models - 1, (model) => ({ ...story.model(), model }));
  // What changed before the day is anchored before the day.
  await reconcile("before", world.ports);
  const ownJobs = world.effects.filter((effect) => /^schedules \S+ [1-9]/.test(effect)).length;
  const before = { writes: world.writes(), messages: world.published.length };
  let [ticks, reads] = [0, 0];
  for (let minute = 0; minute < minutesADay; minute += 1) {
    world.nowMs += minuteMs;
    const readsBefore = world.reads();
    await tick(`idle-${minute}`, world.ports);
    reads += world.reads() - readsBefore;
    ticks += 1;
  }
  await reconcile("idle", world.ports);
  return {
    models,
    writes: world.writes() - before.writes,
    messages: world.published.length - before.messages,
    tickReadsPerQuery: reads / queriesPerTick,
    ticks,
    schedulerJobs: systemSchedules.length + ownJobs,
  };
};
