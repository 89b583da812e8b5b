/** Work over lists in which one failure is a delay and never a loss. */
import { log } from "./log.js";

/** Runs a task over a list, a few at a time; one failure never hides the others' work. */
export const forEach = async <Item>(
  items: readonly Item[],
  what: string,
  task: (item: Item) => Promise<unknown>,
  concurrency = 8,
): Promise<void> => {
  const queue = items.values();
  const lane = async (): Promise<void> => {
    for (const item of queue) {
      try {
        await task(item);
      } catch (error) {
        // The next tick looks again: a failure here is a delay, not a loss.
        log("WARNING", error instanceof Error ? error.message : String(error), { what });
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
};
