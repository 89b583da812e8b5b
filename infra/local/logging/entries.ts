/** The stored log entries: deduplicated as Cloud Logging does, listed in time order, bounded in number. */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { CloudContext } from "../cloud.js";
import { RpcError } from "../protocol/service.js";
import type { EntryCodec, EntryJson } from "./entry-codec.js";
import { severityRanks } from "./filter/fields.js";
import { logNameOf } from "./names.js";
import { readTime, timeOfMs } from "./time.js";

/** Entries kept; beyond it the ones received first are deleted. */
export const entriesMax = 100_000;
const trimEvery = 1_000;
const entryBytesMax = 256 * 1024;
const futureMsMax = 24 * 60 * 60 * 1000;
const labelsMax = 64;

const logNamePattern =
  /^(projects|organizations|folders|billingAccounts)\/[^/]+\/logs\/[^/\s]{1,511}$/;

/** An entry that passed the checks and is ready to be stored. */
export interface CheckedEntry {
  readonly logName: string;
  readonly parent: string;
  readonly time: string;
  readonly insertId: string;
  readonly json: EntryJson;
}

/** Where a listing stands: after this entry. */
export interface EntryPosition {
  readonly time: string;
  readonly id: number;
}

/** Which rows a listing reads. */
export interface EntryScope {
  readonly parents: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly isNewestFirst: boolean;
  readonly after: EntryPosition | undefined;
  readonly limit: number;
}

/** A stored entry with its place in the order. */
export interface StoredEntry extends EntryPosition {
  readonly json: EntryJson;
}

/** The table of entries. */
export interface EntryStore {
  /** Completes and checks an entry; throws INVALID_ARGUMENT. */
  check(entry: EntryJson): CheckedEntry;
  /** Stores those not stored before, inside the caller's transaction, and returns them. */
  insert(entries: readonly CheckedEntry[]): readonly CheckedEntry[];
  read(scope: EntryScope): readonly StoredEntry[];
  logNames(parents: readonly string[], after: string, limit: number): readonly string[];
  /** Deletes a log's entries; false when there are none. */
  deleteLog(logName: string): boolean;
  /** Deletes the oldest beyond the bound. */
  trim(): void;
}

const schema = `
  CREATE TABLE IF NOT EXISTS logging_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, parent TEXT NOT NULL, log_name TEXT NOT NULL,
    time TEXT NOT NULL, insert_id TEXT NOT NULL, entry TEXT NOT NULL);
  CREATE UNIQUE INDEX IF NOT EXISTS logging_entries_once
    ON logging_entries (log_name, time, insert_id);
  CREATE INDEX IF NOT EXISTS logging_entries_by_time ON logging_entries (parent, time, id);
`;

const givenEntry = z.looseObject({
  logName: z.string(),
  insertId: z.string().optional(),
  timestamp: z.string().optional(),
  severity: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  resource: z
    .looseObject({ type: z.string(), labels: z.record(z.string(), z.string()).optional() })
    .optional(),
});

const storedRow = z.object({
  id: z.number(),
  time: z.string(),
  entry: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.record(z.string(), z.unknown())),
});

const refuse = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);
const marks = (count: number): string => Array.from({ length: count }, () => "?").join(", ");

