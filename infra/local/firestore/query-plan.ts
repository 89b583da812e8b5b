/** How a query finds its candidates: by one value of an index, along an index, or along the names. */
import { elementsOf, indexKey, overflowEntry, valuesOf } from "./index-entries.js";
import type { Collection } from "./collections.js";
import { isNamePath, type Filter, type Query } from "./query-model.js";
import type { DocumentStore } from "./store.js";

/** Values of one field's index that every result holds one of. */
export interface LookUp {
  readonly field: string;
  readonly values: readonly string[];
}

/** The part of an ordered index (or of the names) that holds every result; bounds are included. */
export interface Bounds {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** Where candidates come from; all of them are checked against the whole query afterwards. */
export type Plan =
  | { readonly kind: "look-up"; readonly lookUp: LookUp }
  | {
      readonly kind: "along-index";
      readonly field: string;
      readonly isDescending: boolean;
      readonly bounds: Bounds;
    }
  | { readonly kind: "along-names"; readonly isDescending: boolean; readonly bounds: Bounds }
  | { readonly kind: "by-name"; readonly keys: readonly string[] }
  | { readonly kind: "everything" };

/** Above this many candidates an ordered walk that stops early may be cheaper. */
const selectiveMax = 1_000;
const collectionsCountedMax = 100;

const conjuncts = (filter: Filter | undefined): readonly Filter[] => {
  if (filter === undefined) return [];
  return filter.kind === "and" ? filter.filters.flatMap(conjuncts) : [filter];
};

const lookUpOf = (filter: Filter): readonly LookUp[] => {
  switch (filter.kind) {
    case "equal":
      return isNamePath(filter.path)
        ? []
        : [{ field: valuesOf(filter.path), values: [indexKey(filter.key)] }];
    case "in":
      return isNamePath(filter.path)
        ? []
        : [{ field: valuesOf(filter.path), values: cut(filter.keys) }];
    case "contains":
      return [{ field: elementsOf(filter.path), values: [indexKey(filter.key)] }];
    case "contains-any":
      return [{ field: elementsOf(filter.path), values: cut(filter.keys) }];
    case "or":
      return sameFieldOf(filter.filters);
    case "and":
    case "not-equal":
    case "not-in":
    case "less":
    case "less-or-equal":
    case "greater":
    case "greater-or-equal":
      return [];
  }
};

const cut = (keys: readonly string[]): readonly string[] => [...new Set(keys.map(indexKey))];

/** An OR of equalities on one field is a look-up of several values. */
const sameFieldOf = (filters: readonly Filter[]): readonly LookUp[] => {
  const lookUps = filters.map((filter) => lookUpOf(filter)[0]);
  const field = lookUps[0]?.field;
  if (field === undefined || lookUps.some((lookUp) => lookUp?.field !== field)) return [];
  return [{ field, values: [...new Set(lookUps.flatMap((lookUp) => lookUp?.values ?? []))] }];
};

const sizeOf = (
  store: DocumentStore,
  collections: readonly Collection[],
  { field, values }: LookUp,
): number => {
  let size = 0;
  for (const collection of collections) {
    for (const value of values) size += store.count(collection, field, value, selectiveMax);
    if (size >= selectiveMax) return size;
  }
  return size;
};

/** Filters and cursors on the first order bound the walk. */
const boundsOf = (query: Query): Bounds => {
  const [order] = query.orders;
  if (order === undefined) return { from: undefined, to: undefined };
  let from: string | undefined;
  let to: string | undefined;
  const raise = (key: string | undefined): void => {
    if (key !== undefined && (from === undefined || key > from)) from = key;
  };
  const lower = (key: string | undefined): void => {
    if (key !== undefined && (to === undefined || key < to)) to = key;
  };
  const field = order.path.join("\n");
  for (const filter of conjuncts(query.filter)) {
    if (!("key" in filter) || filter.path.join("\n") !== field) continue;
    // A comparison matches values of its own type only; a type is the first byte of a value's key.
    const type = isNamePath(filter.path) ? undefined : filter.key.charCodeAt(0);
    if (filter.kind === "greater" || filter.kind === "greater-or-equal") {
      raise(filter.key);
      if (type !== undefined) lower(String.fromCharCode(type + 1));
    }
    if (filter.kind === "less" || filter.kind === "less-or-equal") {
      lower(filter.key);
      if (type !== undefined) raise(String.fromCharCode(type));
    }
    if (filter.kind === "equal") {
      raise(filter.key);
      lower(filter.key);
    }
  }
  const [start, end] = order.isDescending
    ? [query.endAt, query.startAt]
    : [query.startAt, query.endAt];
  raise(start?.keys[0]);
  lower(end?.keys[0]);
  return { from, to };
};

/** The names that a query asks for outright. */
const namesOf = (filter: Filter): readonly string[] | undefined => {
  if (filter.kind === "equal" && isNamePath(filter.path)) return [filter.key];
  if (filter.kind === "in" && isNamePath(filter.path)) return [...new Set(filter.keys)];
  return undefined;
};

const orderedPlan = (store: DocumentStore, query: Query, collection: Collection): Plan => {
  const [order] = query.orders;
  if (order === undefined) return { kind: "everything" };
  const { isDescending } = order;
  const bounds = boundsOf(query);
  if (isNamePath(order.path)) return { kind: "along-names", isDescending, bounds };
  // A document with too many fields is not in the index of its fields, so a walk along it would miss it.
  const { field, value } = overflowEntry;
  if (store.count(collection, field, value, 1) > 0) return { kind: "everything" };
  const ordered = valuesOf(order.path);
  return store.isIndexed(collection, ordered)
    ? { kind: "along-index", field: ordered, isDescending, bounds }
    : { kind: "everything" };
};

/** Chooses how to find a query's candidates. */
export const planOf = (
  store: DocumentStore,
  query: Query,
  collections: readonly Collection[],
): Plan => {
  const names = conjuncts(query.filter)
    .map(namesOf)
    .find((keys) => keys !== undefined);
  if (names !== undefined) return { kind: "by-name", keys: names };
  const lookUps = conjuncts(query.filter).flatMap(lookUpOf);
  const counted = (
    collections.length > collectionsCountedMax ? lookUps.slice(0, 1) : lookUps
  ).filter(({ field }) => collections.every((one) => store.isIndexed(one, field)));
  const sized = counted.map((lookUp) => ({
    lookUp,
    size: collections.length > collectionsCountedMax ? 0 : sizeOf(store, collections, lookUp),
  }));
  const best = sized.toSorted((a, b) => a.size - b.size)[0];
  const lookUp: Plan | undefined = best && { kind: "look-up", lookUp: best.lookUp };
  if (lookUp !== undefined && (best?.size ?? 0) < selectiveMax) return lookUp;
  const [only] = collections;
  const ordered =
    only !== undefined && collections.length === 1 ? orderedPlan(store, query, only) : undefined;
  return ordered ?? lookUp ?? { kind: "everything" };
};
