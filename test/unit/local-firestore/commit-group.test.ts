import Database from "libsql";
import { describe, expect, test } from "vitest";
import { createCommitGroup } from "../../../infra/local/firestore/commit-group.js";
import { commit, hold, openEngine, type Engine } from "../../../infra/local/firestore/engine.js";
import { readDocumentName } from "../../../infra/local/firestore/names.js";
import { readQuery } from "../../../infra/local/firestore/query-model.js";
import { runQuery } from "../../../infra/local/firestore/query-run.js";
import type { Transaction } from "../../../infra/local/firestore/transactions.js";
import { readWrite, type Change } from "../../../infra/local/firestore/writes.js";

const database = "projects/p/databases/(default)";
const root = `${database}/documents`;
const nameOf = (id: string): string => `${root}/c/${id}`;
const set = (id: string, n: number) =>
  readWrite({ update: { name: nameOf(id), fields: { n: { integerValue: String(n) } } } }, database);

const open = (db: Database.Database = new Database(":memory:")): Engine => {
  let clockMs = 1_700_000_000_000;
  return openEngine({ db, now: () => (clockMs += 1) });
};
const stored = ({ store }: Engine, id: string): string | undefined => {
  const value = store.get(readDocumentName(nameOf(id)))?.fields["n"];
  return value !== undefined && "integerValue" in value ? value.integerValue : undefined;
};
/** Begins a transaction and holds documents, as reading them does. */
const begin = async (engine: Engine, ...ids: readonly string[]): Promise<Transaction> => {
  const transaction = engine.transactions.begin(database, { readWrite: {} }, "read-write");
  await hold(engine, transaction, ids.map(nameOf));
  return transaction;
};

const change = (id: string): Change => ({
  target: readDocumentName(nameOf(id)),
  before: undefined,
  after: undefined,
});

describe("a group of commits", () => {
  test("is stored at once, and answered after that", async () => {
    const written: string[][] = [];
    const group = createCommitGroup((changes) => {
      written.push(changes.map(({ target }) => target.name));
    });
    const answers = [group.add([change("a")], 1), group.add([change("b")], 2)];
    expect(written).toEqual([]);
    await Promise.all(answers);
    expect(written).toEqual([[nameOf("a"), nameOf("b")]]);
  });

  test("fails only those that cannot be stored", async () => {
    const written: string[] = [];
    const group = createCommitGroup((changes) => {
      const names = changes.map(({ target }) => target.name);
      if (names.includes(nameOf("huge"))) throw new Error("database or disk is full");
      written.push(...names);
    });
    const outcomes = await Promise.allSettled([
      group.add([change("a")], 1),
      group.add([change("huge")], 2),
      group.add([change("b")], 3),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(written).toEqual([nameOf("a"), nameOf("b")]);
  });
});

describe("commits of one turn", () => {
  test("of the same document follow each other", async () => {
    const engine = open();
    const replies = await Promise.all(
      [1, 2, 3].map((n) => commit(engine, [set("a", n)], undefined)),
    );
    expect(stored(engine, "a")).toBe("3");
    expect(new Set(replies.map(({ commitMicros }) => commitMicros)).size).toBe(3);
  });

  test("are seen by every read that comes after them, also before they are answered", async () => {
    const engine = open();
    const writing = [
      commit(engine, [set("a", 1)], undefined),
      commit(engine, [set("b", 2)], undefined),
    ];
    expect(stored(engine, "a")).toBe("1");
    const { rows } = runQuery(engine.store, readQuery(root, { from: [{ collectionId: "c" }] }));
    expect(rows).toHaveLength(2);
    await Promise.all(writing);
  });

  test("of transactions that read what the other writes: one of them has to begin again", async () => {
    const engine = open();
    await Promise.all([
      commit(engine, [set("a", 0)], undefined),
      commit(engine, [set("b", 0)], undefined),
    ]);
    const first = await begin(engine, "a");
    const second = await begin(engine, "b");
    const waiting = [hold(engine, first, [nameOf("b")]), hold(engine, second, [nameOf("a")])];
    await Promise.all(waiting);
    const outcomes = await Promise.allSettled([
      commit(engine, [set("a", 1)], first),
      commit(engine, [set("b", 1)], second),
    ]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  test("that shared a document: the first wins and the other is refused, though neither is stored yet", async () => {
    const engine = open();
    await commit(engine, [set("a", 0)], undefined);
    const first = await begin(engine, "a");
    // It waits until the first has kept the document for itself long enough, and then shares it.
    const second = await begin(engine, "a");
    const outcomes = await Promise.allSettled([
      commit(engine, [set("a", 1)], first),
      commit(engine, [set("b", 1)], second),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(stored(engine, "b")).toBeUndefined();
  });

  test("give times that rise after a restart, after a deletion too", async () => {
    const db = new Database(":memory:");
    const engine = open(db);
    await commit(engine, [set("a", 1)], undefined);
    const last = await commit(engine, [readWrite({ delete: nameOf("a") }, database)], undefined);
    const again = openEngine({ db, now: () => 1 });
    const next = await commit(again, [set("a", 2)], undefined);
    expect(next.commitMicros).toBeGreaterThan(last.commitMicros);
  });
});
