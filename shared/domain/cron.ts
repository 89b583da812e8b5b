/** When a cron expression comes due, in its time zone. */
import { instantsOf, offsetAt } from "./wall-clock.js";

/** A cron expression: the values that each of its five fields allows. */
export interface Cron {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** Every hour counts, so that what the clock repeats comes due again, and what it leaves out does not. */
  readonly isHourly: boolean;
  /** A day may match by its date or by its weekday, where both are restricted. */
  readonly isEitherDay: boolean;
}

const monthNames = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const weekdayNames = "sun mon tue wed thu fri sat".split(" ");

const fields = [
  { name: "minute", min: 0, max: 59, names: [] },
  { name: "hour", min: 0, max: 23, names: [] },
  { name: "day", min: 1, max: 31, names: [] },
  { name: "month", min: 1, max: 12, names: monthNames },
  // Sunday is 0 and 7.
  { name: "weekday", min: 0, max: 7, names: weekdayNames },
] as const;

type Field = (typeof fields)[number];

const numberIn = (text: string, { min, max, names }: Field): number | null => {
  const named = names.findIndex((name) => name === text.toLowerCase());
  if (named >= 0) return named + min;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : null;
};

/** The values of one item of a field's list: a value, a range or all, each with a step. */
const itemValues = (item: string, field: Field): readonly number[] | null => {
  const [span = "", step, ...rest] = item.split("/");
  const by = step === undefined ? 1 : /^\d{1,2}$/.test(step) ? Number(step) : 0;
  if (rest.length > 0 || by < 1) return null;
  const [first = "", last, ...more] =
    span === "*" ? [String(field.min), String(field.max)] : span.split("-");
  const from = numberIn(first, field);
  const to = last === undefined ? (step === undefined ? from : field.max) : numberIn(last, field);
  if (more.length > 0 || from === null || to === null || to < from) return null;
  return Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, index) => from + index * by);
};

const fieldValues = (text: string, field: Field): readonly number[] | null => {
  const items = text.split(",").map((item) => itemValues(item, field));
  return items.some((values) => values === null)
    ? null
    : [...new Set(items.flatMap((values) => values ?? []))].toSorted((a, b) => a - b);
};

/** Reads a cron expression of five fields; a string says which of them cannot be read. */
export const parseCron = (text: string): Cron | string => {
  const texts = text.trim().split(/\s+/);
  if (texts.length !== fields.length) {
    return "needs the five fields of cron: minute hour day month weekday";
  }
  const values = fields.map((field, index) => fieldValues(texts[index] ?? "", field));
  const wrong = values.findIndex((found) => found === null);
  if (wrong >= 0) {
    return `${fields[wrong]?.name ?? "a field"} "${texts[wrong] ?? ""}" is none: use *, a value, a range, a list or a step`;
  }
  const [minutes = [], hours = [], days = [], months = [], weekdays = []] = values.map(
    (found) => found ?? [],
  );
  const isOpen = (index: number): boolean => texts[index]?.startsWith("*") === true;
  return {
    minutes,
    hours,
    days: new Set(days),
    months: new Set(months),
    weekdays: new Set(weekdays.map((weekday) => weekday % 7)),
    isHourly: isOpen(1),
    isEitherDay: !isOpen(2) && !isOpen(4),
  };
};

const dayMs = 86_400_000;
/** February 29 may be eight years away; what has not come by then never does. */
const daysMax = 9 * 366;

const isDay = (cron: Cron, date: Date): boolean => {
  if (!cron.months.has(date.getUTCMonth() + 1)) return false;
  const isDate = cron.days.has(date.getUTCDate());
  const isWeekday = cron.weekdays.has(date.getUTCDay());
  return cron.isEitherDay ? isDate || isWeekday : isDate && isWeekday;
};

/**
 * The instants that one wall-clock time comes due at. A time of its own hour comes due once a day: where the clock
 * leaves it out, an hour later by the clock; where the clock repeats it, the first time.
 */
const dueAt = ({ isHourly }: Cron, wallMs: number, timeZone: string): readonly number[] => {
  const { isShown, instants } = instantsOf(wallMs, timeZone);
  if (isHourly) return isShown ? instants : [];
  return [isShown ? Math.min(...instants) : Math.max(...instants)];
};

/** The instants of one day, in order, as the clock goes on a day without a change. */
const plainDay = (
  { hours, minutes }: Cron,
  midnightMs: number,
  offsetMs: number,
): readonly number[] =>
  hours.flatMap((hour) =>
    minutes.map((minute) => midnightMs + hour * 3_600_000 + minute * 60_000 - offsetMs),
  );

/** The instants of one day, in order. */
const instantsOfDay = (cron: Cron, midnightMs: number, timeZone: string): readonly number[] => {
  const [before = 0, after] = [midnightMs - dayMs, midnightMs + 2 * dayMs].map((atMs) =>
    offsetAt(atMs, timeZone),
  );
  return before === after
    ? plainDay(cron, midnightMs, before)
    : plainDay(cron, midnightMs, 0)
        .flatMap((wallMs) => dueAt(cron, wallMs, timeZone))
        .toSorted((a, b) => a - b);
};

/** When a cron expression comes due next after an instant; null when it never does. */
export const nextDueMs = (cron: Cron, timeZone: string, afterMs: number): number | null => {
  const todayMs = Math.floor((afterMs + offsetAt(afterMs, timeZone)) / dayMs) * dayMs;
  // What the clock leaves out of yesterday may come due today.
  for (let day = -1; day < daysMax; day += 1) {
    const midnightMs = todayMs + day * dayMs;
    if (!isDay(cron, new Date(midnightMs))) continue;
    const found = instantsOfDay(cron, midnightMs, timeZone).find((atMs) => atMs > afterMs);
    if (found !== undefined) return found;
  }
  return null;
};

/** What keeps a cron expression from being a timer of ours; null when nothing does. */
export const timerProblem = (text: string, timeZone: string): string | null => {
  const cron = parseCron(text);
  if (typeof cron === "string") return cron;
  // Any year will do: leap years come round within the search.
  return nextDueMs(cron, timeZone, 0) === null ? `"${text}" never comes due` : null;
};
