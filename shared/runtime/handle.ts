/** The path of one event: journal, decide, commit, perform. */
import type { ContinuoEvent } from "../../events/index.js";
import type { ModelName } from "../../events/ids.js";
import { decide } from "../domain/decide.js";
import type { Decision } from "../domain/decision.js";
import { ConflictError, RejectedError } from "../domain/errors.js";
import { evolve, isChange, nextLink } from "../domain/evolve.js";
import type { Facts } from "../domain/facts.js";
import { eventKey, shortHash } from "../domain/ids.js";
import { furtherNeeds, mayNeedFacts, needs } from "../domain/needs.js";
import type { ModelState } from "../domain/state.js";
import { supersededBy } from "../domain/superseded.js";
import type { Ports } from "../ports/ports.js";
import type { Commit, JournalEntry } from "../ports/state.js";
import { log } from "./log.js";
import { observe } from "./observe.js";
import { aboutOf, hasEffect, perform } from "./perform.js";
import { plainText } from "./plain-text.js";
import { isQuotaError, isSubmission, openBreaker } from "./quota.js";
import { modelsConcernedBy } from "./route.js";

/** Who handles, and with what. */
export interface HandleOptions {
  readonly function: string;
  readonly ports: Ports;
  /** The models concerned; found by what the event is about when absent. */
  readonly models?: readonly ModelName[];
  /** Asked inside the transaction: whether this state already answers the event, so that nothing is written for it. */
  readonly isAnswered?: (state: ModelState) => boolean;
}

/** What came of one event for one model. */
export interface HandledEntry {
  readonly model: ModelName | null;
  readonly outcome: "committed" | "duplicate" | "nothing";
  readonly entry: JournalEntry | null;
  /** The state as the transaction left it; undefined when none was read, or there is none. */
  readonly state?: ModelState | undefined;
  /** An effect met a used-up quota: it stays pending, and the tick performs it. */
  readonly isHeldBack?: boolean;
}

/** A visit that finds nothing to do leaves no trace: an idle system writes nothing. */
const leavesNoTrace = (event: ContinuoEvent): boolean => event.type === "model.visited";

/** The journal's key of an event for one model. */
export const journalKey = (event: ContinuoEvent, model: ModelName | null): string =>
  shortHash(`${eventKey(event)}|${model ?? ""}`, 32);

const recordsOf = (decisions: readonly Decision[]): Pick<Commit, "runs" | "rollouts"> => ({
  runs: decisions.flatMap((decision) => (decision.do === "end-run" ? [decision.record] : [])),
  rollouts: decisions.flatMap((decision) =>
    decision.do === "end-rollout" ? [decision.record] : [],
  ),
});

/** The last word about each kind of timer. */
const timersOf = (model: ModelName, decisions: readonly Decision[]): Commit["timers"] => {
  const last = new Map<string, Commit["timers"][number]>();
  for (const decision of decisions) {
    if (decision.do === "set-timer") {
      last.set(decision.kind, { model, kind: decision.kind, dueAtMs: decision.dueAtMs });
    } else if (decision.do === "clear-timer") {
      last.set(decision.kind, { model, kind: decision.kind, dueAtMs: null });
    }
  }
  return [...last.values()];
};

/** The chain of events that a decision belongs to, where it says so. */
const chainOf = (decision: Decision): string | undefined => {
  if ("to" in decision) return decision.to.correlationId;
  if ("record" in decision) return decision.record.correlationId;
  if (decision.do === "hold-trigger") return decision.trigger.correlationId;
  return decision.do === "queue-challenger" ? decision.waiting?.correlationId : undefined;
};

/** The event with its chain: a tick, a timer or a foreign message knows nothing of the run that it moves on. */
const withChain = (event: ContinuoEvent, decisions: readonly Decision[]): ContinuoEvent => {
  const chain = decisions.map(chainOf).find((id) => id !== undefined);
  return event.correlationid !== undefined || chain === undefined || chain === event.id
    ? event
    : { ...event, correlationid: chain };
};

