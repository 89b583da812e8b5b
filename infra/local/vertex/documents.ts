/** Documents by resource name in the one database: what Vertex AI's resources are kept in. */
import type Database from "libsql";
import { z } from "zod";

interface Row {
  readonly key: string;
  readonly document: string;
}

/** A durable map from a resource name to a document. */
export interface DocumentTable<Document> {
  readonly get: (key: string) => Document | undefined;
  readonly put: (key: string, document: Document) => void;
  readonly remove: (key: string) => void;
  /** All documents whose key starts with the prefix, by key. */
  readonly list: (
    prefix: string,
  ) => readonly { readonly key: string; readonly document: Document }[];
}

/** Opens a table of documents, making it when it is missing. */
export const documentTable = <Document>(
  db: Database.Database,
  table: string,
): DocumentTable<Document> => {
  db.exec(
    `CREATE TABLE IF NOT EXISTS ${table} (key TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID`,
  );
  const get = db.prepare(`SELECT document FROM ${table} WHERE key = ?`);
  const put = db.prepare(`INSERT OR REPLACE INTO ${table} (key, document) VALUES (?, ?)`);
  const remove = db.prepare(`DELETE FROM ${table} WHERE key = ?`);
  const list = db.prepare(
    `SELECT key, document FROM ${table} WHERE key >= ? AND key < ? ORDER BY key`,
  );
  // Only this table's put writes these rows: their text is typed, not checked again.
  const parser = z.custom<Document>();
  const rows = z.custom<readonly Row[]>();
  return {
    get: (key) => {
      const [row] = rows.parse(get.all(key));
      return row === undefined ? undefined : parser.parse(JSON.parse(row.document));
    },
    put: (key, document) => {
      put.run(key, JSON.stringify(document));
    },
    remove: (key) => {
      remove.run(key);
    },
    list: (prefix) =>
      rows.parse(list.all(prefix, `${prefix}\u{10ffff}`)).map((row) => ({
        key: row.key,
        document: parser.parse(JSON.parse(row.document)),
      })),
  };
};
