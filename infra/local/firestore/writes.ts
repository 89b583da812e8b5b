/** Writes: what a commit asks for, checked, and what it makes of the documents. Pure. */
import { RpcError } from "../protocol/service.js";
import type { StoredDocument } from "./documents.js";
import {
  readFieldPath,
  valueAt,
  withValueAt,
  withoutValueAt,
  type FieldPath,
} from "./field-paths.js";
import { readDocumentName, type DocumentName } from "./names.js";
import { applyTransforms, readTransform, type Transform } from "./transforms.js";
import {
  isSameFields,
  limits,
  microsOf,
  readFields,
  sizeOfDocument,
  timestampOf,
  type Fields,
  type Timestamp,
  type Value,
} from "./values.js";
import type { WireMask, WirePrecondition, WireWrite } from "./wire.js";

/** What must hold of the document before the write. */
export type Precondition =
  | { readonly kind: "none" }
  | { readonly kind: "exists"; readonly exists: boolean }
  | { readonly kind: "update-time"; readonly micros: number };

/** A checked write. */
export type Write = { readonly target: DocumentName; readonly precondition: Precondition } & (
  | {
      readonly kind: "update";
      readonly fields: Fields;
      readonly mask: readonly FieldPath[] | undefined;
      readonly transforms: readonly Transform[];
    }
  | { readonly kind: "delete" }
  | { readonly kind: "verify" }
);

/** What a write answers. */
export interface WriteResult {
  readonly updateTime?: Timestamp;
  readonly transformResults?: readonly Value[];
}

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

/** Checks a precondition. */
export const readPrecondition = (wire: WirePrecondition | undefined): Precondition => {
  if (wire?.updateTime !== undefined)
    return { kind: "update-time", micros: microsOf(wire.updateTime) };
  if (wire?.exists !== undefined) return { kind: "exists", exists: wire.exists };
  return { kind: "none" };
};

/** Checks a mask; reserved names cannot be written. */
export const readMask = (wire: WireMask | undefined): readonly FieldPath[] | undefined =>
  wire === undefined ? undefined : (wire.fieldPaths ?? []).map(readFieldPath);

/** Checks a write and that its document lies in the database of the request. */
export const readWrite = (wire: WireWrite, database: string): Write => {
  const precondition = readPrecondition(wire.currentDocument);
  const transforms = (wire.updateTransforms ?? wire.transform?.fieldTransforms ?? []).map(
    readTransform,
  );
  if (wire.update !== undefined) {
    return {
      kind: "update",
      target: readDocumentName(wire.update.name, database),
      precondition,
      fields: readFields(wire.update.fields ?? {}),
      mask: readMask(wire.updateMask),
      transforms,
    };
  }
  if (wire.delete !== undefined) {
    return { kind: "delete", target: readDocumentName(wire.delete, database), precondition };
  }
  if (wire.verify !== undefined) {
    return { kind: "verify", target: readDocumentName(wire.verify, database), precondition };
  }
  if (wire.transform !== undefined) {
    const target = readDocumentName(wire.transform.document, database);
    // A transform alone leaves every field that it does not name, which is an update with an empty mask.
    return { kind: "update", target, precondition, fields: {}, mask: [], transforms };
  }
  throw invalid("empty write operation: set update, delete or transform.");
};

const checkPrecondition = (write: Write, current: StoredDocument | undefined): void => {
  const { precondition, target } = write;
  switch (precondition.kind) {
    case "none":
      return;
    case "exists":
      if (precondition.exists && current === undefined) {
        throw new RpcError("NOT_FOUND", `No document to update: ${target.name}`);
      }
      if (!precondition.exists && current !== undefined) {
        throw new RpcError("ALREADY_EXISTS", `Document already exists: ${target.name}`);
      }
      return;
    case "update-time":
      if (current?.updatedMicros !== precondition.micros) {
        throw new RpcError(
          "FAILED_PRECONDITION",
          `the stored version (${current?.updatedMicros ?? 0}) does not match the required base version (${precondition.micros})`,
        );
      }
  }
};

const merged = (
  current: Fields,
  fields: Fields,
  mask: readonly FieldPath[] | undefined,
): Fields => {
  if (mask === undefined) return fields;
  let result = current;
  for (const path of mask) {
    const value = valueAt(fields, path);
    result = value === undefined ? withoutValueAt(result, path) : withValueAt(result, path, value);
  }
  return result;
};

const checkSize = (name: string, fields: Fields): void => {
  const size = sizeOfDocument(name, fields);
  if (size > limits.documentBytesMax) {
    throw invalid(
      `Document '${name}' cannot be written because its size (${size.toLocaleString("en-US")} bytes) exceeds the maximum allowed size of ${limits.documentBytesMax.toLocaleString("en-US")} bytes.`,
    );
  }
};

/** The time of a commit, and the documents as it finds them. */
export interface CommitView {
  readonly commitMicros: number;
  readonly read: (target: DocumentName) => StoredDocument | undefined;
}

/** A document that a commit changed: what it was and what it is; undefined where there is none. */
export interface Change {
  readonly target: DocumentName;
  readonly before: StoredDocument | undefined;
  readonly after: StoredDocument | undefined;
}

/** What a commit does to the documents and answers for each write. */
export interface CommitOutcome {
  readonly changes: readonly Change[];
  readonly results: readonly WriteResult[];
}

const updated = (
  write: Extract<Write, { kind: "update" }>,
  current: StoredDocument | undefined,
  commitMicros: number,
): { readonly document: StoredDocument; readonly result: WriteResult } => {
  // A request time has the precision of milliseconds, a commit time that of microseconds.
  const requestTime = timestampOf(commitMicros - (commitMicros % 1000));
  const base = merged(current?.fields ?? {}, write.fields, write.mask);
  const { fields, results } = applyTransforms(base, write.transforms, requestTime);
  checkSize(write.target.name, fields);
  const isUnchanged = current !== undefined && isSameFields(current.fields, fields);
  const document = isUnchanged
    ? current
    : {
        name: write.target.name,
        fields,
        createdMicros: current?.createdMicros ?? commitMicros,
        updatedMicros: commitMicros,
      };
  const updateTime = timestampOf(document.updatedMicros);
  return {
    document,
    result:
      write.transforms.length === 0 ? { updateTime } : { updateTime, transformResults: results },
  };
};

/** Applies writes in order; throws what the service answers when one cannot be. */
export const applyWrites = (writes: readonly Write[], view: CommitView): CommitOutcome => {
  const changes = new Map<string, Change>();
  const results: WriteResult[] = [];
  for (const write of writes) {
    const seen = changes.get(write.target.name);
    const before = seen === undefined ? view.read(write.target) : seen.before;
    const current = seen === undefined ? before : seen.after;
    checkPrecondition(write, current);
    if (write.kind === "verify") {
      results.push(current === undefined ? {} : { updateTime: timestampOf(current.updatedMicros) });
    } else if (write.kind === "delete") {
      changes.set(write.target.name, { target: write.target, before, after: undefined });
      results.push({});
    } else {
      const { document, result } = updated(write, current, view.commitMicros);
      changes.set(write.target.name, { target: write.target, before, after: document });
      results.push(result);
    }
  }
  const changed = [...changes.values()].filter(({ before, after }) => before !== after);
  return { changes: changed, results };
};
