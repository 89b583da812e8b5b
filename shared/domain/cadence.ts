/** How often a tick looks at the cloud: often while something has just changed, rarely while it goes on as it was. */

const minuteMs = 60_000;

/** For so long every tick looks, and then one in so many minutes. */
interface Cadence {
  readonly freshMs: number;
  readonly everyMs: number;
}

/** Endpoints and their metrics, after a change of a deployment or of the traffic. */
export const endpointCadence: Cadence = { freshMs: 10 * minuteMs, everyMs: 5 * minuteMs };

/**
 * Jobs tell themselves when they end: looking is for the phases between, and for what was not told. With 54 submissions
 * a minute and runs of an hour it comes to 567 reads a minute, of Vertex AI's 600.
 */
export const jobCadence: Cadence = { freshMs: 5 * minuteMs, everyMs: 10 * minuteMs };

/** Whether the tick of a minute looks at what changed at an instant; that may lie ahead, behind a freeze window. */
export const isLookDue = (
  sinceMs: number,
  { freshMs, everyMs }: Cadence,
  nowMs: number,
): boolean => {
  const ageMs = nowMs - sinceMs;
  if (ageMs >= 0 && ageMs < freshMs) return true;
  // Half a minute ahead, so that ticks a little early or late fall on the same side.
  const shifted = (ageMs + minuteMs / 2) % everyMs;
  return (shifted + everyMs) % everyMs < minuteMs;
};
