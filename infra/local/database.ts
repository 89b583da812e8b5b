/** The one database of the local cloud. */
import Database from "libsql";
import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError } from "./errors.js";

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Makes sure that the folder exists and can be written. */
export function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK | constants.R_OK);
  } catch (error) {
    throw new ConfigError(
      `The folder ${folder} cannot be written (${reasonOf(error)}). Make it writable, or name another one with --folder /tmp/continuo.`,
      { cause: error },
    );
  }
}

/**
 * On a full disk SQLite undoes a transaction by itself; the client's `transaction` then fails to undo it once more, and
 * that failure would hide the reason.
 */
const keepReasons = (db: Database.Database): void => {
  const exec = db.exec.bind(db);
  db.exec = (sql) => (sql === "ROLLBACK" && !db.inTransaction ? db : exec(sql));
};

/** A file up to this size is read whole at every start; a larger one only after a crash. */
const checkedBytesMax = 32 * 1024 * 1024;
/** The write-ahead log is cut back to this size when it was written into the file. */
const logBytesMax = 64 * 1024 * 1024;
/** Free pages that stay in the file for the next writes. */
const freePagesMax = 4096;
const pagesPerShrink = 2000;

const bytesIn = (file: string): number => (existsSync(file) ? statSync(file).size : 0);

const checkRow = z.object({ quick_check: z.string() });

/** Finds a damaged file before anything is written into it. */
const refuseDamaged = (db: Database.Database): void => {
  const { quick_check: verdict } = checkRow.parse(db.prepare("PRAGMA quick_check(1)").get());
  if (verdict !== "ok") throw new Error(`malformed: ${verdict}`);
};

const adviceFor = (reason: string): string => {
  if (/malformed|not a database|corrupt/i.test(reason)) {
    return "The file is damaged and was left as it is: move it away and start again (everything the local cloud held is in it), or start with another --folder.";
  }
  if (/readonly|read-only|unable to open/i.test(reason)) {
    return "Make the folder and the file writable, or name another one with --folder /tmp/continuo.";
  }
  return /full/i.test(reason)
    ? "The disk is full: free some space, or name a folder elsewhere with --folder /tmp/continuo."
    : "Name another folder with --folder /tmp/continuo.";
};

/** Opens `cloud.db` so that a commit survives the death of this process. */
export function openDatabase(
  folder: string,
  options: {
    /** The process that ended without stopping, when one did. */
    readonly deadPid?: number | undefined;
    readonly log?: (line: string) => void;
  } = {},
): Database.Database {
  const file = join(folder, "cloud.db");
  const bytes = bytesIn(file);
  const logBytes = bytesIn(`${file}-wal`);
  let db: Database.Database | undefined;
  try {
    db = new Database(file);
    keepReasons(db);
    if (bytes > 0 && (bytes <= checkedBytesMax || options.deadPid !== undefined)) refuseDamaged(db);
    // Takes effect in a new file only: pages that become free can later be given back.
    db.exec("PRAGMA auto_vacuum=INCREMENTAL");
    db.exec("PRAGMA journal_mode=WAL");
    db.exec("PRAGMA synchronous=NORMAL");
    db.exec("PRAGMA busy_timeout=5000");
    db.exec(`PRAGMA journal_size_limit=${logBytesMax}`);
    // Reads the schema and writes one page: finds a damaged file or a full disk now, not in the middle of a call.
    db.exec(
      "CREATE TABLE IF NOT EXISTS cloud_meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    );
    db.exec("INSERT OR REPLACE INTO cloud_meta VALUES ('format', '1')");
    if (options.deadPid !== undefined) {
      options.log?.(
        `process ${options.deadPid} ended without stopping: everything it acknowledged is here (${Math.ceil(logBytes / 1024)} kB of it came from its write-ahead log, the database is whole)`,
      );
    }
    return db;
  } catch (error) {
    db?.close();
    const reason = reasonOf(error);
    throw new ConfigError(`The database ${file} cannot be used (${reason}). ${adviceFor(reason)}`, {
      cause: error,
    });
  }
}

const freeRow = z.object({ freelist_count: z.number() });

/** Gives a part of the pages that nothing uses back to the disk; a small part at a time, as everything else waits. */
export const shrink = (db: Database.Database): void => {
  if (db.inTransaction) return;
  const { freelist_count: free } = freeRow.parse(db.prepare("PRAGMA freelist_count").get());
  if (free > freePagesMax) {
    db.exec(`PRAGMA incremental_vacuum(${Math.min(pagesPerShrink, free - freePagesMax)})`);
  }
};

/** Writes the log into the file, so that the file alone holds everything. */
export const closeDatabase = (db: Database.Database): void => {
  db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
  db.close();
};