/** Turns decisions into what the transaction writes. */
const commitOf = (
  event: ContinuoEvent,
  model: ModelName,
  state: ModelState | undefined,
  decisions: readonly Decision[],
  options: { readonly function: string; readonly nowMs: number },
): Commit => {
  const hasChange = decisions.some(isChange);
  const before = state ?? null;
  const journalled = withChain(event, decisions);
  const link = hasChange
    ? nextLink(before, { event: journalled, receivedAtMs: options.nowMs, decisions })
    : null;
  const evolved = decisions.reduce(
    (current, decision) => evolve(current, decision, options.nowMs),
    before,
  );
  const next =
    evolved === null || link === null
      ? evolved
      : { ...evolved, sequence: link.sequence, head: link.hash };
  const isPending = decisions.some(hasEffect);
  const entry: JournalEntry = {
    key: journalKey(event, model),
    model,
    event: journalled,
    receivedAtMs: options.nowMs,
    function: options.function,
    decisions: decisions.map((decision) => ({ decision, isDone: !hasEffect(decision) })),
    isPending,
    stateVersion: before?.sequence ?? 0,
    chain: link,
  };
  return {
    entry,
    ...(hasChange ? { state: next } : {}),
    timers: timersOf(model, decisions),
    ...recordsOf(decisions),
  };
};

/** What is known of a model's state goes stale: a process may stand still between its commit and its effects. */
export const knownForMs = 15_000;

/** A state as it was at a time; undefined is the state that the entry itself has just made. */
interface Known {
  readonly state: ModelState | null | undefined;
  readonly atMs: number;
}

/**
 * Performs an entry's effects in order, those that are not superseded, and marks it done. "held-back" when a submission
 * met a used-up quota: the entry stays pending for the tick, and its event needs no further delivery.
 */
const performAll = async (
  entry: JournalEntry,
  model: ModelName,
  options: HandleOptions,
  latest: Known,
): Promise<"done" | "held-back"> => {
  const { ports } = options;
  let known = latest;
  for (const [index, { decision }] of entry.decisions.entries()) {
    if (!hasEffect(decision)) continue;
    // The answer itself may have been waited for too long.
    for (let nowMs = ports.clock(); nowMs - known.atMs > knownForMs; nowMs = ports.clock()) {
      known = { state: await ports.state.model(model), atMs: nowMs };
    }
    const why = known.state === undefined ? null : supersededBy(decision, known.state);
    if (why !== null) {
      log("NOTICE", `effect left out: ${why}`, { model, decision: decision.do, key: entry.key });
      continue;
    }
    try {
      await perform(decision, { entry, index, model, ports });
    } catch (error) {
      if (isSubmission(decision) && isQuotaError(error)) {
        await openBreaker(ports);
        return "held-back";
      }
      if (!(error instanceof RejectedError)) throw error;
      await tellRejection(decision, error, entry, index, model, options);
    }
  }
  await ports.state.markDone(entry.key);
  return "done";
};

/** Performs what an earlier delivery left of an entry: only what the state still wants by now. */
export const finish = async (entry: JournalEntry, options: HandleOptions): Promise<void> => {
  const { model } = entry;
  if (model === null) return;
  const atMs = options.ports.clock();
  const state = await options.ports.state.model(model);
  await performAll(entry, model, options, { state, atMs });
};

/** A refused effect becomes a fact of its own, decided like any other. */
const tellRejection = async (
  decision: Decision,
  error: RejectedError,
  entry: JournalEntry,
  index: number,
  model: ModelName,
  options: HandleOptions,
): Promise<void> => {
  log("WARNING", error.message, { model, decision: decision.do, key: entry.key });
  await handleEvent(
    {
      specversion: "1.0",
      type: "effect.rejected",
      id: `${entry.key}/${index}`,
      source: `continuo/${model}`,
      time: new Date(options.ports.clock()).toISOString(),
      causationid: entry.event.id,
      correlationid: entry.event.correlationid ?? entry.event.id,
      data: {
        model,
        decision: decision.do,
        about: aboutOf(decision, entry),
        message: plainText(error.message, 4000, "the cloud gave no reason"),
      },
    },
    { function: options.function, ports: options.ports, models: [model] },
  );
};

/** Facts with the head of the state that they were looked up for; undefined when the event needs none. */
const lookUp = async (
  event: ContinuoEvent,
  model: ModelName,
  ports: Ports,
  nowMs: number,
): Promise<{ readonly facts: Facts; readonly head: string | null } | undefined> => {
  if (!mayNeedFacts(event)) return undefined;
  const state = await ports.state.model(model);
  if (state === null) return { facts: {}, head: null };
  const facts = await observe(model, needs(state, event, nowMs), ports);
  const further = await observe(model, furtherNeeds(state, event, facts, nowMs), ports);
  return { facts: { ...facts, ...further }, head: state.head };
};

