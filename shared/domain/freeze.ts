/** Freeze windows: stretches of a wall clock in which no run starts and no rollout starts or moves forward. */
import type { Manifest } from "../manifest/schema.js";
import { instantsOf, wallClockAt } from "./wall-clock.js";

type Window = Manifest["freezeWindows"][number];
/** What a window stops. */
export type Freezable = Window["stops"][number];

/** The window that is open, and when the last of those that follow each other without a gap closes. */
export interface Freeze {
  readonly window: string;
  readonly untilMs: number;
}

const dayMs = 86_400_000;
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

/** Windows that touch or overlap are followed this often: two a day for a fortnight. */
const followedMax = 28;

/** A window is as wide as its wall clock allows: it opens at the first of the instants and closes at the last. */
const opening = (wallMs: number, timeZone: string): number =>
  Math.min(...instantsOf(wallMs, timeZone).instants);
const closing = (wallMs: number, timeZone: string): number =>
  Math.max(...instantsOf(wallMs, timeZone).instants);

/** One end of a window: a date with its time, or a time of one weekday, or of every day. */
type Moment =
  | { readonly every: "once"; readonly wallMs: number }
  | { readonly every: "week"; readonly weekday: number; readonly timeMs: number }
  | { readonly every: "day"; readonly timeMs: number };

/** Reads what the manifest's schema lets pass. */
export const momentOf = (text: string): Moment => {
  if (text.includes("T")) return { every: "once", wallMs: Date.parse(`${text}:00Z`) };
  const [time = "", weekday] = text.split(" ").toReversed();
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  const timeMs = (hours * 60 + minutes) * 60_000;
  return weekday === undefined
    ? { every: "day", timeMs }
    : {
        every: "week",
        weekday: weekdays.findIndex((name) => name === weekday),
        timeMs,
      };
};

/** Days from a window's first to its last. */
const daysOf = (from: Moment, to: Moment): number => {
  if (from.every === "once" || to.every === "once") return 0;
  const isLater = to.timeMs > from.timeMs;
  if (from.every === "day" || to.every === "day") return isLater ? 0 : 1;
  const days = (to.weekday - from.weekday + 7) % 7;
  return days === 0 && !isLater ? 7 : days;
};

/** When the window that is open at an instant closes; null when it is not open. */
const closesAt = (window: Window, atMs: number): number | null => {
  const [from, to] = [momentOf(window.from), momentOf(window.to)];
  const { timeZone } = window;
  const isWithin = (fromMs: number, toMs: number): number | null => {
    const endMs = closing(toMs, timeZone);
    return opening(fromMs, timeZone) <= atMs && atMs < endMs ? endMs : null;
  };
  if (from.every === "once" || to.every === "once") {
    return from.every === "once" && to.every === "once" ? isWithin(from.wallMs, to.wallMs) : null;
  }
  const todayMs = Math.floor(wallClockAt(Math.floor(atMs / 1000) * 1000, timeZone) / dayMs) * dayMs;
  const days = daysOf(from, to);
  const ends = Array.from({ length: days + 2 }, (_, back) => todayMs + (1 - back) * dayMs)
    .filter((startMs) => from.every === "day" || new Date(startMs).getUTCDay() === from.weekday)
    .flatMap(
      (startMs) => isWithin(startMs + from.timeMs, startMs + days * dayMs + to.timeMs) ?? [],
    );
  return ends.length === 0 ? null : Math.max(...ends);
};

/** The freeze that an instant lies in; null when the manifest freezes nothing of this kind then. */
export const freezeAt = (
  { freezeWindows }: Manifest,
  what: Freezable,
  atMs: number,
): Freeze | null => {
  const windows = freezeWindows.filter(({ stops }) => stops.includes(what));
  let freeze: Freeze | null = null;
  for (let followed = 0; followed < followedMax; followed += 1) {
    const sinceMs: number = freeze?.untilMs ?? atMs;
    const open = windows
      .map((window) => ({ window: window.name, untilMs: closesAt(window, sinceMs) ?? sinceMs }))
      .toSorted((a, b) => b.untilMs - a.untilMs)
      .find(({ untilMs }) => untilMs > sinceMs);
    if (open === undefined) return freeze;
    freeze = open;
  }
  return freeze;
};

/** A freeze in words. */
export const freezeText = ({ window, untilMs }: Freeze): string =>
  `freeze window ${window} until ${new Date(untilMs).toISOString()}`;
