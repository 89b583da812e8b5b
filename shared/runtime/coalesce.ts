/**
 * The coalescing gate: a storm of alerts is decided on once per window, and counted otherwise. It only suppresses: what
 * it lets through is journalled and decided like any other event, so that a pause or a budget is never passed by.
 */
import { randomUUID } from "node:crypto";
import type { ContinuoEvent } from "../../events/index.js";
import type { RunId } from "../../events/ids.js";
import { eventKey, runIdFor, shortHash } from "../domain/ids.js";
import type { ModelState } from "../domain/state.js";
import type { Ports } from "../ports/ports.js";
import type { AlertCount } from "../ports/state.js";
import { eventText } from "./api/event-text.js";
import { handleEvent, type HandledEntry, type HandleOptions } from "./handle.js";
import { log } from "./log.js";

/** Longer, and a command or a new manifest would take effect too late. */
const windowMsMax = 5000;
/** How long suppressed alerts may be known to this instance alone. */
const countMsMax = 10_000;
/** How often an instance looks for counts to store while alerts come. */
const lookMs = 1000;
/** Beyond so many windows at once alerts are not coalesced. */
const windowsMax = 1000;
const reasonsMax = 5;
/** A distance of this many times its threshold is another matter than one just above it. */
const criticalRatio = 2;

type Alert = Extract<
  ContinuoEvent,
  { readonly type: "drift.detected" | "skew.detected" | "performance.decayed" }
>;

/** What alerts are coalesced by. */
interface Subject {
  readonly key: string;
  readonly kind: AlertCount["kind"];
  readonly severity: AlertCount["severity"];
}

interface Window extends Subject {
  readonly id: string;
  readonly openUntilMs: number;
  readonly answer: Pick<AlertCount, "model" | "run">;
  readonly reasons: Set<string>;
  firstAtMs: number;
  lastAtMs: number;
  count: number;
  savedCount: number;
  savedAtMs: number;
}

/** The gate of one instance. */
export interface AlertGate {
  /** Handles an event; an alert like one that was decided on a moment ago is only counted. Returns when it may be acknowledged. */
  readonly handle: (event: ContinuoEvent, options: HandleOptions) => Promise<void>;
  /** Stores every count that is not stored yet. */
  readonly flush: (ports: Ports) => Promise<void>;
}

const isAlert = (event: ContinuoEvent): event is Alert =>
  event.type === "drift.detected" ||
  event.type === "skew.detected" ||
  event.type === "performance.decayed";

const subjectOf = (event: Alert): Subject => {
  if (event.type === "performance.decayed") {
    const { model, metric } = event.data;
    return { key: `${model}|decay|${metric}`, kind: "decay", severity: "warning" };
  }
  const { model, deployedModelId, objective, anomalies } = event.data;
  const kind = event.type === "drift.detected" ? "drift" : "skew";
  const isCritical = anomalies.some(
    ({ deviation, threshold }) => deviation >= threshold * criticalRatio,
  );
  const severity = isCritical ? "critical" : "warning";
  const about = model ?? deployedModelId ?? "nothing known";
  return { key: `${about}|${kind}|${objective}|${severity}`, kind, severity };
};

/** The run that a trigger of this kind waits to start, or that such a trigger started. */
const runAnswering = (kind: Subject["kind"], state: ModelState): RunId | null => {
  if (state.trigger?.kind === kind) return runIdFor(state.model, state.trigger.eventKey);
  return state.run?.kind === kind ? state.run.run : null;
};

const answerOf = (
  { kind }: Subject,
  { model, state }: HandledEntry,
): Pick<AlertCount, "model" | "run"> => ({
  model,
  run: state === undefined ? null : runAnswering(kind, state),
});

/** When alerts like the one just decided on must be decided on again: at the latest when what waits for them comes due. */
const closeAt = ({ kind }: Subject, handled: readonly HandledEntry[], nowMs: number): number => {
  const dueAtMs = handled.flatMap(({ state }) =>
    state?.trigger?.kind === kind && state.trigger.dueAtMs > nowMs ? [state.trigger.dueAtMs] : [],
  );
  return Math.min(nowMs + windowMsMax, ...dueAtMs);
};

/** What the gate needs besides the ports of each call. */
interface GateOptions {
  readonly instance?: string;
  /** Runs a task later; a test with a clock of its own runs it by itself. */
  readonly later?: (delayMs: number, task: () => void) => void;
}

const withTimer: NonNullable<GateOptions["later"]> = (delayMs, task) => {
  setTimeout(task, delayMs).unref();
};

