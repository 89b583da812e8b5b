/** The minute tick and the hourly reconcile: timers, unfinished effects, and a look at everything open. */
import type { ContinuoEvent } from "../../events/index.js";
import type { ModelName } from "../../events/ids.js";
import type { Ports } from "../ports/ports.js";
import type { JournalEntry, Timer } from "../ports/state.js";
import { admitWaiting } from "./admission.js";
import { forEach } from "./for-each.js";
import { finish, handleEvent } from "./handle.js";
import { defaultLimits, takeOne, type AdmissionLimits } from "./quota.js";

const timersMax = 500;
const pendingMax = 200;
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

/** Whether what is left of an entry may be performed now: a submission takes its share of this minute's. */
const mayFinish = async (
  entry: JournalEntry,
  ports: Ports,
  limits: AdmissionLimits,
): Promise<boolean> =>
  !entry.decisions.some(({ decision }) => decision.do === "submit-pipeline-job") ||
  takeOne(ports, limits);

/** Finishes what crashes left, fires due timers, visits every model with open work, and submits what waits. */
export const tick = async (
  visit: string,
  ports: Ports,
  limits: AdmissionLimits = defaultLimits,
): Promise<void> => {
  const nowMs = ports.clock();
  const [pending, timers, open] = await Promise.all([
    ports.state.pendingEntries(nowMs - pendingAgeMs, pendingMax),
    ports.state.dueTimers(nowMs, timersMax),
    ports.state.models({ by: "open-work" }),
  ]);
  const options = { function: "tick", ports };
  await forEach(byModel(pending), "finish", async (entries) => {
    for (const entry of entries) {
      // A later effect of the model must not overtake one that has to wait.
      if (!(await mayFinish(entry, ports, limits))) return;
      await finish(entry, options);
    }
  });
  await forEach(timers, "timer", (timer) =>
    handleEvent(timerEvent(timer), { ...options, models: [timer.model] }),
  );
  await forEach(open, "visit", ({ model }) =>
    handleEvent(visitEvent(model, "tick", visit, nowMs), { ...options, models: [model] }),
  );
  await admitWaiting(options, limits);
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
