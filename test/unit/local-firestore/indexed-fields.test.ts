import Database from "libsql";
import { expect, test } from "vitest";
import { commit, openEngine, type Engine } from "../../../infra/local/firestore/engine.js";
import { readQuery } from "../../../infra/local/firestore/query-model.js";
import { runQuery } from "../../../infra/local/firestore/query-run.js";
import { readWrite } from "../../../infra/local/firestore/writes.js";

const database = "projects/p/databases/(default)";
const root = `${database}/documents`;
let clockMs = 1_000_000;
const open = (db: Database.Database): Engine => openEngine({ db, now: () => (clockMs += 1) });

const put = async (engine: Engine, id: string, colour: string | undefined): Promise<void> => {
  const name = `${root}/things/${id}`;
  const fields = { colour: { stringValue: colour ?? "" }, size: { integerValue: "1" } };
  const wire = colour === undefined ? { delete: name } : { update: { name, fields } };
  await commit(engine, [readWrite(wire, database)], undefined);
};

const ofColour = (engine: Engine, value: string): readonly string[] => {
  const query = readQuery(root, {
    from: [{ collectionId: "things" }],
    where: {
      fieldFilter: { field: { fieldPath: "colour" }, op: "EQUAL", value: { stringValue: value } },
    },
  });
  return runQuery(engine.store, query).rows.map(({ document }) =>
    document.name.slice(root.length + "/things/".length),
  );
};

const indexRows = (db: Database.Database): readonly unknown[] =>
  db.prepare("SELECT DISTINCT field FROM firestore_fields ORDER BY field").all();

test("a field gets its index with the first query of it, and what nobody asks for gets none", async () => {
  const db = new Database(":memory:");
  const engine = open(db);
  await put(engine, "early", "red");
  await put(engine, "other", "blue");
  expect(indexRows(db)).toEqual([]);
  expect(ofColour(engine, "red")).toEqual(["early"]);
  expect(indexRows(db)).toEqual([{ field: "=colour" }]);
});

test("an index follows what is written, changed and deleted after its first query, and over a restart", async () => {
  const db = new Database(":memory:");
  const engine = open(db);
  await put(engine, "a", "red");
  await put(engine, "b", "red");
  expect(ofColour(engine, "red")).toEqual(["a", "b"]);
  await put(engine, "c", "red");
  await put(engine, "a", "blue");
  await put(engine, "b", undefined);
  expect(ofColour(engine, "red")).toEqual(["c"]);
  const again = open(db);
  await put(again, "d", "red");
  expect(ofColour(again, "red")).toEqual(["c", "d"]);
  expect(ofColour(again, "blue")).toEqual(["a"]);
});

test("a collection of several pages is indexed whole, and what is being committed with it", async () => {
  const engine = open(new Database(":memory:"));
  const ids = Array.from({ length: 2500 }, (_, index) => `t${String(index).padStart(4, "0")}`);
  await Promise.all(ids.map((id) => put(engine, id, "red")));
  const pending = put(engine, "t9999", "red");
  expect(ofColour(engine, "red")).toEqual([...ids, "t9999"]);
  await pending;
});

test("a file whose fields were all indexed keeps every index", async () => {
  const db = new Database(":memory:");
  const engine = open(db);
  await put(engine, "a", "red");
  expect(ofColour(engine, "red")).toEqual(["a"]);
  db.exec("DROP TABLE firestore_indexed");
  const again = open(db);
  await put(again, "b", "red");
  expect(ofColour(again, "red")).toEqual(["a", "b"]);
});

test("a query whose index cannot be written looks at every document", async () => {
  const db = new Database(":memory:");
  const engine = open(db);
  await Promise.all(
    Array.from({ length: 3000 }, (_, index) =>
      put(engine, `t${index}`, index === 7 ? "red" : "blue"),
    ),
  );
  const { page_count: pages } = db.prepare("PRAGMA page_count").get() as {
    readonly page_count: number;
  };
  db.exec(`PRAGMA max_page_count = ${pages}`);
  expect(ofColour(engine, "red")).toEqual(["t7"]);
  expect(indexRows(db)).toEqual([]);
  db.exec(`PRAGMA max_page_count = ${pages + 10_000}`);
  expect(ofColour(engine, "red")).toEqual(["t7"]);
  expect(indexRows(db)).toEqual([{ field: "=colour" }]);
});