/** Opens the store. */
export const entryStore = (context: CloudContext, codec: EntryCodec): EntryStore => {
  const { db, settings } = context;
  db.exec(schema);
  const insertOne = db.prepare(
    `INSERT OR IGNORE INTO logging_entries (parent, log_name, time, insert_id, entry)
     VALUES (?, ?, ?, ?, ?)`,
  );
  const anyOfLog = db.prepare("SELECT 1 AS found FROM logging_entries WHERE log_name = ? LIMIT 1");
  const deleteOfLog = db.prepare("DELETE FROM logging_entries WHERE log_name = ?");
  const newestId = db.prepare("SELECT coalesce(max(id), 0) AS id FROM logging_entries");
  const deleteUpTo = db.prepare("DELETE FROM logging_entries WHERE id <= ?");
  const newest = () => z.object({ id: z.number() }).parse(newestId.get()).id;
  let trimmedAt = 0;

  const check: EntryStore["check"] = (given) => {
    const read = givenEntry.safeParse(given);
    if (!read.success) throw refuse(`Invalid log entry: ${z.prettifyError(read.error)}`);
    const entry = { ...read.data, logName: logNameOf(context, read.data.logName) };
    if (!logNamePattern.test(entry.logName)) {
      throw refuse(
        `Invalid logName "${entry.logName}": write projects/PROJECT/logs/LOG, with the slashes of LOG as %2F.`,
      );
    }
    if (entry.severity !== undefined && !severityRanks.has(entry.severity)) {
      throw refuse(`Invalid severity "${entry.severity}".`);
    }
    if (Object.keys(entry.labels ?? {}).length > labelsMax) {
      throw refuse(`A log entry has at most ${labelsMax} labels.`);
    }
    const now = timeOfMs(context.now());
    const timestamp = entry.timestamp ?? now;
    const time = readTime(timestamp);
    if (time === undefined) throw refuse(`Invalid timestamp "${timestamp}".`);
    if (time > timeOfMs(context.now() + futureMsMax)) {
      throw refuse(`The timestamp ${timestamp} lies more than 24 hours in the future.`);
    }
    const json: EntryJson = {
      ...entry,
      insertId: entry.insertId || randomBytes(9).toString("base64url"),
      resource: entry.resource ?? { type: "global", labels: { project_id: settings.projectId } },
      timestamp,
      receiveTimestamp: now,
    };
    const size = Buffer.byteLength(JSON.stringify(json));
    if (size > entryBytesMax) {
      throw refuse(`Log entry with size ${size} exceeds maximum size of ${entryBytesMax} bytes.`);
    }
    // What cannot become a LogEntry message could never be read back.
    codec.toMessage(json);
    return {
      logName: entry.logName,
      parent: entry.logName.split("/", 2).join("/"),
      time,
      insertId: String(json["insertId"]),
      json,
    };
  };

  const trim = (): void => {
    const last = newest();
    if (last - trimmedAt < trimEvery) return;
    trimmedAt = last;
    deleteUpTo.run(last - entriesMax);
  };

  return {
    check,
    insert: (entries) =>
      entries.filter(({ parent, logName, time, insertId, json }) => {
        const { changes } = insertOne.run(parent, logName, time, insertId, JSON.stringify(json));
        return changes > 0;
      }),
    read: ({ parents, from, to, isNewestFirst, after, limit }) => {
      const order = isNewestFirst ? "DESC" : "ASC";
      const beyond = isNewestFirst ? "<" : ">";
      const position = after === undefined ? "" : `AND (time, id) ${beyond} (?, ?)`;
      const rows = db
        .prepare(
          `SELECT id, time, entry FROM logging_entries
           WHERE parent IN (${marks(parents.length)}) AND time >= ? AND time <= ? ${position}
           ORDER BY time ${order}, id ${order} LIMIT ?`,
        )
        .all(...parents, from, to, ...(after === undefined ? [] : [after.time, after.id]), limit);
      return z
        .array(storedRow)
        .parse(rows)
        .map(({ id, time, entry }) => ({ id, time, json: entry }));
    },
    logNames: (parents, after, limit) =>
      z
        .array(z.object({ log_name: z.string() }))
        .parse(
          db
            .prepare(
              `SELECT DISTINCT log_name FROM logging_entries
               WHERE parent IN (${marks(parents.length)}) AND log_name > ?
               ORDER BY log_name LIMIT ?`,
            )
            .all(...parents, after, limit),
        )
        .map(({ log_name }) => log_name),
    deleteLog: (logName) => {
      if (anyOfLog.get(logName) === undefined) return false;
      deleteOfLog.run(logName);
      return true;
    },
    trim,
  };
};
