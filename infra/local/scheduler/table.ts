/** Cloud Scheduler's rows: jobs, one document each. */
import type Database from "libsql";
import { z } from "zod";
import type { Job } from "./shapes.js";

const rowShape = z.object({ config: z.string() });

/** Jobs hold bytes, which JSON lacks. */
const writeJob = (job: Job): string =>
  JSON.stringify(job, (_key, value: unknown) =>
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    value.type === "Buffer" &&
    "data" in value
      ? { $base64: Buffer.from(value.data as readonly number[]).toString("base64") }
      : value,
  );

const readJob = (row: unknown): Job =>
  JSON.parse(rowShape.parse(row).config, (_key, value: unknown) =>
    typeof value === "object" && value !== null && "$base64" in value
      ? Buffer.from(String(value.$base64), "base64")
      : value,
  ) as Job;

/** Reading and writing of jobs. */
export type JobTable = ReturnType<typeof jobTable>;

/** Opens the table. */
export function jobTable(db: Database.Database) {
  db.exec(
    "CREATE TABLE IF NOT EXISTS scheduler_jobs (name TEXT PRIMARY KEY, config TEXT NOT NULL) WITHOUT ROWID",
  );
  const all = db.prepare("SELECT config FROM scheduler_jobs ORDER BY name");
  const put = db.prepare("INSERT OR REPLACE INTO scheduler_jobs VALUES (?, ?)");
  const drop = db.prepare("DELETE FROM scheduler_jobs WHERE name = ?");
  return {
    all: (): readonly Job[] => all.all().map((row) => readJob(row)),
    put: (job: Job): void => {
      put.run(job.name, writeJob(job));
    },
    drop: (name: string): void => {
      drop.run(name);
    },
  };
}
