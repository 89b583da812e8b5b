/** Values as people read them. */
import { settings } from "./config.js";

const paint =
  (code: number) =>
  (text: string): string =>
    settings.hasColors ? `\u001B[${code}m${text}\u001B[0m` : text;

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);
export const cyan = paint(36);

const good = new Set([
  "registered",
  "promoted",
  "successful",
  "create",
  "update",
  "active",
  "go",
  "accept",
  "healthy",
  "no anomaly",
]);
const bad = new Set([
  "failed",
  "rolled-back",
  "rejected",
  "error",
  "stop",
  "reject",
  "anomaly",
  "decayed",
]);

/** A word of state in its colour. */
export const colored = (word: string): string =>
  good.has(word) ? green(word) : bad.has(word) ? red(word) : yellow(word);

const bookkeeping = new Set(["ignore", "set-timer", "clear-timer", "remember"]);

/** The decisions that tell a person something. */
export const telling = <Decision extends { readonly do: string }>(
  decisions: readonly Decision[],
): readonly Decision[] => decisions.filter((decision) => !bookkeeping.has(decision.do));

/** A number with as many digits as say something. */
export const number = (value: number): string =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));

/** Numbers by name on one line. */
export const numbers = (values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${number(value)}`)
    .join(", ");

/** A span of time. */
export const duration = (ms: number): string => {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86_400)} d`;
};

/** How long ago an instant was. */
export const ago = (instant: string | null, nowMs = Date.now()): string =>
  instant === null ? "-" : `${duration(nowMs - Date.parse(instant))} ago`;

const two = (value: number): string => String(value).padStart(2, "0");

/** The local time of day of an instant. */
export const clockTime = (instant: string): string => {
  const date = new Date(instant);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
};
