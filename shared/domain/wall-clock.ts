/** What the clocks of a time zone show, and when: days of 23 and 25 hours included. */

const dayMs = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();

const formatOf = (timeZone: string): Intl.DateTimeFormat => {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  formats.set(timeZone, made);
  return made;
};

/** Whether a name is an IANA time zone that is known here. */
export const isTimeZone = (timeZone: string): boolean => {
  try {
    return formatOf(timeZone).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
};

/** What a zone's wall clock shows at an instant, written as if it were UTC. */
export const wallClockAt = (atMs: number, timeZone: string): number => {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  return Date.UTC(
    part("year"),
    part("month") - 1,
    part("day"),
    part("hour"),
    part("minute"),
    part("second"),
  );
};

/** How far a zone's wall clock is ahead of UTC at an instant. */
export const offsetAt = (atMs: number, timeZone: string): number => {
  const wholeMs = Math.floor(atMs / 1000) * 1000;
  return wallClockAt(wholeMs, timeZone) - wholeMs;
};

/**
 * The instants at which a zone's wall clock shows a time: one, two in the hour that is repeated in autumn; none in the
 * hour that spring leaves out, for which the clocks before and after the change would have meant the instants that
 * are returned.
 */
export const instantsOf = (
  wallMs: number,
  timeZone: string,
): { readonly isShown: boolean; readonly instants: readonly number[] } => {
  const offsets = [wallMs - dayMs, wallMs + dayMs].map((nearMs) => offsetAt(nearMs, timeZone));
  const [before, after] = offsets;
  const instants = [...new Set(offsets)].map((offset) => wallMs - offset);
  if (before === after) return { isShown: true, instants };
  const shown = instants.filter((atMs) => wallClockAt(atMs, timeZone) === wallMs);
  return shown.length > 0 ? { isShown: true, instants: shown } : { isShown: false, instants };
};
