/** The collections that ever held a document, kept in memory: there are few, and every query begins here. */
import type Database from "libsql";
import { afterPrefix, pathKey } from "./names.js";
import { compareKeys } from "./order-key.js";

/** A collection and its number in the database. */
export interface Collection {
  readonly id: number;
  readonly key: string;
  readonly database: string;
  readonly segments: readonly string[];
}

/** Collections by place and by id. */
export interface Collections {
  readonly find: (database: string, segments: readonly string[]) => Collection | undefined;
  readonly ensure: (database: string, segments: readonly string[]) => Collection;
  /** Every collection with this id (every collection when it is empty) below a parent, sorted by key. */
  readonly below: (
    database: string,
    parent: readonly string[],
    collectionId: string | undefined,
  ) => readonly Collection[];
  /** The collections that hang directly from a parent, sorted by key. */
  readonly childrenOf: (database: string, parent: readonly string[]) => readonly Collection[];
}

interface CollectionRow {
  readonly id: number;
  readonly path: string;
  readonly database: string;
}

const groupName = (database: string, id: string): string => `${database}\n${id}`;

/** Opens the table of collections. */
export const openCollections = (db: Database.Database): Collections => {
  db.exec(
    `CREATE TABLE IF NOT EXISTS firestore_collections (
       id INTEGER PRIMARY KEY, database TEXT NOT NULL, path TEXT NOT NULL, UNIQUE (database, path))`,
  );
  const insert = db.prepare("INSERT INTO firestore_collections (database, path) VALUES (?, ?)");
  const byKey = new Map<string, Collection>();
  const byGroup = new Map<string, Collection[]>();
  const byDatabase = new Map<string, Collection[]>();

  const remember = (row: CollectionRow): Collection => {
    const segments = row.path.split("/");
    const key = pathKey(row.database, segments);
    const collection: Collection = { id: row.id, key, database: row.database, segments };
    byKey.set(key, collection);
    const group = groupName(row.database, segments.at(-1) ?? "");
    byGroup.set(group, [...(byGroup.get(group) ?? []), collection]);
    const siblings = byDatabase.get(row.database);
    if (siblings === undefined) byDatabase.set(row.database, [collection]);
    else siblings.push(collection);
    return collection;
  };
  const rows = db.prepare("SELECT id, database, path FROM firestore_collections").all();
  for (const row of rows as CollectionRow[]) remember(row);

  const below: Collections["below"] = (database, parent, collectionId) => {
    const all =
      collectionId === undefined
        ? byDatabase.get(database)
        : byGroup.get(groupName(database, collectionId));
    const prefix = pathKey(database, parent);
    const end = afterPrefix(prefix);
    return (all ?? [])
      .filter(({ key }) => key > prefix && key < end)
      .toSorted((a, b) => compareKeys(a.key, b.key));
  };
  return {
    find: (database, segments) => byKey.get(pathKey(database, segments)),
    ensure: (database, segments) => {
      const known = byKey.get(pathKey(database, segments));
      if (known !== undefined) return known;
      const path = segments.join("/");
      const { lastInsertRowid } = insert.run(database, path);
      return remember({ id: Number(lastInsertRowid), database, path });
    },
    below,
    childrenOf: (database, parent) =>
      below(database, parent, undefined).filter(
        ({ segments }) => segments.length === parent.length + 1,
      ),
  };
};
