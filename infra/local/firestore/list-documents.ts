/** The handler that lists a collection page by page, with documents that are missing but have something below them. */
import { RpcError, type ServiceImplementation } from "../protocol/service.js";
import { documentReply, type DocumentReply } from "./documents.js";
import type { Engine } from "./engine.js";
import { nameOf, pathKey, type Parent } from "./names.js";
import { compareKeys } from "./order-key.js";
import { holdForRead, openView, pastOf } from "./read-view.js";
import { isNamePath, readQuery, type Query } from "./query-model.js";
import { matchOf } from "./query-evaluate.js";
import { runQuery } from "./query-run.js";
import type { Row } from "./store.js";
import type { WireConsistency, WireMask, WireQuery } from "./wire.js";
import { readMask } from "./writes.js";

interface ListRequest extends WireConsistency {
  readonly parent?: string;
  readonly collectionId?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly orderBy?: string;
  readonly mask?: WireMask;
  readonly showMissing?: boolean;
}

/** A missing document has a name and nothing else. */
type Listed = DocumentReply | { readonly name: string };

interface ListReply {
  readonly documents: readonly Listed[];
  readonly nextPageToken?: string;
}

const pageSizeDefault = 100;
const pageSizeMax = 65_535;

const readOrderBy = (text: string | undefined): NonNullable<WireQuery["orderBy"]> =>
  (text ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const [fieldPath = "", direction = "asc"] = part.split(/\s+/);
      return {
        field: { fieldPath },
        direction: direction.toLowerCase() === "desc" ? "DESCENDING" : "ASCENDING",
      };
    });

/** A page token is the last document's sort keys. */
const writeToken = (keys: readonly string[]): string =>
  Buffer.from(JSON.stringify(keys), "utf8").toString("base64url");

const readToken = (token: string): readonly string[] => {
  try {
    const keys: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (Array.isArray(keys)) return keys.map(String);
  } catch {
    // Falls through: whatever is not a token of ours is refused in one way.
  }
  throw new RpcError("INVALID_ARGUMENT", "Invalid page token.");
};

/** The documents that do not exist although collections below them hold documents. */
const missingRows = (
  engine: Engine,
  query: Query,
  { database, segments }: Parent,
): readonly string[] => {
  const ids = new Set<string>();
  for (const collection of engine.store.collections.below(database, segments, undefined)) {
    const [collectionId, id] = collection.segments.slice(segments.length);
    if (
      id === undefined ||
      (query.collectionId !== undefined && collectionId !== query.collectionId)
    )
      continue;
    const path = `${collectionId ?? ""}/${id}`;
    if (!ids.has(path) && !engine.store.isEmpty(collection)) ids.add(path);
  }
  return [...ids].map((path) => nameOf(database, [...segments, ...path.split("/")]));
};

interface Entry {
  readonly key: string;
  readonly listed: Listed;
}

const withMissing = (
  engine: Engine,
  query: Query,
  rows: readonly Row[],
  listed: (row: Row) => Listed,
): readonly Entry[] => {
  const present = new Set(rows.map(({ key }) => key));
  const missing = missingRows(engine, query, query.parent).flatMap((name) => {
    const key = pathKey(query.parent.database, name.split("/").slice(5));
    const isPast = query.startAt !== undefined && key <= (query.startAt.keys[0] ?? "");
    return present.has(key) || isPast ? [] : [{ key, listed: { name } }];
  });
  const entries = [...rows.map((row) => ({ key: row.key, listed: listed(row) })), ...missing];
  return entries.toSorted((a, b) => compareKeys(a.key, b.key));
};

const listDocuments =
  (engine: Engine) =>
  async (request: ListRequest): Promise<ListReply> => {
    const wire = {
      from: [{ collectionId: request.collectionId ?? "" }],
      orderBy: readOrderBy(request.orderBy),
    };
    const token = request.pageToken ?? "";
    const size = Math.min(
      request.pageSize === undefined || request.pageSize === 0 ? pageSizeDefault : request.pageSize,
      pageSizeMax,
    );
    if (size < 0) throw new RpcError("INVALID_ARGUMENT", "page_size is negative.");
    const query: Query = {
      ...readQuery(request.parent, wire),
      startAt: token === "" ? undefined : { keys: readToken(token), before: false },
    };
    if (request.showMissing === true && !query.orders.every(({ path }) => isNamePath(path))) {
      throw new RpcError("INVALID_ARGUMENT", "show_missing cannot be used together with order_by.");
    }
    const mask = readMask(request.mask);
    const listed = ({ document }: Row): Listed => documentReply(document, mask);
    const view = openView(engine, request, query.parent.database);
    const { rows } = runQuery(engine.store, { ...query, limit: size + 1 }, pastOf(engine, view));
    await holdForRead(
      engine,
      view,
      rows.map(({ document }) => document.name),
    );
    if (request.showMissing === true) {
      const entries = withMissing(engine, query, rows, listed);
      const page = entries.slice(0, size);
      const last = page.at(-1);
      const documents = page.map((entry) => entry.listed);
      return last === undefined || page.length === entries.length
        ? { documents }
        : { documents, nextPageToken: writeToken([last.key]) };
    }
    const page = rows.slice(0, size);
    const last = page.at(-1);
    const documents = page.map(listed);
    if (last === undefined || page.length === rows.length) return { documents };
    return { documents, nextPageToken: writeToken(matchOf(query, last)?.keys ?? []) };
  };

/** The handlers of this file. */
export const documentLists = (engine: Engine): Omit<ServiceImplementation, "service"> => ({
  unary: { ListDocuments: listDocuments(engine) },
});
