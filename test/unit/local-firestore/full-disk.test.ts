import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Database from "libsql";
import { expect, test } from "vitest";
import { openDatabase } from "../../../infra/local/database.js";
import { commit, openEngine } from "../../../infra/local/firestore/engine.js";
import { runQuery } from "../../../infra/local/firestore/query-run.js";
import { readQuery } from "../../../infra/local/firestore/query-model.js";
import { readWrite } from "../../../infra/local/firestore/writes.js";
import { isStorageTrouble } from "../../../infra/local/protocol/failure.js";

const database = "projects/p/databases/(default)";
const root = `${database}/documents`;

const document = (path: string, length: number) =>
  readWrite(
    { update: { name: `${root}/${path}`, fields: { text: { stringValue: "x".repeat(length) } } } },
    database,
  );

/** Lets the database grow by some pages only, as a disk that is nearly full does. */
const leavePages = (db: Database.Database, pages: number): void => {
  const row = db.prepare("PRAGMA page_count").get() as { readonly page_count: number };
  db.exec(`PRAGMA max_page_count = ${row.page_count + pages}`);
};

test("a commit that finds the disk full says so, and a later one into the same new collection is kept", async () => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-full-"));
  try {
    const db = openDatabase(folder);
    const engine = openEngine({ db, now: () => 1_000_000 });
    await commit(engine, [document("first/a", 10)], undefined);
    leavePages(db, 4);
    const refused = commit(engine, [document("second/a", 100_000)], undefined);
    await expect(refused).rejects.toSatisfy(isStorageTrouble);
    leavePages(db, 10_000);
    await commit(engine, [document("second/b", 10)], undefined);
    await commit(engine, [document("third/c", 10)], undefined);
    db.close();

    const again = openDatabase(folder);
    const { store } = openEngine({ db: again, now: () => 2_000_000 });
    const { rows } = runQuery(store, readQuery(root, { from: [{ allDescendants: true }] }));
    expect(rows.map(({ document: { name } }) => name.slice(root.length))).toEqual([
      "/first/a",
      "/second/b",
      "/third/c",
    ]);
    again.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a transaction that finds the disk full fails with the disk's error", () => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-full-"));
  try {
    const db = openDatabase(folder);
    db.exec("CREATE TABLE things (value TEXT)");
    leavePages(db, 2);
    const work = db.transaction(() => {
      db.prepare("INSERT INTO things VALUES (?)").run("x".repeat(100_000));
    });
    expect(() => {
      work();
    }).toThrow(expect.toSatisfy(isStorageTrouble));
    db.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
