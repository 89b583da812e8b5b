/** Timestamps as text of one width, so that comparing text compares times. */
import { parseDate } from "../protocol/time-text.js";

/** `{seconds, nanos}` with nine digits behind the point. */
export const sortableTime = (time: {
  readonly seconds?: string;
  readonly nanos?: number;
}): string => {
  const text = new Date(Number(time.seconds ?? 0) * 1000).toISOString();
  return `${text.slice(0, 19)}.${String(time.nanos ?? 0).padStart(9, "0")}Z`;
};

/** Reads RFC 3339, also a bare date or a time without zone, which filters allow; undefined if it is none. */
export const readTime = (text: string): string | undefined => {
  const isDate = /^\d{4}-\d\d-\d\d$/.test(text);
  const isZoneless = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$/i.test(text);
  const parsed = parseDate(isDate ? `${text}T00:00:00Z` : isZoneless ? `${text}Z` : text);
  return parsed === undefined ? undefined : sortableTime(parsed);
};

/** A moment of the clock as sortable text. */
export const timeOfMs = (ms: number): string =>
  sortableTime({ seconds: String(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 });
