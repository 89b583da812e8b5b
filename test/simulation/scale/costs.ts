/** What one event costs the store. */
import type { ContinuoEvent } from "../../../events/index.js";
import { handleEvent } from "../../../shared/runtime/handle.js";
import { manifestOf } from "../../fixtures/manifest.js";
import { churn, storyOf } from "../../flow/story.js";
import { runRequest } from "./fleet.js";

/** Documents read and written. */
export interface Cost {
  readonly reads: number;
  readonly writes: number;
}

/** What events of each kind cost; timers count apart. */
export interface EventCosts {
  readonly changing: Cost;
  readonly ignored: Cost;
  readonly duplicate: Cost;
  readonly duplicateOfIgnored: Cost;
}

/** Handles an event of each kind, and the first two once more. */
export const eventCosts = async (): Promise<EventCosts> => {
  const story = await storyOf(manifestOf());
  await story.arrive("january");
  await story.endJob({ state: "failed", error: "not this time" });
  const { world } = story;
  let timers = 0;
  world.writeWatchers.push((path) => {
    if (path.startsWith("due/")) timers += 1;
  });
  const costOf = async (event: ContinuoEvent): Promise<Cost> => {
    const [reads, writes, before] = [world.reads(), world.writes(), timers];
    await handleEvent(event, { function: "scale", ports: world.ports });
    return {
      reads: world.reads() - reads,
      writes: world.writes() - writes - (timers - before),
    };
  };
  const changing = runRequest(world, "by-hand", { model: churn, reason: "by hand", by: "ann" });
  const unknown = { model: churn, schedule: "of-no-manifest" };
  const ignored: ContinuoEvent = {
    ...changing,
    id: "fired",
    type: "schedule.fired",
    data: unknown,
  };
  return {
    changing: await costOf(changing),
    duplicate: await costOf(changing),
    ignored: await costOf(ignored),
    duplicateOfIgnored: await costOf(ignored),
  };
};