/** Makes the gate of one instance. */
export const alertGate = ({
  instance = randomUUID(),
  later = withTimer,
}: GateOptions = {}): AlertGate => {
  const windows = new Map<string, Window>();
  const opening = new Map<string, Promise<Window | null>>();
  /** Windows that are over and whose counts are not stored yet. */
  const closed = new Set<Window>();
  let isSaveDue = false;
  let lookedAtMs = Number.NEGATIVE_INFINITY;

  const save = async (window: Window, { state, clock }: Ports): Promise<void> => {
    const { id, answer, kind, severity, count, firstAtMs, lastAtMs, reasons } = window;
    if (count === window.savedCount) return;
    const { savedCount } = window;
    window.savedCount = count;
    window.savedAtMs = clock();
    try {
      await state.countAlerts({
        id,
        ...answer,
        kind,
        severity,
        count,
        firstAtMs,
        lastAtMs,
        reasons: [...reasons],
      });
    } catch (error) {
      // Whoever waits has nothing to do with it: the next look tries again.
      window.savedCount = savedCount;
      if (windows.get(window.key) !== window) closed.add(window);
      log("WARNING", error instanceof Error ? error.message : String(error), {
        what: "alert count",
      });
    }
  };

  /** Stores the counts of windows that are over, and of those that wait for it too long or, at the end, at all. */
  const look = async (ports: Ports, isEnd: boolean): Promise<void> => {
    const nowMs = ports.clock();
    if (!isEnd && nowMs < lookedAtMs + lookMs) return;
    lookedAtMs = nowMs;
    for (const window of windows.values()) if (nowMs >= window.openUntilMs) close(window);
    const due = [...windows.values()].filter(
      ({ savedAtMs }) => isEnd || nowMs >= savedAtMs + countMsMax,
    );
    const over = [...closed];
    closed.clear();
    for (const window of [...over, ...due]) await save(window, ports);
  };

  const saveLater = ({ ports }: HandleOptions): void => {
    if (isSaveDue) return;
    isSaveDue = true;
    later(countMsMax, () => {
      isSaveDue = false;
      void look(ports, true);
    });
  };

  const count = (window: Window, event: Alert, options: HandleOptions): void => {
    const nowMs = options.ports.clock();
    if (window.count === 0) window.firstAtMs = nowMs;
    window.count += 1;
    window.lastAtMs = nowMs;
    if (window.reasons.size < reasonsMax) window.reasons.add(eventText(event));
    saveLater(options);
  };

  const close = (window: Window): void => {
    if (windows.get(window.key) === window) windows.delete(window.key);
    if (window.count > window.savedCount) closed.add(window);
  };

  const open = async (
    event: Alert,
    subject: Subject,
    options: HandleOptions,
  ): Promise<Window | null> => {
    const { kind } = subject;
    const handled = await handleEvent(event, {
      ...options,
      isAnswered: (state) => state.trigger?.kind === kind,
    });
    const nowMs = options.ports.clock();
    const [first] = handled;
    if (first === undefined || windows.size >= windowsMax) return null;
    const window: Window = {
      ...subject,
      id: shortHash(`${instance}|${subject.key}|${eventKey(event)}|${nowMs}`, 32),
      openUntilMs: closeAt(subject, handled, nowMs),
      answer: answerOf(subject, first),
      reasons: new Set(),
      firstAtMs: nowMs,
      lastAtMs: nowMs,
      count: 0,
      savedCount: 0,
      savedAtMs: nowMs,
    };
    windows.set(subject.key, window);
    // What waits already answers it: nothing was written for it, so it is counted.
    if (handled.every(({ outcome }) => outcome === "nothing")) count(window, event, options);
    return window;
  };

  const openOnce = async (
    event: Alert,
    subject: Subject,
    options: HandleOptions,
  ): Promise<{ readonly window: Window | null; readonly isOpener: boolean }> => {
    const underway = opening.get(subject.key);
    if (underway !== undefined) return { window: await underway, isOpener: false };
    const mine = open(event, subject, options);
    opening.set(subject.key, mine);
    try {
      return { window: await mine, isOpener: true };
    } finally {
      opening.delete(subject.key);
    }
  };

  const handleAlert = async (event: Alert, options: HandleOptions): Promise<void> => {
    const { ports } = options;
    const subject = subjectOf(event);
    const nowMs = ports.clock();
    const known = windows.get(subject.key);
    if (known !== undefined && nowMs < known.openUntilMs) {
      count(known, event, options);
    } else {
      if (known !== undefined) close(known);
      const { window, isOpener } = await openOnce(event, subject, options);
      if (window === null) {
        if (!isOpener) await handleEvent(event, options);
      } else if (!isOpener) count(window, event, options);
    }
    await look(ports, false);
  };

  return {
    handle: async (event, options) => {
      if (isAlert(event)) await handleAlert(event, options);
      else await handleEvent(event, options);
    },
    flush: (ports) => look(ports, true),
  };
};
