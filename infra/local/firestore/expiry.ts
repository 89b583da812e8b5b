/** Time to live: fields whose time is the end of their document, and the sweep that deletes what is over. */
import type Database from "libsql";
import { RpcError } from "../protocol/service.js";
import { commit, type Engine } from "./engine.js";
import { readQuery } from "./query-model.js";
import { runQuery } from "./query-run.js";
import { timestampOf } from "./values.js";

/** A field of all collections of one id, by the name that the admin API gives it. */
export interface ExpiryField {
  readonly name: string;
  readonly database: string;
  readonly collectionId: string;
  readonly path: string;
}

/** The policies of every database of this cloud. */
export interface ExpiryPolicies {
  readonly all: () => readonly ExpiryField[];
  readonly enable: (field: ExpiryField) => void;
  readonly disable: (field: ExpiryField) => void;
}

interface Row {
  readonly name: string;
}

const namePattern =
  /^(projects\/[^/]+\/databases\/[^/]+)\/collectionGroups\/([^/]+)\/fields\/(.+)$/s;

/** Checks `projects/P/databases/D/collectionGroups/C/fields/F`. */
export const readExpiryField = (name: string | undefined): ExpiryField => {
  const match = namePattern.exec(name ?? "");
  if (match === null) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `Invalid field name "${name ?? ""}": use projects/PROJECT/databases/DATABASE/collectionGroups/COLLECTION/fields/FIELD.`,
    );
  }
  const [full, database = "", collectionId = "", path = ""] = match;
  return { name: full, database, collectionId, path };
};

/** Opens the table of policies. */
export const openExpiryPolicies = (db: Database.Database): ExpiryPolicies => {
  db.exec("CREATE TABLE IF NOT EXISTS firestore_expiry (name TEXT PRIMARY KEY) WITHOUT ROWID");
  const rows = db.prepare("SELECT name FROM firestore_expiry ORDER BY name").all() as Row[];
  const insert = db.prepare("INSERT OR IGNORE INTO firestore_expiry VALUES (?)");
  const remove = db.prepare("DELETE FROM firestore_expiry WHERE name = ?");
  const fields = new Map(rows.map(({ name }) => [name, readExpiryField(name)]));
  return {
    all: () => [...fields.values()],
    enable: (field) => {
      insert.run(field.name);
      fields.set(field.name, field);
    },
    disable: ({ name }) => {
      remove.run(name);
      fields.delete(name);
    },
  };
};

/** Deleted at a time, so that a sweep keeps nobody waiting for long. */
const documentsPerStep = 200;

/** Deletes what a field says is over at a time; a document that changes meanwhile is looked at by the next sweep. */
const sweepField = async (
  engine: Engine,
  field: ExpiryField,
  nowMicros: number,
): Promise<number> => {
  const query = readQuery(`${field.database}/documents`, {
    from: [{ collectionId: field.collectionId, allDescendants: true }],
    where: {
      fieldFilter: {
        field: { fieldPath: field.path },
        op: "LESS_THAN_OR_EQUAL",
        value: { timestampValue: timestampOf(nowMicros) },
      },
    },
    limit: documentsPerStep,
  });
  let deleted = 0;
  const remove = async (name: string, micros: number): Promise<void> => {
    const [, database = "", path = ""] = /^(.*?)\/documents\/(.*)$/s.exec(name) ?? [];
    const target = { name, database, segments: path.split("/") };
    try {
      const precondition = { kind: "update-time", micros } as const;
      await commit(engine, [{ kind: "delete", target, precondition }], undefined);
      deleted += 1;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
    }
  };
  const { rows } = runQuery(engine.store, query);
  await Promise.all(
    rows.map(async ({ document }) => remove(document.name, document.updatedMicros)),
  );
  return deleted;
};

/** Deletes every document that is over; answers how many they were. */
export const sweepExpired = async (
  engine: Engine,
  policies: ExpiryPolicies,
  nowMicros: number,
): Promise<number> => {
  let deleted = 0;
  for (const field of policies.all()) {
    let step: number;
    do {
      step = await sweepField(engine, field, nowMicros);
      deleted += step;
    } while (step === documentsPerStep);
  }
  return deleted;
};
