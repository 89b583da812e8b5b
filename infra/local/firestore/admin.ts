/** google.firestore.admin.v1.FirestoreAdmin as far as fields go: reading them, and turning their time to live on and off. */
import { randomUUID } from "node:crypto";
import type Database from "libsql";
import { page } from "../protocol/masks.js";
import { RpcError, typeUrl, type ServiceImplementation } from "../protocol/service.js";
import { readExpiryField, type ExpiryField, type ExpiryPolicies } from "./expiry.js";
import { readFieldPath } from "./field-paths.js";
import { timestampOf } from "./values.js";

interface Named {
  readonly name?: string;
}

/** google.firestore.admin.v1.Field. */
interface WireField extends Named {
  readonly indexConfig?: object;
  readonly ttlConfig?: { readonly state?: string };
}

interface UpdateFieldRequest {
  readonly field?: WireField;
  readonly updateMask?: { readonly paths?: readonly string[] };
}

interface ListFieldsRequest {
  readonly parent?: string;
  readonly filter?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** google.longrunning.Operation. */
interface Operation {
  readonly name: string;
  readonly metadata: object;
  readonly done: true;
  readonly response: object;
}

interface OperationRow {
  readonly json: string;
}

const adminPackage = "google.firestore.admin.v1";
const unbuilt = (what: string): RpcError =>
  new RpcError("UNIMPLEMENTED", `The local cloud does not implement ${what}.`);

const fieldReply = (policies: ExpiryPolicies, field: ExpiryField): WireField => ({
  name: field.name,
  indexConfig: {
    usesAncestorConfig: true,
    ancestorField: `${field.database}/collectionGroups/__default__/fields/*`,
  },
  ...(policies.all().some(({ name }) => name === field.name)
    ? { ttlConfig: { state: "ACTIVE" } }
    : {}),
});

const parse = (row: unknown): object => JSON.parse((row as OperationRow).json) as object;

/** A finished operation; those of fields are over before they are answered. */
const openOperations = (db: Database.Database) => {
  db.exec(
    "CREATE TABLE IF NOT EXISTS firestore_operations (name TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID",
  );
  const insert = db.prepare("INSERT INTO firestore_operations VALUES (?, ?)");
  const select = db.prepare("SELECT json FROM firestore_operations WHERE name = ?");
  const below = db.prepare(
    "SELECT json FROM firestore_operations WHERE name >= ? AND name < ? ORDER BY name",
  );
  const remove = db.prepare("DELETE FROM firestore_operations WHERE name = ?");
  const get = (name: string): object => {
    const row = select.get(name);
    if (row === undefined) {
      throw new RpcError("NOT_FOUND", `The operation "${name}" does not exist.`);
    }
    return parse(row);
  };
  return {
    get,
    add: (operation: Operation): object => {
      insert.run(operation.name, JSON.stringify(operation));
      return operation;
    },
    list: (database: string): readonly object[] =>
      // The character after "/" ends what begins with it.
      below.all(`${database}/operations/`, `${database}/operations0`).map(parse),
    remove: (name: string): void => {
      get(name);
      remove.run(name);
    },
  };
};

/** Which of a field's configurations a request changes. */
const changesExpiry = ({ field, updateMask }: UpdateFieldRequest): boolean => {
  const paths = updateMask?.paths ?? [];
  const isNamed = (path: string): boolean => paths.length === 0 || paths.includes(path);
  const unknown = paths.find((path) => path !== "ttl_config" && path !== "index_config");
  if (unknown !== undefined) {
    throw new RpcError("INVALID_ARGUMENT", `Invalid update_mask: "${unknown}" cannot be changed.`);
  }
  if (paths.includes("index_config") || (isNamed("index_config") && field?.indexConfig)) {
    throw unbuilt("index configurations: every field has every index");
  }
  return isNamed("ttl_config");
};

const onlyOne = (policies: ExpiryPolicies, field: ExpiryField): void => {
  const other = policies
    .all()
    .find(
      ({ name, database, collectionId }) =>
        name !== field.name && database === field.database && collectionId === field.collectionId,
    );
  if (other !== undefined) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      `Only one field of a collection group can have a TTL policy, and ${other.name} has one: disable it first.`,
    );
  }
};

/** The services of this file. */
export const fieldAdmin = (parts: {
  readonly db: Database.Database;
  readonly policies: ExpiryPolicies;
  readonly nowMicros: () => number;
}): readonly ServiceImplementation[] => {
  const { policies } = parts;
  const operations = openOperations(parts.db);

  const updateField = (request: UpdateFieldRequest): object => {
    const field = readExpiryField(request.field?.name);
    readFieldPath(field.path);
    const isEnabled = request.field?.ttlConfig !== undefined;
    if (changesExpiry(request)) {
      if (isEnabled) {
        onlyOne(policies, field);
        policies.enable(field);
      } else policies.disable(field);
    }
    const time = timestampOf(parts.nowMicros());
    return operations.add({
      name: `${field.database}/operations/${randomUUID()}`,
      metadata: {
        "@type": typeUrl(`${adminPackage}.FieldOperationMetadata`),
        startTime: time,
        endTime: time,
        field: field.name,
        state: "SUCCESSFUL",
        ttlConfigDelta: { changeType: isEnabled ? "ADD" : "REMOVE" },
      },
      done: true,
      response: { "@type": typeUrl(`${adminPackage}.Field`), ...fieldReply(policies, field) },
    });
  };

  const listFields = (request: ListFieldsRequest): object => {
    const { database, collectionId } = readExpiryField(`${request.parent ?? ""}/fields/*`);
    const filter = request.filter ?? "";
    if (!/ttlConfig\s*:\s*\*|indexConfig\.usesAncestorConfig\s*[:=]\s*false/.test(filter)) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        "Only fields that were set explicitly are listed: filter by indexConfig.usesAncestorConfig:false or ttlConfig:*.",
      );
    }
    // No field has an index configuration of its own here.
    const found = policies
      .all()
      .filter(
        (field) =>
          filter.includes("ttlConfig") &&
          field.database === database &&
          (collectionId === "-" || field.collectionId === collectionId),
      );
    const { items, nextPageToken } = page(found, ({ name }) => name, request);
    return { fields: items.map((field) => fieldReply(policies, field)), nextPageToken };
  };

  return [
    {
      service: `${adminPackage}.FirestoreAdmin`,
      types: [`${adminPackage}.FieldOperationMetadata`],
      unary: {
        GetField: ({ name }: Named) => fieldReply(policies, readExpiryField(name)),
        UpdateField: updateField,
        ListFields: listFields,
      },
    },
    {
      service: "google.longrunning.Operations",
      owns: ({ name }) => /^projects\/[^/]+\/databases\//.test(String(name)),
      unary: {
        GetOperation: ({ name }: Named) => operations.get(name ?? ""),
        WaitOperation: ({ name }: Named) => operations.get(name ?? ""),
        ListOperations: ({ name }: Named) => ({ operations: operations.list(name ?? "") }),
        DeleteOperation: ({ name }: Named) => {
          operations.remove(name ?? "");
          return {};
        },
        // What is over cannot be cancelled, which is not an error.
        CancelOperation: ({ name }: Named) => {
          operations.get(name ?? "");
          return {};
        },
      },
    },
  ];
};
