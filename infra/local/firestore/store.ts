/** Documents and their index in SQLite. Every read is synchronous, so that none sees half a commit. */
import type Database from "libsql";
import { openCollections, type Collection, type Collections } from "./collections.js";
import { createCommitGroup } from "./commit-group.js";
import { createDocumentCache } from "./document-cache.js";
import type { StoredDocument } from "./documents.js";
import { entriesOf, indexDelta, overflowEntry } from "./index-entries.js";
import { openIndexedFields } from "./indexed-fields.js";
import { nameOf, type DocumentName } from "./names.js";
import { segmentKey } from "./order-key.js";
import { parseFields, writeFields } from "./stored-fields.js";
import type { Change } from "./writes.js";

/** A document with the key that sorts it by name. */
export interface Row {
  readonly key: string;
  readonly document: StoredDocument;
}

/** Which part of an index or a collection to read next, in the order of (value, name). */
export interface Page {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly isDescending: boolean;
  readonly limit: number;
}

/** A row found through the index, with the value's (cut) key. */
export interface IndexedRow extends Row {
  readonly value: string;
}

/** Where a scan of an index stopped. */
export interface IndexPosition {
  readonly value: string;
  readonly key: string;
}

/** The documents of every database of this cloud. */
export interface DocumentStore {
  readonly collections: Collections;
  readonly get: (target: DocumentName) => StoredDocument | undefined;
  /** A document by the key of its whole name, if it lies in the collection. */
  readonly getByKey: (collection: Collection, key: string) => Row | undefined;
  /** Stores the changes of one commit, all or none, and resolves when they are; every later read sees them. */
  readonly commit: (changes: readonly Change[], commitMicros: number) => Promise<void>;
  /** Stores now what is being committed. */
  readonly flush: () => void;
  /** A page of a collection's documents by name; `from` and `to` are keys of ids, both included. */
  readonly scan: (collection: Collection, page: Page) => readonly Row[];
  /** Makes sure that a field has an index, from its first query on; false where that cannot be written. */
  readonly isIndexed: (collection: Collection, field: string) => boolean;
  /** A page of an index, in the order of value and name; `from` and `to` are keys of values, both included. */
  readonly scanIndex: (
    collection: Collection,
    field: string,
    page: Page & { readonly after: IndexPosition | undefined },
  ) => readonly IndexedRow[];
  /** The documents that hold one value in an index. */
  readonly lookUp: (collection: Collection, field: string, value: string) => readonly Row[];
  /** How many documents hold one value in an index, counted up to a limit. */
  readonly count: (collection: Collection, field: string, value: string, limit: number) => number;
  readonly isEmpty: (collection: Collection) => boolean;
  /** The newest time at which a document changed. */
  readonly newestMicros: () => number;
}

interface DocumentRow {
  readonly key: ArrayBuffer;
  readonly id: string;
  readonly fields: string;
  readonly created: number;
  readonly updated: number;
  readonly value?: ArrayBuffer;
}

const schema = `
  CREATE TABLE IF NOT EXISTS firestore_documents (
    collection INTEGER NOT NULL, key BLOB NOT NULL, id TEXT NOT NULL, fields TEXT NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, UNIQUE (collection, key));
  CREATE TABLE IF NOT EXISTS firestore_fields (
    collection INTEGER NOT NULL, field TEXT NOT NULL, value BLOB NOT NULL, key BLOB NOT NULL,
    PRIMARY KEY (collection, field, value, key)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS firestore_clock (name TEXT PRIMARY KEY, newest INTEGER NOT NULL) WITHOUT ROWID`;

/** Files of an earlier layout found the newest change by an index, which every write had to keep. */
const upgrade = `
  INSERT OR IGNORE INTO firestore_clock SELECT 'newest', COALESCE(MAX(updated), 0) FROM firestore_documents
    WHERE NOT EXISTS (SELECT 1 FROM firestore_clock);
  DROP INDEX IF EXISTS firestore_documents_updated`;

/** Rows read at a time where a whole collection is. */
const rowsPerPage = 1000;

const lowest = Buffer.alloc(0);
/** No key begins with this byte twice: types, names and terminators are all smaller. */
const highest = Buffer.from([0xff, 0xff]);
const bytes = (key: string): Buffer => Buffer.from(key, "latin1");
const text = (blob: ArrayBuffer): string => Buffer.from(blob).toString("latin1");
const lowerBound = (key: string | undefined): Buffer => (key === undefined ? lowest : bytes(key));
const upperBound = (key: string | undefined): Buffer => (key === undefined ? highest : bytes(key));

