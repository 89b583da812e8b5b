/** The minute tick and the hourly reconcile: timers, unfinished effects, and a look at everything open. */
import type { ContinuoEvent } from "../../events/index.js";
import type { ModelName } from "../../events/ids.js";
import type { ModelState } from "../domain/state.js";
import type { Ports } from "../ports/ports.js";
import type { JournalEntry, Partition, Timer } from "../ports/state.js";
import { admitWaiting } from "./admission.js";
import { anchorHeads } from "./chain.js";
import { forEach } from "./for-each.js";
import { finish, handleEvent, type HandleOptions } from "./handle.js";
import { lookAhead } from "./look-ahead.js";
import { defaultLimits, takeOne, type AdmissionLimits } from "./quota.js";

const timersMax = 500;
const pendingMax = 200;
const modelsPerPage = 200;
/** Pages of timers and of pending effects that one tick takes. */
const pagesMax = 10;
const wholeFleet: Partition = { index: 0, count: 1 };
/** Effects younger than this are probably being performed by the function that committed them. */
const pendingAgeMs = 15_000;

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

/** Fires a timer. One that was set again to the very time at which it had fired, by a clock that was behind, fires once more. */
const fire = async (timer: Timer, visit: string, options: HandleOptions): Promise<void> => {
  const event = timerEvent(timer);
  const ofModel = { ...options, models: [timer.model] };
  const handled = await handleEvent(event, ofModel);
  if (handled.some(({ outcome }) => outcome === "duplicate")) {
    await handleEvent({ ...event, id: `${event.id}/${visit}` }, ofModel);
  }
};

/** Whether what is left of an entry may be performed now: a submission takes its share of this minute's. */
const mayFinish = async (
  entry: JournalEntry,
  ports: Ports,
  limits: AdmissionLimits,
): Promise<boolean> =>
  !entry.decisions.some(({ decision }) => decision.do === "submit-pipeline-job") ||
  takeOne(ports, limits);

/** What a tick works within. */
export interface TickSettings extends AdmissionLimits {
  readonly partition?: Partition;
}

/** Takes pages of work until one is not full; what fails is met again, so that their number has a limit. */
const inPages = async <Item>(
  next: () => Promise<readonly Item[]>,
  size: number,
  work: (items: readonly Item[]) => Promise<void>,
): Promise<void> => {
  for (let page = 0; page < pagesMax; page += 1) {
    const items = await next();
    await work(items);
    if (items.length < size) return;
  }
};

/** Visits each model, a page at a time. */
const visitModels = async (
  ports: Ports,
  openIn: Partition | null,
  by: "tick" | "reconcile",
  visit: string,
): Promise<void> => {
  const nowMs = ports.clock();
  const eventOf = ({ model }: ModelState): ContinuoEvent => visitEvent(model, by, visit, nowMs);
  for (let after: ModelName | null = null; ;) {
    const page: readonly ModelState[] = await ports.state.modelPage({
      ...(openIn === null ? {} : { openIn }),
      after,
      limit: modelsPerPage,
    });
    const ahead = lookAhead(page, eventOf, ports);
    await forEach(page, by === "tick" ? "visit" : by, (state) =>
      handleEvent(eventOf(state), { function: by, ports: ahead.ports, models: [state.model] }),
    );
    await ahead.read;
    if (page.length < modelsPerPage) return;
    after = page.at(-1)?.model ?? null;
  }
};

/**
 * Finishes what crashes left, fires due timers and visits every model with open work, of one partition. The first
 * partition also submits what waits in the queue: one worker is enough for what a minute's quota allows.
 */
export const tick = async (
  visit: string,
  ports: Ports,
  settings: TickSettings = defaultLimits,
): Promise<void> => {
  const nowMs = ports.clock();
  const { partition = wholeFleet } = settings;
  const options = { function: "tick", ports };
  const { state } = ports;
  await inPages(
    () => state.pendingEntries({ partition, beforeMs: nowMs - pendingAgeMs, limit: pendingMax }),
    pendingMax,
    (pending) =>
      forEach(byModel(pending), "finish", async (entries) => {
        for (const entry of entries) {
          // A later effect of the model must not overtake one that has to wait.
          if (!(await mayFinish(entry, ports, settings))) return;
          await finish(entry, options);
        }
      }),
  );
  await inPages(
    () => state.dueTimers({ partition, nowMs, limit: timersMax }),
    timersMax,
    (timers) => forEach(timers, "timer", (timer) => fire(timer, visit, options)),
  );
  await visitModels(ports, partition, "tick", visit);
  if (partition.index === 0) await admitWaiting(options, settings);
};

/** Compares what the cloud says with what is believed, for every model, and anchors the heads that have changed. */
export const reconcile = async (visit: string, ports: Ports): Promise<void> => {
  await visitModels(ports, null, "reconcile", visit);
  await anchorHeads(ports);
};
