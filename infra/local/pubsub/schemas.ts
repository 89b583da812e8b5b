/** Schemas and their revisions, and the messages that they let pass. */
import { randomBytes } from "node:crypto";
import type Database from "libsql";
import { z } from "zod";
import type { OutgoingMessage } from "../cloud.js";
import { RpcError, typeUrl } from "../protocol/service.js";
import { checkAvroBinary, checkAvroJson } from "./avro-data.js";
import { parseAvro, unreadable, type AvroType } from "./avro.js";
import { alreadyExists, notFound } from "./names.js";
import { changedFields, checkProtocolBuffer, parseProtocolBuffer } from "./protocol-buffer.js";
import { timestampOf, type Schema, type SchemaSettings } from "./shapes.js";
import type { MessageType } from "../protocol/descriptors.js";

const definitionBytesMax = 300_000;
const revisionsMax = 20;

/** How messages are written. */
export type Encoding = "JSON" | "BINARY";

type Compiled =
  | { readonly type: "AVRO"; readonly avro: AvroType }
  | { readonly type: "PROTOCOL_BUFFER"; readonly message: MessageType };

/** What a topic's schema is called once the schema is deleted. */
export const deletedSchema = "_deleted-schema_";

const table = `
CREATE TABLE IF NOT EXISTS pubsub_schemas (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, revision TEXT NOT NULL, type TEXT NOT NULL,
  definition TEXT NOT NULL, created_ms INTEGER NOT NULL, UNIQUE (name, revision));
`;
const revisionRow = z
  .object({
    name: z.string(),
    revision: z.string(),
    type: z.enum(["AVRO", "PROTOCOL_BUFFER"]),
    definition: z.string(),
    created_ms: z.number(),
  })
  .transform((row): Schema => ({
    name: row.name,
    type: row.type,
    definition: row.definition,
    revisionId: row.revision,
    revisionCreateTime: timestampOf(row.created_ms),
  }));

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);
const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Reads a definition, or refuses it. */
async function compile(schema: Schema): Promise<Compiled> {
  const definition = schema.definition ?? "";
  if (definition === "") throw invalid("The schema has no definition.");
  if (Buffer.byteLength(definition) > definitionBytesMax) {
    throw invalid(`The schema's definition exceeds the limit of ${definitionBytesMax} bytes.`);
  }
  try {
    if (schema.type === "AVRO") return { type: "AVRO", avro: parseAvro(definition) };
    if (schema.type === "PROTOCOL_BUFFER") {
      return { type: "PROTOCOL_BUFFER", message: await parseProtocolBuffer(definition) };
    }
    throw new Error("its type must be AVRO or PROTOCOL_BUFFER");
  } catch (error) {
    throw invalid(`Invalid schema definition: ${reasonOf(error)}.`);
  }
}

/** Throws where a message does not fit. */
function checkData(compiled: Compiled, data: Buffer, encoding: Encoding): void {
  if (compiled.type === "PROTOCOL_BUFFER") {
    checkProtocolBuffer[encoding](compiled.message, data);
  } else if (encoding === "BINARY") checkAvroBinary(compiled.avro, data);
  else checkAvroJson(compiled.avro, JSON.parse(data.toString("utf8")));
}

/** Why one revision cannot follow another. */
function incompatibility(next: Compiled, last: Compiled): string | undefined {
  if (next.type === "AVRO" && last.type === "AVRO") {
    return unreadable(next.avro, last.avro) ?? unreadable(last.avro, next.avro);
  }
  if (next.type === "PROTOCOL_BUFFER" && last.type === "PROTOCOL_BUFFER") {
    return changedFields(next.message, last.message);
  }
  return "the schema's type cannot change";
}

const refusal = (
  what: string,
  type: Schema["type"],
  encoding: Encoding,
  revisionInfo: string,
): RpcError =>
  new RpcError("INVALID_ARGUMENT", `Invalid ${what}: Message failed schema validation.`, {
    details: [
      {
        "@type": typeUrl("google.rpc.ErrorInfo"),
        reason: `INVALID_${encoding}_${type === "AVRO" ? "AVRO" : "PROTO"}_MESSAGE`,
        domain: "pubsub.googleapis.com",
        metadata: { message: "Message failed schema validation", revisionInfo },
      },
    ],
  });

/** The schemas of one Pub/Sub. */
export type Schemas = ReturnType<typeof makeSchemas>;