const documentOf = (
  name: string,
  row: Pick<DocumentRow, "fields" | "created" | "updated">,
): StoredDocument => ({
  name,
  fields: parseFields(row.fields),
  createdMicros: row.created,
  updatedMicros: row.updated,
  storedBytes: row.fields.length,
});

const rowOf = (collection: Collection, row: DocumentRow): IndexedRow => ({
  key: collection.key + text(row.key),
  value: row.value === undefined ? "" : text(row.value),
  document: documentOf(nameOf(collection.database, [...collection.segments, row.id]), row),
});
const rowsOf = (collection: Collection, rows: unknown): readonly IndexedRow[] =>
  (rows as DocumentRow[]).map((row) => rowOf(collection, row));

/** Opens the tables of documents. */
export const openStore = (db: Database.Database): DocumentStore => {
  db.exec(schema);
  db.exec(upgrade);
  const cache = createDocumentCache();
  const collections = openCollections(db);
  const indexed = openIndexedFields(db);
  const columns = "d.key, d.id, d.fields, d.created, d.updated";
  const joined = `SELECT ${columns}, f.value FROM firestore_fields f
    JOIN firestore_documents d ON d.collection = f.collection AND d.key = f.key
    WHERE f.collection = ? AND f.field = ?`;
  const sql = {
    getByKey: db.prepare(
      `SELECT ${columns} FROM firestore_documents d WHERE collection = ? AND key = ?`,
    ),
    get: db.prepare(
      "SELECT fields, created, updated FROM firestore_documents WHERE collection = ? AND key = ?",
    ),
    upsert: db.prepare(
      `INSERT INTO firestore_documents (collection, key, id, fields, created, updated) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (collection, key) DO UPDATE SET fields = excluded.fields, created = excluded.created, updated = excluded.updated`,
    ),
    remove: db.prepare("DELETE FROM firestore_documents WHERE collection = ? AND key = ?"),
    moveEntry: db.prepare(
      "UPDATE OR REPLACE firestore_fields SET value = ? WHERE collection = ? AND field = ? AND value = ? AND key = ?",
    ),
    addEntry: db.prepare(
      "INSERT OR IGNORE INTO firestore_fields (collection, field, value, key) VALUES (?, ?, ?, ?)",
    ),
    removeEntry: db.prepare(
      "DELETE FROM firestore_fields WHERE collection = ? AND field = ? AND value = ? AND key = ?",
    ),
    scanUp: db.prepare(
      `SELECT ${columns} FROM firestore_documents d WHERE collection = ? AND key >= ? AND key <= ? ORDER BY key LIMIT ?`,
    ),
    scanDown: db.prepare(
      `SELECT ${columns} FROM firestore_documents d WHERE collection = ? AND key >= ? AND key <= ? ORDER BY key DESC LIMIT ?`,
    ),
    fieldsAfter: db.prepare(
      "SELECT key, fields FROM firestore_documents WHERE collection = ? AND key > ? ORDER BY key LIMIT ?",
    ),
    indexUp: db.prepare(
      `${joined} AND f.value >= ? AND f.value <= ? AND (f.value, f.key) > (?, ?) ORDER BY f.value, f.key LIMIT ?`,
    ),
    indexDown: db.prepare(
      `${joined} AND f.value >= ? AND f.value <= ? AND (f.value, f.key) < (?, ?) ORDER BY f.value DESC, f.key DESC LIMIT ?`,
    ),
    lookUp: db.prepare(`${joined} AND f.value = ? ORDER BY f.key`),
    count: db.prepare(
      `SELECT COUNT(*) AS count FROM (SELECT 1 FROM firestore_fields WHERE collection = ? AND field = ? AND value = ? LIMIT ?)`,
    ),
    any: db.prepare("SELECT 1 FROM firestore_documents WHERE collection = ? LIMIT 1"),
    newest: db.prepare("SELECT newest FROM firestore_clock"),
    setNewest: db.prepare("UPDATE firestore_clock SET newest = MAX(newest, ?)"),
    begin: db.prepare("BEGIN IMMEDIATE"),
    end: db.prepare("COMMIT"),
    undo: db.prepare("ROLLBACK"),
  };

  /** Writes one change; answers the document as it is then stored. */
  const persist = ({ target, before, after }: Change): StoredDocument | undefined => {
    const collection = collections.ensure(target.database, target.segments.slice(0, -1));
    const id = target.segments.at(-1) ?? "";
    const key = bytes(segmentKey(id));
    const fields = after === undefined ? "" : writeFields(after.fields);
    if (after === undefined) sql.remove.run([collection.id, key]);
    else {
      const { createdMicros, updatedMicros } = after;
      sql.upsert.run([collection.id, key, id, fields, createdMicros, updatedMicros]);
    }
    const wanted = indexed.of(collection.id);
    const { removed, added, moved } = indexDelta(before?.fields, after?.fields, wanted);
    for (const { field, value } of removed)
      sql.removeEntry.run([collection.id, field, bytes(value), key]);
    for (const { field, value, to } of moved)
      sql.moveEntry.run([bytes(to), collection.id, field, bytes(value), key]);
    for (const { field, value } of added)
      sql.addEntry.run([collection.id, field, bytes(value), key]);
    return after === undefined ? undefined : { ...after, storedBytes: fields.length };
  };
  /** Writes all or nothing. */
  const inOnePiece = <Result>(work: () => Result): Result => {
    sql.begin.run([]);
    try {
      const result = work();
      sql.end.run([]);
      return result;
    } catch (error) {
      // On a full disk SQLite has undone everything by itself.
      if (db.inTransaction) sql.undo.run([]);
      throw error;
    }
  };
  const storeAll = (changes: readonly Change[], newestMicros: number): void => {
    // A new collection is remembered in memory too, so it must not be undone together with its first document.
    for (const { target } of changes) {
      collections.ensure(target.database, target.segments.slice(0, -1));
    }
    const stored = inOnePiece(() => {
      sql.setNewest.run([newestMicros]);
      return changes.map((change) => [change.target.name, persist(change)] as const);
    });
    for (const [name, document] of stored) cache.set(name, document);
  };
  /** Gives a field its index: every document of the collection is read once. */
  const index = (collection: Collection, field: string): void => {
    indexed.add(collection.id, field);
    const wanted = new Set([field]);
    for (let after: Buffer = lowest; ;) {
      const rows = sql.fieldsAfter.all(collection.id, after, rowsPerPage) as DocumentRow[];
      for (const { key, fields } of rows) {
        for (const entry of entriesOf(parseFields(fields), wanted)) {
          sql.addEntry.run([collection.id, entry.field, bytes(entry.value), Buffer.from(key)]);
        }
      }
      const last = rows.at(-1);
      if (rows.length < rowsPerPage || last === undefined) return;
      after = Buffer.from(last.key);
    }
  };
  const group = createCommitGroup(storeAll);
  const { flush } = group;

  return {
    get collections() {
      flush();
      return collections;
    },
    commit: group.add,
    flush,
    get: (target) => {
      if (group.touches(target.name)) flush();
      if (cache.has(target.name)) return cache.get(target.name);
      const collection = collections.find(target.database, target.segments.slice(0, -1));
      if (collection === undefined) return undefined;
      const row = sql.get.get([collection.id, bytes(segmentKey(target.segments.at(-1) ?? ""))]);
      const document = row === undefined ? undefined : documentOf(target.name, row as DocumentRow);
      cache.set(target.name, document);
      return document;
    },
    getByKey: (collection, key) => {
      if (!key.startsWith(collection.key)) return undefined;
      flush();
      const row = sql.getByKey.get(collection.id, bytes(key.slice(collection.key.length)));
      return row === undefined ? undefined : rowOf(collection, row as DocumentRow);
    },
    scan: (collection, { from, to, isDescending, limit }) => {
      flush();
      const statement = isDescending ? sql.scanDown : sql.scanUp;
      return rowsOf(
        collection,
        statement.all(collection.id, lowerBound(from), upperBound(to), limit),
      );
    },
    isIndexed: (collection, field) => {
      if (field === overflowEntry.field || indexed.of(collection.id).has(field)) return true;
      flush();
      try {
        inOnePiece(() => {
          index(collection, field);
        });
        return true;
      } catch {
        // A full disk must not keep anybody from reading: the query looks at every document.
        indexed.forget(collection.id, field);
        return false;
      }
    },
    scanIndex: (collection, field, { from, to, isDescending, limit, after }) => {
      flush();
      const statement = isDescending ? sql.indexDown : sql.indexUp;
      const start = isDescending ? highest : lowest;
      const value = after === undefined ? start : bytes(after.value);
      const key = after === undefined ? start : bytes(after.key.slice(collection.key.length));
      const low = lowerBound(from);
      return rowsOf(
        collection,
        statement.all(collection.id, field, low, upperBound(to), value, key, limit),
      );
    },
    lookUp: (collection, field, value) => {
      flush();
      return rowsOf(collection, sql.lookUp.all(collection.id, field, bytes(value)));
    },
    count: (collection, field, value, limit) => {
      flush();
      const row = sql.count.get(collection.id, field, bytes(value), limit);
      return (row as { readonly count: number }).count;
    },
    isEmpty: (collection) => {
      flush();
      return sql.any.get(collection.id) === undefined;
    },
    newestMicros: () => (sql.newest.get() as { readonly newest: number }).newest,
  };
};
