/** What each version takes: bytes of its model and time to score a row. */
import type { Evaluation } from "../../../events/artifacts.js";
import type { Configuration } from "../configuration.js";
import type { Model } from "../model/schema.js";
import { scoreTable } from "../model/score.js";
import { takeRows, type Table } from "../table/table.js";

const timedRowsMax = 2000;
const roundsOfTiming = 5;

/** Microseconds a row takes; of several rounds the least is taken, because the others were disturbed. */
const microsecondsOf = (table: Table, model: Model): number => {
  const started = performance.now();
  scoreTable(model, table);
  return (1000 * (performance.now() - started)) / Math.max(1, table.rows);
};

type Serving = Configuration["serving"];

const taken = (
  model: Model,
  microseconds: number,
  serving: Serving,
): Evaluation["resources"]["challenger"] => ({
  modelBytes: Buffer.byteLength(JSON.stringify(model)),
  ...(Number.isFinite(microseconds) ? { microsecondsPerRow: microseconds } : {}),
  // A microsecond a row is a second a million rows.
  ...(Number.isFinite(microseconds) && serving !== undefined
    ? { usdPerMillionRows: (microseconds * serving.usdPerHour) / 3600 }
    : {}),
});

/** What both versions take; their times are taken in turns on the same rows. */
export function measureScoring(
  table: Table,
  { challenger, champion }: { readonly challenger: Model; readonly champion: Model | undefined },
  serving: Serving,
): Evaluation["resources"] {
  const rows = Uint32Array.from({ length: Math.min(timedRowsMax, table.rows) }, (_, i) => i);
  const timed = takeRows(table, rows);
  let [own, before] = [Infinity, Infinity];
  for (let round = 0; round < roundsOfTiming && timed.rows > 0; round += 1) {
    own = Math.min(own, microsecondsOf(timed, challenger));
    if (champion !== undefined) before = Math.min(before, microsecondsOf(timed, champion));
  }
  return {
    challenger: taken(challenger, own, serving),
    ...(champion === undefined ? {} : { champion: taken(champion, before, serving) }),
    ...(serving === undefined ? {} : { machineType: serving.machineType }),
  };
}
