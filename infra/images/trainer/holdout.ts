/**
 * Splits dataset versions into training rows and the newest version's holdout, so that no evaluated row
 * was trained on by this model or by an earlier one that was split in the same way.
 */
import { ImageError } from "../arguments.js";
import { seededRandom } from "../../../shared/statistics/random.js";
import { asText, concatTables, takeRows, type Table } from "../table/table.js";

const dayMs = 86_400_000;

/** Training rows of all versions and the rows to evaluate on. */
export interface HoldoutSplit {
  readonly training: Table;
  readonly holdout: Table;
  /** Start of the holdout in milliseconds since 1970; undefined without a time column. */
  readonly cutoffMs: number | undefined;
}

/** How to split. */
export interface HoldoutOptions {
  readonly timeColumn: string | undefined;
  readonly holdoutDays: number;
  readonly seed: number;
}

/** Times in milliseconds of all rows; numbers below 1e11 are taken for seconds. */
function timesOf(table: Table, column: string): Float64Array {
  const found = table.columns.get(column);
  if (found === undefined) throw new ImageError(`the time column ${column} is not in the rows`);
  if (found.type === "boolean") throw new ImageError(`the time column ${column} holds booleans`);
  if (found.type === "string") {
    const parsed = asText(found).dictionary.map((text) => Date.parse(text));
    return Float64Array.from(found.codes, (code) => parsed[code] ?? NaN);
  }
  if (found.type === "timestamp") return found.values;
  return found.values.map((value) => (Math.abs(value) < 1e11 ? value * 1000 : value));
}

const rowsWhere = (times: Float64Array, isWanted: (time: number) => boolean): Uint32Array =>
  Uint32Array.from(times.keys()).filter((row) => isWanted(times[row] ?? NaN));

/** Midnight (UTC) after the newest row, minus the holdout's days. */
function cutoffOf(times: Float64Array, days: number): number {
  const newest = times.reduce((max, time) => (time > max ? time : max), -Infinity);
  if (!Number.isFinite(newest)) throw new ImageError("the time column holds no readable time");
  return (Math.floor(newest / dayMs) + 1) * dayMs - days * dayMs;
}

/** A seeded fifth of the newest version, for datasets without time. */
function randomSplit(versions: readonly Table[], newest: Table, seed: number): HoldoutSplit {
  const random = seededRandom(seed);
  const isHeld = Uint8Array.from({ length: newest.rows }, () => (random() < 0.2 ? 1 : 0));
  const rows = Uint32Array.from(isHeld.keys());
  const kept = takeRows(
    newest,
    rows.filter((row) => isHeld[row] === 0),
  );
  return {
    training: concatTables([...versions.slice(0, -1), kept]),
    holdout: takeRows(
      newest,
      rows.filter((row) => isHeld[row] === 1),
    ),
    cutoffMs: undefined,
  };
}

/** Splits the versions, oldest first; the last one is the newest. */
export function splitHoldout(versions: readonly Table[], options: HoldoutOptions): HoldoutSplit {
  const newest = versions.at(-1);
  if (newest === undefined) throw new ImageError("there is no dataset version to train on");
  const { timeColumn, holdoutDays, seed } = options;
  if (timeColumn === undefined) return randomSplit(versions, newest, seed);
  const times = versions.map((version) => timesOf(version, timeColumn));
  const cutoffMs = cutoffOf(times.at(-1) ?? new Float64Array(), holdoutDays);
  const training = versions.map((version, i) =>
    takeRows(
      version,
      rowsWhere(times[i] ?? new Float64Array(), (time) => time < cutoffMs),
    ),
  );
  const holdout = takeRows(
    newest,
    rowsWhere(times.at(-1) ?? new Float64Array(), (time) => time >= cutoffMs),
  );
  return { training: concatTables(training), holdout, cutoffMs };
}
