/** How often a tick looks at the cloud: often while something has just changed, rarely while it goes on as it was. */

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** For so long every tick looks, and then one in so many minutes. */
interface Cadence {
  readonly freshMs: number;
  readonly everyMs: number;
}

/** Endpoints and prediction logs, after a change of a deployment or of the traffic. */
export const endpointCadence: Cadence = { freshMs: 10 * minuteMs, everyMs: 5 * minuteMs };

/**
 * The metrics of a step: every tick looks for an hour, and then one in as many minutes as the step has hours, five at
 * most. A look reads all windows of its step again, so this comes to sixty windows a minute whatever the step's age up
 * to five hours, and delays what is found by a sixtieth of the time that it took to show.
 */
export const metricsCadence = (sinceMs: number, nowMs: number): Cadence => ({
  freshMs: hourMs,
  everyMs: minuteMs * Math.min(5, Math.max(1, Math.ceil((nowMs - sinceMs) / hourMs))),
});

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
