/** The stored points, in SQLite; the few series they belong to also live in memory. */
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import { keyOf, type Point, type SeriesIdentity } from "./series.js";
import { valueSchema } from "./values.js";

/** Points older than this are dropped. */
export const pointAgeMsMax = 24 * 60 * 60 * 1000;
/** Points kept of one series, whatever their age; at one a minute this is never reached. */
export const pointsPerSeriesMax = 20_000;

/** A series with the number its points are filed under. */
export interface StoredSeries extends SeriesIdentity {
  readonly id: number;
  /** Written by the cloud itself: its points show only after the ingestion delay. */
  readonly isDelayed: boolean;
}

/** Points of one series between two times, the first excluded. */
export interface PointScope {
  readonly afterUs: number;
  readonly untilUs: number;
}

/** The store of time series. */
export interface PointStore {
  /** Adds points, each to its series, in one transaction. */
  write(points: readonly (Point & { readonly series: SeriesIdentity })[], isDelayed: boolean): void;
  series(): Iterable<StoredSeries>;
  find(identity: SeriesIdentity): StoredSeries | undefined;
  newestEndUs(series: StoredSeries): number | undefined;
  /** Newest first; points still in ingestion are left out. */
  read(series: StoredSeries, scope: PointScope): readonly Point[];
  /** Drops what is too old or too much. */
  prune(): void;
  deleteMetric(metricType: string): void;
}

const schema = `
  CREATE TABLE IF NOT EXISTS monitoring_series (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, identity TEXT NOT NULL,
    is_delayed INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS monitoring_points (
    series INTEGER NOT NULL, end_us INTEGER NOT NULL, start_us INTEGER NOT NULL,
    value TEXT NOT NULL, PRIMARY KEY (series, end_us)) WITHOUT ROWID;
`;

const labels = z.record(z.string(), z.string());
const identitySchema = z.object({
  metricType: z.string(),
  metricLabels: labels,
  resourceType: z.string(),
  resourceLabels: labels,
  metricKind: z.enum(["GAUGE", "DELTA", "CUMULATIVE"]),
  valueType: z.enum(["INT64", "DOUBLE", "BOOL", "STRING", "DISTRIBUTION"]),
});
const json = z.string().transform((text): unknown => JSON.parse(text));
const seriesRow = z.object({
  id: z.number(),
  identity: json.pipe(identitySchema),
  is_delayed: z.number(),
});
const pointRow = z.object({
  start_us: z.number(),
  end_us: z.number(),
  value: json.pipe(valueSchema),
});
const endRow = z.object({ end_us: z.number() });

/** Opens the store. */
export const pointStore = (context: CloudContext): PointStore => {
  const { db, settings } = context;
  db.exec(schema);
  const insertSeries = db.prepare(
    "INSERT INTO monitoring_series (key, identity, is_delayed) VALUES (?, ?, ?)",
  );
  const deleteSeries = db.prepare("DELETE FROM monitoring_series WHERE id = ?");
  const insertPoint = db.prepare(
    `INSERT INTO monitoring_points (series, end_us, start_us, value) VALUES (?, ?, ?, ?)
     ON CONFLICT (series, end_us) DO UPDATE SET start_us = excluded.start_us, value = excluded.value`,
  );
  const readPoints = db.prepare(
    `SELECT start_us, end_us, value FROM monitoring_points
     WHERE series = ? AND end_us > ? AND end_us <= ? ORDER BY end_us DESC`,
  );
  const newest = db.prepare(
    "SELECT end_us FROM monitoring_points WHERE series = ? ORDER BY end_us DESC LIMIT 1 OFFSET ?",
  );
  const deleteUntil = db.prepare("DELETE FROM monitoring_points WHERE series = ? AND end_us <= ?");

  const known = new Map<string, StoredSeries>();
  const rows = db.prepare("SELECT id, identity, is_delayed FROM monitoring_series").all();
  for (const { id, identity, is_delayed } of z.array(seriesRow).parse(rows)) {
    known.set(keyOf(identity), { ...identity, id, isDelayed: is_delayed === 1 });
  }

  const filed = (identity: SeriesIdentity, isDelayed: boolean): StoredSeries => {
    const key = keyOf(identity);
    const held = known.get(key);
    if (held !== undefined) return held;
    const text = JSON.stringify(identitySchema.parse(identity));
    const { lastInsertRowid } = insertSeries.run(key, text, isDelayed ? 1 : 0);
    const made: StoredSeries = { ...identity, id: Number(lastInsertRowid), isDelayed };
    known.set(key, made);
    return made;
  };

  const endAt = (series: StoredSeries, offset: number): number | undefined => {
    const found = newest.get(series.id, offset);
    return found === undefined ? undefined : endRow.parse(found).end_us;
  };

  const atomically = (work: () => void): void => {
    if (db.inTransaction) work();
    else db.transaction(work).immediate();
  };

  const forget = (series: StoredSeries): void => {
    deleteUntil.run(series.id, Number.MAX_SAFE_INTEGER);
    deleteSeries.run(series.id);
    known.delete(keyOf(series));
  };

  const pruneOne = (series: StoredSeries, oldestUs: number): void => {
    const tooMany = endAt(series, pointsPerSeriesMax) ?? 0;
    deleteUntil.run(series.id, Math.max(tooMany, oldestUs));
    if (endAt(series, 0) === undefined) forget(series);
  };

  return {
    write: (points, isDelayed) => {
      const before = new Set(known.keys());
      try {
        atomically(() => {
          for (const { series, startUs, endUs, value } of points) {
            const { id } = filed(series, isDelayed);
            insertPoint.run(id, endUs, startUs, JSON.stringify(value));
          }
        });
      } catch (error) {
        // A series whose row was rolled back must not be remembered under its number.
        for (const key of known.keys()) if (!before.has(key)) known.delete(key);
        throw error;
      }
    },
    series: () => known.values(),
    find: (identity) => known.get(keyOf(identity)),
    newestEndUs: (series) => endAt(series, 0),
    read: (series, { afterUs, untilUs }) => {
      const visibleUs = (context.now() - settings.metricDelayMs) * 1000;
      const until = series.isDelayed ? Math.min(untilUs, visibleUs) : untilUs;
      return z
        .array(pointRow)
        .parse(readPoints.all(series.id, afterUs, until))
        .map(({ start_us, end_us, value }) => ({ startUs: start_us, endUs: end_us, value }));
    },
    prune: () => {
      const oldestUs = (context.now() - pointAgeMsMax) * 1000;
      atomically(() => {
        // A Map may lose entries while it is walked.
        for (const series of known.values()) pruneOne(series, oldestUs);
      });
    },
    deleteMetric: (metricType) => {
      atomically(() => {
        for (const series of known.values()) {
          if (series.metricType === metricType) forget(series);
        }
      });
    },
  };
};
