/** Resource names: databases, documents, collections, and the keys that sort documents by name. */
import { RpcError } from "../protocol/service.js";
import { segmentKey, textKey } from "./order-key.js";

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);
const segmentBytesMax = 1_500;

/** A document's name, taken apart. */
export interface DocumentName {
  readonly name: string;
  readonly database: string;
  /** Collection and document ids in turn; an even number of them. */
  readonly segments: readonly string[];
}

/** Checks `projects/P/databases/D`. */
export const readDatabase = (name: string | undefined): string => {
  if (name === undefined || !/^projects\/[^/]+\/databases\/[^/]+$/.test(name)) {
    throw invalid(
      `Invalid database name "${name ?? ""}": use projects/PROJECT/databases/DATABASE.`,
    );
  }
  return name;
};

const checkSegment = (segment: string, name: string): void => {
  if (segment === "") throw invalid(`Document name "${name}" has an empty segment.`);
  if (segment === "." || segment === "..") {
    throw invalid(`Resource id "${segment}" is invalid because it is "." or "..".`);
  }
  if (/^__.*__$/s.test(segment) && !/^__id-?\d+__$/.test(segment)) {
    throw invalid(`Resource id "${segment}" is invalid because it is reserved.`);
  }
  if (segment.length > segmentBytesMax) {
    throw invalid(
      `Resource id of ${segment.length} characters is longer than ${segmentBytesMax} bytes.`,
    );
  }
};

const split = (
  name: string,
): { readonly database: string; readonly segments: readonly string[] } => {
  const parts = name.split("/");
  if (parts[0] !== "projects")
    throw invalid(`Document name "${name}" lacks "projects" at index 0.`);
  if (parts[2] !== "databases")
    throw invalid(`Document name "${name}" lacks "databases" at index 2.`);
  if (parts[4] !== "documents")
    throw invalid(`Document name "${name}" lacks "documents" at index 4.`);
  const segments = parts.slice(5);
  for (const segment of segments) checkSegment(segment, name);
  return { database: `projects/${parts[1] ?? ""}/databases/${parts[3] ?? ""}`, segments };
};

/** Checks a document's name; with a database, that the document lies in it. */
export const readDocumentName = (name: string | undefined, database?: string): DocumentName => {
  const parsed = split(name ?? "");
  if (parsed.segments.length === 0 || parsed.segments.length % 2 === 1) {
    throw invalid(
      `Document name "${name ?? ""}" has an odd number of segments after "documents": a collection.`,
    );
  }
  if (database !== undefined && parsed.database !== database) {
    throw invalid(
      `Document name "${name ?? ""}" is not in the database "${database}" of this request.`,
    );
  }
  return { name: name ?? "", ...parsed };
};

/** A place that collections hang from: the root of a database or a document. */
export interface Parent {
  readonly database: string;
  readonly segments: readonly string[];
}

/** Checks the parent of a query or a listing. */
export const readParent = (name: string | undefined): Parent => {
  const parsed = split(name ?? "");
  if (parsed.segments.length % 2 === 1) {
    throw invalid(
      `Parent "${name ?? ""}" is a collection; use the root of the documents or a document.`,
    );
  }
  return parsed;
};

/** The full name of a document. */
export const nameOf = (database: string, segments: readonly string[]): string =>
  `${database}/documents/${segments.join("/")}`;

/** The key under which a path sorts in Firestore's order of names; a path's key begins with its parents' keys. */
export const pathKey = (database: string, segments: readonly string[]): string => {
  let key = textKey(database);
  for (const segment of segments) key += segmentKey(segment);
  return key;
};

/** The key of a full document name; for reference values and cursors. */
export const keyOfName = (name: string): string => {
  const parts = name.split("/");
  return pathKey(parts.slice(0, 4).join("/"), parts.slice(5));
};

/** A key greater than every key that begins with this one. */
export const afterPrefix = (key: string): string => `${key}\xff`;
