/** The one database of the local cloud. */
import Database from "libsql";
import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
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

/** Opens `cloud.db` so that a commit survives the death of this process. */
export function openDatabase(folder: string): Database.Database {
  const file = join(folder, "cloud.db");
  let db: Database.Database | undefined;
  try {
    db = new Database(file);
    keepReasons(db);
    db.exec("PRAGMA journal_mode=WAL");
    db.exec("PRAGMA synchronous=NORMAL");
    db.exec("PRAGMA busy_timeout=5000");
    // Reads the schema and writes one page: finds a damaged file or a full disk now, not in the middle of a call.
    db.exec(
      "CREATE TABLE IF NOT EXISTS cloud_meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    );
    db.exec("INSERT OR REPLACE INTO cloud_meta VALUES ('format', '1')");
    return db;
  } catch (error) {
    db?.close();
    const reason = reasonOf(error);
    const advice = /malformed|not a database|corrupt/i.test(reason)
      ? "The file is damaged: move it away and start again (everything the local cloud held is in it), or start with another --folder."
      : /readonly|read-only|unable to open/i.test(reason)
        ? "Make the folder and the file writable, or name another one with --folder /tmp/continuo."
        : /full/i.test(reason)
          ? "The disk is full: free some space, or name a folder elsewhere with --folder /tmp/continuo."
          : "Name another folder with --folder /tmp/continuo.";
    throw new ConfigError(`The database ${file} cannot be used (${reason}). ${advice}`, {
      cause: error,
    });
  }
}
