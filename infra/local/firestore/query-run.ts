/** Runs a query: candidates by the plan, matches by the query, in order, between the cursors, within the limit. */
import { documentReply } from "./documents.js";
import type { Collection } from "./collections.js";
import type { PastVersion } from "./history.js";
import { indexKey, overflowEntry } from "./index-entries.js";
import { pathKey } from "./names.js";
import {
  compareMatches,
  isAfterStart,
  isBeforeEnd,
  matchOf,
  type Match,
} from "./query-evaluate.js";
import type { Query } from "./query-model.js";
import { nearestRows } from "./nearest.js";
import { planOf, type Bounds, type Plan } from "./query-plan.js";
import type { DocumentStore, IndexPosition, Row } from "./store.js";

/** What a query found. */
export interface QueryResult {
  readonly rows: readonly Row[];
  readonly skipped: number;
}

const pageRowsMax = 256;
const pageRowsMin = 4;

/** A walk that may stop after a few rows begins with a small page. */
const firstPageRows = (query: Query): number =>
  Math.min(pageRowsMax, (query.limit ?? pageRowsMax) + query.offset + pageRowsMin);

/** The collections that a query looks into. */
const collectionsOf = (store: DocumentStore, query: Query): readonly Collection[] => {
  const { database, segments } = query.parent;
  if (query.allDescendants) return store.collections.below(database, segments, query.collectionId);
  if (query.collectionId === undefined) return store.collections.childrenOf(database, segments);
  const collection = store.collections.find(database, [...segments, query.collectionId]);
  return collection === undefined ? [] : [collection];
};

/** Whether a document lies where a query looks. */
export const isInScope = (query: Query, database: string, segments: readonly string[]): boolean => {
  const { parent, collectionId, allDescendants } = query;
  if (database !== parent.database || segments.length < parent.segments.length + 2) return false;
  if (!parent.segments.every((segment, index) => segments[index] === segment)) return false;
  if (!allDescendants && segments.length !== parent.segments.length + 2) return false;
  return collectionId === undefined || segments.at(-2) === collectionId;
};

/** Bounds on names, as keys of ids in one collection; a bound elsewhere bounds nothing. */
const idBounds = (collection: Collection, bounds: Bounds): Bounds => {
  const idOf = (key: string | undefined): string | undefined =>
    key?.startsWith(collection.key) === true ? key.slice(collection.key.length) : undefined;
  // A bound of a deeper document cuts to a key that begins with the id's, which still includes what it must.
  return {
    from: undefined,
    to: undefined,
    ...present("from", idOf(bounds.from)),
    ...present("to", idOf(bounds.to)),
  };
};

const present = (name: "from" | "to", key: string | undefined): Partial<Bounds> =>
  key === undefined || key === "" ? {} : { [name]: key };

/** All documents of a collection in pages. */
function* walkNames(
  store: DocumentStore,
  collection: Collection,
  plan: { readonly isDescending: boolean; readonly bounds: Bounds },
  firstRows: number,
): Generator<readonly Row[]> {
  let { from, to } = idBounds(collection, plan.bounds);
  let limit = firstRows;
  let last: string | undefined;
  for (;;) {
    const page = store.scan(collection, {
      from,
      to,
      isDescending: plan.isDescending,
      limit,
    });
    const fresh = page.filter(({ key }) => key !== last);
    for (const row of fresh) yield [row];
    if (page.length < limit) return;
    limit = pageRowsMax;
    last = page.at(-1)?.key;
    const id = last?.slice(collection.key.length);
    if (plan.isDescending) to = id;
    else from = id;
  }
}

/** The documents along an index, in blocks that share the (cut) key: only whole blocks can be put in order. */
function* walkIndex(
  store: DocumentStore,
  collection: Collection,
  plan: Extract<Plan, { kind: "along-index" }>,
  firstRows: number,
): Generator<readonly Row[]> {
  let limit = firstRows;
  const { field, isDescending, bounds } = plan;
  const from = bounds.from === undefined ? undefined : indexKey(bounds.from);
  const to = bounds.to === undefined ? undefined : indexKey(bounds.to);
  let after: IndexPosition | undefined;
  let block: Row[] = [];
  let blockValue: string | undefined;
  for (;;) {
    const page = store.scanIndex(collection, field, {
      from,
      to,
      isDescending,
      limit,
      after,
    });
    for (const row of page) {
      if (row.value !== blockValue && block.length > 0) {
        yield block;
        block = [];
      }
      blockValue = row.value;
      block.push(row);
    }
    const last = page.at(-1);
    if (page.length < limit || last === undefined) break;
    limit = pageRowsMax;
    after = { value: last.value, key: last.key };
  }
  if (block.length > 0) yield block;
}