/** Opens the schemas' table. */
export function makeSchemas(db: Database.Database, now: () => number) {
  db.exec(table);
  const columns = "name, revision, type, definition, created_ms";
  const sql = {
    all: db.prepare(`SELECT ${columns} FROM pubsub_schemas ORDER BY id`),
    add: db.prepare(`INSERT INTO pubsub_schemas (${columns}) VALUES (?, ?, ?, ?, ?)`),
    drop: db.prepare("DELETE FROM pubsub_schemas WHERE name = ?"),
    dropRevision: db.prepare("DELETE FROM pubsub_schemas WHERE name = ? AND revision = ?"),
    dropPolicy: db.prepare("DELETE FROM pubsub_policies WHERE resource = ?"),
  };
  /** By name, the oldest revision first. */
  const revisions = new Map<string, readonly Schema[]>();
  for (const row of sql.all.all()) {
    const schema = revisionRow.parse(row);
    revisions.set(schema.name, [...(revisions.get(schema.name) ?? []), schema]);
  }
  const compiled = new WeakMap<Schema, Promise<Compiled>>();
  const compiledOf = async (schema: Schema): Promise<Compiled> => {
    const made = compiled.get(schema) ?? compile(schema);
    compiled.set(schema, made);
    return made;
  };

  const revisionsOf = (name: string): readonly Schema[] => {
    const found = revisions.get(name);
    if (found === undefined) throw notFound(name);
    return found;
  };
  const find = (name: string, revision?: string): Schema => {
    const all = revisionsOf(name);
    const found =
      revision === undefined ? all.at(-1) : all.find((one) => one.revisionId === revision);
    if (found === undefined) throw notFound(`${name}@${revision ?? ""}`);
    return found;
  };

  const add = (name: string, given: Schema): Schema => {
    const createdMs = now();
    const schema: Schema = {
      name,
      type: given.type ?? "TYPE_UNSPECIFIED",
      definition: given.definition ?? "",
      revisionId: randomBytes(4).toString("hex"),
      revisionCreateTime: timestampOf(createdMs),
    };
    sql.add.run(name, schema.revisionId, schema.type, schema.definition, createdMs);
    revisions.set(name, [...(revisions.get(name) ?? []), schema]);
    return schema;
  };

  const refuseFull = (name: string): void => {
    if (revisionsOf(name).length >= revisionsMax) {
      throw new RpcError(
        "FAILED_PRECONDITION",
        `The schema ${name} has ${revisionsMax} revisions, which is the limit: delete one first.`,
      );
    }
  };

  /** The revisions that a topic accepts, the newest first. */
  const accepted = (settings: SchemaSettings): readonly Schema[] => {
    const all = revisionsOf(settings.schema ?? "");
    const at = (id: string | undefined, otherwise: number): number =>
      id === undefined || id === "" ? otherwise : all.findIndex((one) => one.revisionId === id);
    const first = at(settings.firstRevisionId, 0);
    const last = at(settings.lastRevisionId, all.length - 1);
    return first < 0 || last < 0 ? [] : all.slice(first, last + 1).toReversed();
  };

  return {
    find,
    revisionsOf,
    all: (): readonly Schema[] =>
      [...revisions.keys()].toSorted().flatMap((name) => revisions.get(name)?.at(-1) ?? []),
    compile,
    create: async (name: string, given: Schema): Promise<Schema> => {
      if (revisions.has(name)) throw alreadyExists(name);
      await compile(given);
      // Reading takes a moment, in which somebody else may have been faster.
      if (revisions.has(name)) throw alreadyExists(name);
      return add(name, given);
    },
    commit: async (name: string, given: Schema): Promise<Schema> => {
      refuseFull(name);
      const next = await compile(given);
      const reason = incompatibility(next, await compiledOf(find(name)));
      if (reason !== undefined) {
        throw invalid(`The revision does not follow the last one of ${name}: ${reason}.`);
      }
      refuseFull(name);
      return add(name, given);
    },
    rollback: (name: string, revision: string): Schema => {
      const former = find(name, revision);
      refuseFull(name);
      return add(name, former);
    },
    removeRevision: (name: string, revision: string): Schema => {
      find(name, revision);
      if (revisionsOf(name).length === 1) {
        throw new RpcError(
          "FAILED_PRECONDITION",
          `${name} has this one revision only: delete the schema instead.`,
        );
      }
      sql.dropRevision.run(name, revision);
      revisions.set(
        name,
        revisionsOf(name).filter((one) => one.revisionId !== revision),
      );
      return find(name);
    },
    remove: (name: string): void => {
      revisionsOf(name);
      sql.drop.run(name);
      sql.dropPolicy.run(name);
      revisions.delete(name);
    },
    /** Checks a topic's settings; the schema and the named revisions must be there. */
    checkSettings: (settings: SchemaSettings): void => {
      const name = settings.schema ?? "";
      find(name);
      if (!["JSON", "BINARY"].includes(settings.encoding ?? "")) {
        throw invalid("schema_settings.encoding must be JSON or BINARY.");
      }
      const { firstRevisionId: first = "", lastRevisionId: last = "" } = settings;
      for (const id of [first, last]) if (id !== "") find(name, id);
      if (accepted(settings).length === 0) {
        throw invalid(
          `schema_settings.first_revision_id ${first} is newer than last_revision_id ${last}.`,
        );
      }
    },
    /** Checks one message as ValidateMessage does. */
    checkMessage: async (schema: Schema, data: Buffer, encoding: Encoding): Promise<void> => {
      const known = await compiledOf(schema);
      try {
        checkData(known, data, encoding);
      } catch (error) {
        throw refusal("schema message", schema.type, encoding, reasonOf(error));
      }
    },
    /** Checks what is published, and says in its attributes which revision it fits. */
    checkPublished: async (
      settings: SchemaSettings,
      messages: readonly OutgoingMessage[],
    ): Promise<readonly OutgoingMessage[]> => {
      const { schema: name = "", encoding = "JSON" } = settings;
      if (name === deletedSchema) {
        throw invalid("The topic's schema was deleted: give the topic another one, or none.");
      }
      const known = await Promise.all(
        accepted(settings).map(async (schema) => ({ schema, compiled: await compiledOf(schema) })),
      );
      return messages.map((message) => {
        let why = "the topic's revisions were deleted";
        let last: Schema | undefined;
        for (const { schema, compiled: type } of known) {
          last = schema;
          try {
            checkData(type, message.data, encoding);
            return {
              ...message,
              attributes: {
                ...message.attributes,
                googclient_schemaencoding: encoding,
                googclient_schemaname: name,
                googclient_schemarevisionid: schema.revisionId ?? "",
              },
            };
          } catch (error) {
            why = reasonOf(error);
          }
        }
        throw refusal(
          "data in message",
          find(name).type,
          encoding,
          `Could not validate message with any schema revision for schema: ${name}, last checked revision: revision_id=${last?.revisionId ?? ""} failed with status: ${why}`,
        );
      });
    },
  };
}