type Transacted = Awaited<ReturnType<Ports["state"]["transact"]>> & {
  readonly before?: ModelState | undefined;
};

/** Facts are looked up within half this time: only a process that stood still has older ones. */
const factsForMs = 60_000;

/** Whether deciding this event in this state takes facts at all. */
const takesFacts = (state: ModelState | undefined, event: ContinuoEvent, nowMs: number): boolean =>
  state !== undefined && needs(state, event, nowMs).length > 0;

/** Decides and commits; "outdated" when the state has moved on since the facts were looked up. */
const decideOnce = async (
  event: ContinuoEvent,
  model: ModelName,
  options: HandleOptions,
): Promise<Transacted | { readonly outcome: "outdated" }> => {
  const { ports } = options;
  const nowMs = ports.clock();
  const found = await lookUp(event, model, ports, nowMs);
  let isOutdated = false;
  let before: ModelState | undefined;
  const result = await ports.state.transact(journalKey(event, model), model, (state) => {
    before = state;
    if (state !== undefined && options.isAnswered?.(state) === true) return null;
    // What was true of one run or one step says nothing about the next, and what was true long ago nothing about now.
    const isOther = found !== undefined && found.head !== (state?.head ?? null);
    const isOld = ports.clock() - nowMs > factsForMs;
    isOutdated = found !== undefined && (isOther || isOld) && takesFacts(state, event, nowMs);
    if (isOutdated) return null;
    const facts = found === undefined || isOther ? {} : found.facts;
    const decisions = decide(state, { event, facts }, nowMs);
    return leavesNoTrace(event) && !decisions.some(isChange)
      ? null
      : commitOf(event, model, state, decisions, { function: options.function, nowMs });
  });
  return isOutdated && result.outcome === "nothing"
    ? { outcome: "outdated" }
    : { ...result, before };
};

const decideAttemptsMax = 3;

const handleForModel = async (
  event: ContinuoEvent,
  model: ModelName,
  options: HandleOptions,
): Promise<HandledEntry> => {
  let result = await decideOnce(event, model, options);
  for (let attempt = 2; result.outcome === "outdated"; attempt += 1) {
    if (attempt > decideAttemptsMax) {
      throw new ConflictError(
        `model ${model} changed ${decideAttemptsMax} times while facts for event ${event.id} were looked up`,
      );
    }
    result = await decideOnce(event, model, options);
  }
  switch (result.outcome) {
    case "nothing":
      return { model, outcome: "nothing", entry: null, state: result.before };
    case "duplicate":
      // The first delivery may have died between its commit and its last effect.
      if (result.entry.isPending) await finish(result.entry, options);
      return { model, outcome: "duplicate", entry: result.entry };
    case "committed": {
      const { entry, state } = result.commit;
      const own = { state: undefined, atMs: entry.receivedAtMs };
      const isHeldBack =
        entry.isPending && (await performAll(entry, model, options, own)) === "held-back";
      const after = state === undefined ? result.before : (state ?? undefined);
      return { model, outcome: "committed", entry, state: after, isHeldBack };
    }
  }
};

/** Journals an event that concerns no model, so that `why` can tell what became of it. */
const recordUnconcerned = async (
  event: ContinuoEvent,
  options: HandleOptions,
): Promise<HandledEntry> => {
  const entry: JournalEntry = {
    key: journalKey(event, null),
    model: null,
    event,
    receivedAtMs: options.ports.clock(),
    function: options.function,
    decisions: [
      {
        decision: { do: "ignore", reason: "no applied manifest concerns this event" },
        isDone: true,
      },
    ],
    isPending: false,
    stateVersion: 0,
    chain: null,
  };
  await options.ports.state.record(entry);
  return { model: null, outcome: "committed", entry };
};

/**
 * Handles one event for every model that it concerns and returns when all effects are performed.
 * Throws UnavailableError or ConflictError when it must be delivered again; a second call finishes what is pending.
 */
export const handleEvent = async (
  event: ContinuoEvent,
  options: HandleOptions,
): Promise<readonly HandledEntry[]> => {
  const models = options.models ?? (await modelsConcernedBy(event, options.ports.state));
  if (models.length === 0) return [await recordUnconcerned(event, options)];
  const handled: HandledEntry[] = [];
  for (const model of models) handled.push(await handleForModel(event, model, options));
  return handled;
};