const lookedUp = (
  store: DocumentStore,
  collections: readonly Collection[],
  { lookUp }: Extract<Plan, { kind: "look-up" }>,
): readonly Row[] => {
  const rows = new Map<string, Row>();
  for (const collection of collections) {
    const found = [
      ...lookUp.values.flatMap((value) => store.lookUp(collection, lookUp.field, value)),
      ...store.lookUp(collection, overflowEntry.field, overflowEntry.value),
    ];
    for (const row of found) rows.set(row.key, row);
  }
  return [...rows.values()];
};

const unbounded = { isDescending: false, bounds: { from: undefined, to: undefined } } as const;

/** Candidates in blocks: later blocks sort after earlier ones. */
function* candidates(
  store: DocumentStore,
  query: Query,
  collections: readonly Collection[],
): Generator<readonly Row[]> {
  const plan = planOf(store, query, collections);
  const [only] = collections;
  if (plan.kind === "look-up") yield lookedUp(store, collections, plan);
  else if (plan.kind === "by-name") {
    yield collections.flatMap((collection) =>
      plan.keys.flatMap((key) => store.getByKey(collection, key) ?? []),
    );
  } else if (plan.kind === "along-names" && only !== undefined)
    yield* walkNames(store, only, plan, firstPageRows(query));
  else if (plan.kind === "along-index" && only !== undefined)
    yield* walkIndex(store, only, plan, firstPageRows(query));
  else
    yield collections.flatMap((collection) =>
      [...walkNames(store, collection, unbounded, pageRowsMax)].flat(),
    );
}

const matched = (query: Query, rows: readonly Row[]): readonly Match[] => {
  const found: Match[] = [];
  for (const row of rows) {
    const match = matchOf(query, row);
    if (match !== undefined) found.push(match);
  }
  return found.length < 2 ? found : found.toSorted((a, b) => compareMatches(query, a, b));
};

const take = (query: Query, blocks: Iterable<readonly Row[]>): QueryResult => {
  const rows: Row[] = [];
  let skipped = 0;
  const limit = query.limit ?? Number.POSITIVE_INFINITY;
  if (limit === 0) return { rows, skipped };
  for (const block of blocks) {
    for (const match of matched(query, block)) {
      if (!isAfterStart(query, match)) continue;
      if (!isBeforeEnd(query, match)) return { rows, skipped };
      if (skipped < query.offset) skipped += 1;
      else rows.push(match.row);
      if (rows.length >= limit) return { rows, skipped };
    }
  }
  return { rows, skipped };
};

/** The documents at a past time: those that did not change since, and those that did as they were. */
function* pastCandidates(
  blocks: Iterable<readonly Row[]>,
  query: Query,
  past: ReadonlyMap<string, PastVersion>,
): Generator<readonly Row[]> {
  const rows: Row[] = [];
  for (const block of blocks)
    rows.push(...block.filter(({ document }) => !past.has(document.name)));
  for (const { target, document } of past.values()) {
    if (document === undefined || !isInScope(query, target.database, target.segments)) continue;
    rows.push({ key: pathKey(target.database, target.segments), document });
  }
  yield rows;
}

/** How a query would find its candidates. */
export const planFor = (store: DocumentStore, query: Query): Plan =>
  planOf(store, query, collectionsOf(store, query));

/** Runs a query now, or as of the past that is given. */
export const runQuery = (
  store: DocumentStore,
  query: Query,
  past?: ReadonlyMap<string, PastVersion>,
): QueryResult => {
  const found = candidates(store, query, collectionsOf(store, query));
  const isPast = past !== undefined && past.size > 0;
  const result = take(query, isPast ? pastCandidates(found, query, past) : found);
  if (query.nearest === undefined) return result;
  return { ...result, rows: nearestRows(query.nearest, result.rows) };
};

/** One result as a reply's document. */
export const resultDocument = (query: Query, row: Row): ReturnType<typeof documentReply> =>
  documentReply(row.document, query.projection);
