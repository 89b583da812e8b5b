/**
 * Which fields are indexed: those that a query has asked for. A document costs one row and not one more for each of its
 * fields, most of which nobody ever looks for; the first query of a field reads its collection once.
 */
import type Database from "libsql";

/** The fields of each collection that have an index. */
export interface IndexedFields {
  readonly of: (collection: number) => ReadonlySet<string>;
  /** Notes a field; the caller has its entries written within the same transaction, and says when that is undone. */
  readonly add: (collection: number, field: string) => void;
  readonly forget: (collection: number, field: string) => void;
}

const none: ReadonlySet<string> = new Set();

/** Files of an earlier layout have an index of every field. */
const schema = `
  CREATE TABLE firestore_indexed (
    collection INTEGER NOT NULL, field TEXT NOT NULL, PRIMARY KEY (collection, field)) WITHOUT ROWID;
  INSERT INTO firestore_indexed SELECT DISTINCT collection, field FROM firestore_fields`;

/** Opens the table of indexed fields. */
export const openIndexedFields = (db: Database.Database): IndexedFields => {
  const table = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'firestore_indexed'").get();
  if (table === undefined) db.exec(`BEGIN IMMEDIATE; ${schema}; COMMIT`);
  const insert = db.prepare("INSERT INTO firestore_indexed VALUES (?, ?)");
  const known = new Map<number, Set<string>>();
  const remember = (collection: number, field: string): void => {
    const fields = known.get(collection);
    if (fields === undefined) known.set(collection, new Set([field]));
    else fields.add(field);
  };
  const rows = db.prepare("SELECT collection, field FROM firestore_indexed").all();
  for (const row of rows as { readonly collection: number; readonly field: string }[]) {
    remember(row.collection, row.field);
  }
  return {
    of: (collection) => known.get(collection) ?? none,
    add: (collection, field) => {
      insert.run(collection, field);
      remember(collection, field);
    },
    forget: (collection, field) => {
      known.get(collection)?.delete(field);
    },
  };
};
