/** Three million flights of 2001 (US Bureau of Transportation Statistics, in npm's `vega-datasets`), month by month. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from "hyparquet";
import { compressors } from "hyparquet-compressors";

/** One flight with the features that were known two hours before its departure. */
export interface Flight {
  /** Scheduled departure, local time read as UTC, milliseconds. */
  readonly dateMs: number;
  readonly hour: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  /** Miles. */
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
  /** Share of late departures at the origin, averaged exponentially over flights at least two hours old. */
  readonly originLateRate: number;
  readonly outcome: "late" | "on-time";
}

/** One month: a seeded sample of its flights in order of time. */
export interface Month {
  /** For example `2001-02`. */
  readonly name: string;
  readonly flights: readonly Flight[];
}

const lateMinutes = 15;
const knownAfterMs = 2 * 3600 * 1000;
/** Weight of one flight in its origin's average. */
const rateWeight = 0.02;
const initialRate = 0.2;

/** A flight whose outcome its origin's average has not seen yet. */
interface Pending {
  readonly dateMs: number;
  readonly origin: string;
  readonly isLate: boolean;
}

const monthName = (dateMs: number): string => new Date(dateMs).toISOString().slice(0, 7);

/** A cheap hash of a row's number: the same rows are sampled in every run. */
const isSampled = (row: number, share: number, seed: number): boolean => {
  let hash = Math.imul(row ^ seed, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash ^= hash >>> 13;
  return (hash >>> 0) / 2 ** 32 < share;
};

/** Averages per origin, fed in order of time. */
const lateRates = () => {
  const rates = new Map<string, number>();
  const waiting: Pending[] = [];
  let next = 0;
  return {
    /** The origin's rate as known two hours before `dateMs`. */
    at(origin: string, dateMs: number): number {
      for (
        let first = waiting[next];
        first && first.dateMs <= dateMs - knownAfterMs;
        first = waiting[next]
      ) {
        const before = rates.get(first.origin) ?? initialRate;
        rates.set(first.origin, before + rateWeight * ((first.isLate ? 1 : 0) - before));
        next += 1;
      }
      if (next > 100_000) {
        waiting.splice(0, next);
        next = 0;
      }
      return rates.get(origin) ?? initialRate;
    },
    saw(flight: Pending): void {
      waiting.push(flight);
    },
  };
};

/** Where the Parquet file lies. */
export const flightsFile = (): string =>
  join(
    dirname(createRequire(import.meta.url).resolve("vega-datasets")),
    "../data/flights-3m.parquet",
  );

/**
 * Streams the months in order; `share` of the rows (about 500,000 a month) are kept, features are computed from
 * all of them. Throws when the file is missing or truncated.
 */
export async function* months(options: {
  readonly file: string;
  readonly share: number;
  readonly seed: number;
}): AsyncGenerator<Month> {
  const file = await asyncBufferFromFile(options.file);
  const metadata = await parquetMetadataAsync(file);
  const rates = lateRates();
  let row = 0;
  let current: { readonly name: string; readonly flights: Flight[] } | undefined;
  for (const group of metadata.row_groups) {
    const rowEnd = row + Number(group.num_rows);
    const read: { rows: readonly (readonly unknown[])[] } = { rows: [] };
    await parquetRead({
      file,
      metadata,
      compressors,
      columns: ["date", "delay", "distance", "origin", "destination"],
      rowStart: row,
      rowEnd,
      onComplete: (rows) => {
        read.rows = rows;
      },
    });
    for (const [date, delay, distance, origin, destination] of read.rows) {
      const dateMs = date instanceof Date ? date.getTime() : Number.NaN;
      const name = monthName(dateMs);
      if (current?.name !== name) {
        if (current !== undefined) yield current;
        current = { name, flights: [] };
      }
      const isLate = Number(delay) > lateMinutes;
      const from = String(origin);
      const originLateRate = rates.at(from, dateMs);
      rates.saw({ dateMs, origin: from, isLate });
      if (isSampled(row, options.share, options.seed)) {
        const when = new Date(dateMs);
        current.flights.push({
          dateMs,
          hour: when.getUTCHours(),
          weekday: when.getUTCDay(),
          distance: Number(distance),
          origin: from,
          destination: String(destination),
          originLateRate: Math.round(originLateRate * 1e6) / 1e6,
          outcome: isLate ? "late" : "on-time",
        });
      }
      row += 1;
    }
  }
  // The file ends within the first minute of July: only whole months are data.
  if (current !== undefined && current.flights.length > 1000) yield current;
}

/** What a caller of the prediction endpoint sends about a flight. */
export const instanceOf = ({
  hour,
  weekday,
  distance,
  origin,
  destination,
  originLateRate,
}: Flight) => ({
  hour,
  weekday,
  distance,
  origin,
  destination,
  originLateRate,
});
