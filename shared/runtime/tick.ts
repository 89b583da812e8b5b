/** The minute tick and the hourly reconcile: timers, unfinished effects, and a look at everything open. */
import type { ContinuoEvent } from "../../events/index.js";
import type { ModelName } from "../../events/ids.js";
import type { Ports } from "../ports/ports.js";
import type { JournalEntry, Timer } from "../ports/state.js";
import { finish, handleEvent } from "./handle.js";
import { log } from "./log.js";

const timersMax = 500;
const pendingMax = 200;
/** Effects younger than this are probably being performed by the function that committed them. */
const pendingAgeMs = 15_000;
const concurrency = 8;

/** Runs a task over a list, a few at a time; one failure never hides the others' work. */
const forEach = async <Item>(
  items: readonly Item[],
  what: string,
  task: (item: Item) => Promise<unknown>,
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

/** Entries by model, in their order: a later effect of a model must not overtake an earlier one. */
const byModel = (entries: readonly JournalEntry[]): readonly (readonly JournalEntry[])[] => {
  const groups = new Map<ModelName | null, JournalEntry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.model) ?? [];
    groups.set(entry.model, [...group, entry]);
  }
  return [...groups.values()];
};

const timerEvent = ({ model, kind, dueAtMs }: Timer): ContinuoEvent => ({
  specversion: "1.0",
  type: "timer.fired",
  id: `${model}/${kind}/${dueAtMs}`,
  source: "continuo/tick",
  time: new Date(dueAtMs).toISOString(),
  data: { model, timer: `${model}/${kind}`, kind, dueAt: new Date(dueAtMs).toISOString() },
});

const visitEvent = (
  model: ModelName,
  by: "tick" | "reconcile",
  visit: string,
  nowMs: number,
): ContinuoEvent => ({
  specversion: "1.0",
  type: "model.visited",
  id: `${by}/${visit}/${model}`,
  source: "continuo/tick",
  time: new Date(nowMs).toISOString(),
  data: { model, by },
});

/** Finishes what crashes left, fires due timers and visits every model with open work. */
export const tick = async (visit: string, ports: Ports): Promise<void> => {
  const nowMs = ports.clock();
  const [pending, timers, open] = await Promise.all([
    ports.state.pendingEntries(nowMs - pendingAgeMs, pendingMax),
    ports.state.dueTimers(nowMs, timersMax),
    ports.state.models({ by: "open-work" }),
  ]);
  const options = { function: "tick", ports };
  await forEach(byModel(pending), "finish", async (entries) => {
    for (const entry of entries) await finish(entry, options);
  });
  await forEach(timers, "timer", (timer) =>
    handleEvent(timerEvent(timer), { ...options, models: [timer.model] }),
  );
  await forEach(open, "visit", ({ model }) =>
    handleEvent(visitEvent(model, "tick", visit, nowMs), { ...options, models: [model] }),
  );
};

/** Compares what the cloud says with what is believed, for every model. */
export const reconcile = async (visit: string, ports: Ports): Promise<void> => {
  const nowMs = ports.clock();
  const models = await ports.state.models({ by: "all" });
  await forEach(models, "reconcile", ({ model }) =>
    handleEvent(visitEvent(model, "reconcile", visit, nowMs), {
      function: "reconcile",
      ports,
      models: [model],
    }),
  );
};
