/** Queries, checked and completed: filters as a tree, every order that the server adds, cursors as keys. */
import { RpcError } from "../protocol/service.js";
import { readFieldPath, type FieldPath } from "./field-paths.js";
import { keyOfName, readParent, type Parent } from "./names.js";
import { nanKey, nullKey, valueKey } from "./order-key.js";
import { readNearest, type Nearest } from "./nearest.js";
import { readValue, type Value } from "./values.js";
import type { WireCursor, WireFilter, WireQuery, WireValue } from "./wire.js";

/** The path that means the document's name. */
export const namePath: FieldPath = ["__name__"];

/** Whether a path means the document's name. */
export const isNamePath = (path: FieldPath): boolean => path.length === 1 && path[0] === "__name__";

/** How a field is compared; operands are keys. */
export type Filter =
  | { readonly kind: "and" | "or"; readonly filters: readonly Filter[] }
  | {
      readonly kind:
        | "equal"
        | "not-equal"
        | "less"
        | "less-or-equal"
        | "greater"
        | "greater-or-equal"
        | "contains";
      readonly path: FieldPath;
      readonly key: string;
    }
  | {
      readonly kind: "in" | "not-in" | "contains-any";
      readonly path: FieldPath;
      readonly keys: readonly string[];
    };

/** One order of a query. */
export interface Order {
  readonly path: FieldPath;
  readonly isDescending: boolean;
}

/** A position in the results. */
export interface Cursor {
  readonly keys: readonly string[];
  readonly before: boolean;
}

/** A checked query. */
export interface Query {
  readonly parent: Parent;
  /** Undefined: every collection. */
  readonly collectionId: string | undefined;
  readonly allDescendants: boolean;
  readonly filter: Filter | undefined;
  /** Complete: ends with the name. */
  readonly orders: readonly Order[];
  readonly startAt: Cursor | undefined;
  readonly endAt: Cursor | undefined;
  readonly offset: number;
  readonly limit: number | undefined;
  readonly projection: readonly FieldPath[] | undefined;
  /** The vector search over the results. */
  readonly nearest: Nearest | undefined;
}

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);
const disjunctionsMax = 30;
const elementsMax = { in: 30, "contains-any": 30, "not-in": 10 } as const;

const comparisons = {
  LESS_THAN: "less",
  LESS_THAN_OR_EQUAL: "less-or-equal",
  GREATER_THAN: "greater",
  GREATER_THAN_OR_EQUAL: "greater-or-equal",
  EQUAL: "equal",
  NOT_EQUAL: "not-equal",
  ARRAY_CONTAINS: "contains",
} as const;
const lists = { IN: "in", NOT_IN: "not-in", ARRAY_CONTAINS_ANY: "contains-any" } as const;

const pathOf = (field: { readonly fieldPath?: string } | undefined): FieldPath => {
  const path = readFieldPath(field?.fieldPath ?? "");
  return path;
};

/** A name's value is a reference; its key is that of the name itself. */
const operandKey = (path: FieldPath, value: Value): string => {
  if (!isNamePath(path)) return valueKey(value);
  if (!("referenceValue" in value)) {
    throw invalid("__key__ filter value must be a Key");
  }
  return keyOfName(value.referenceValue);
};

const isComparison = (op: string): op is keyof typeof comparisons => op in comparisons;
const isList = (op: string): op is keyof typeof lists => op in lists;

const readFieldFilter = (wire: NonNullable<WireFilter["fieldFilter"]>): Filter => {
  const path = pathOf(wire.field);
  const op = wire.op ?? "OPERATOR_UNSPECIFIED";
  if (isComparison(op)) {
    const kind = comparisons[op];
    if (kind === "contains" && isNamePath(path)) {
      throw invalid("__name__ cannot be filtered by ARRAY_CONTAINS.");
    }
    return { kind, path, key: operandKey(path, readValue(wire.value ?? {})) };
  }
  if (!isList(op)) throw invalid(`The operator ${op} of a field filter is unknown.`);
  const kind = lists[op];
  if (wire.value?.arrayValue === undefined) throw invalid(`'${op}' requires an ArrayValue.`);
  const elements = wire.value.arrayValue.values ?? [];
  if (elements.length === 0) throw invalid(`'${op}' requires an non-empty ArrayValue.`);
  if (elements.length > elementsMax[kind]) {
    throw invalid(`'${op}' supports up to ${elementsMax[kind]} comparison values.`);
  }
  // The list is not itself a stored array, so that its elements may be arrays.
  const keys = elements.map((element) => operandKey(path, readValue(element)));
  // Nothing equals NaN, so that NaN in a list neither finds nor excludes anything; null excludes everything.
  if (kind === "not-in") return { kind, path, keys: keys.filter((key) => key !== nanKey) };
  return { kind, path, keys: keys.filter((key) => key !== nullKey && key !== nanKey) };
};

const readUnaryFilter = (wire: NonNullable<WireFilter["unaryFilter"]>): Filter => {
  const path = pathOf(wire.field);
  switch (wire.op) {
    case "IS_NULL":
      return { kind: "equal", path, key: nullKey };
    case "IS_NOT_NULL":
      return { kind: "not-equal", path, key: nullKey };
    case "IS_NAN":
      return { kind: "equal", path, key: nanKey };
    case "IS_NOT_NAN":
      return { kind: "not-equal", path, key: nanKey };
    case undefined:
    default:
      throw invalid(
        `The operator ${wire.op ?? "OPERATOR_UNSPECIFIED"} of a unary filter is unknown.`,
      );
  }
};

const readFilter = (wire: WireFilter): Filter => {
  if (wire.fieldFilter) return readFieldFilter(wire.fieldFilter);
  if (wire.unaryFilter) return readUnaryFilter(wire.unaryFilter);
  const composite = wire.compositeFilter;
  if (composite === undefined)
    throw invalid("A filter has no type: set compositeFilter, fieldFilter or unaryFilter.");
  const filters = (composite.filters ?? []).map(readFilter);
  if (filters.length === 0) throw invalid("A composite filter needs at least one filter.");
  if (composite.op === "AND") return { kind: "and", filters };
  if (composite.op === "OR") return { kind: "or", filters };
  throw invalid("A composite filter's operator must be AND or OR.");
};

const inequalities = new Set([
  "not-equal",
  "less",
  "less-or-equal",
  "greater",
  "greater-or-equal",
  "not-in",
]);

/** Every filter on a field, whatever composite it is in. */
export const leavesOf = (
  filter: Filter | undefined,
): readonly Exclude<Filter, { readonly filters: unknown }>[] => {
  if (filter === undefined) return [];
  return "filters" in filter ? filter.filters.flatMap(leavesOf) : [filter];
};

/** How many conjunctions a filter has once every OR, IN and ARRAY_CONTAINS_ANY is written out. */
const disjunctionsOf = (filter: Filter): number => {
  if (filter.kind === "and")
    return filter.filters.reduce((product, inner) => product * disjunctionsOf(inner), 1);
  if (filter.kind === "or")
    return filter.filters.reduce((sum, inner) => sum + disjunctionsOf(inner), 0);
  return filter.kind === "in" || filter.kind === "contains-any"
    ? Math.max(1, filter.keys.length)
    : 1;
};

/** The most ARRAY_CONTAINS in one conjunction. */
const containsOf = (filter: Filter): number => {
  if (filter.kind === "and")
    return filter.filters.reduce((sum, inner) => sum + containsOf(inner), 0);
  if (filter.kind === "or") return Math.max(...filter.filters.map(containsOf));
  return filter.kind === "contains" || filter.kind === "contains-any" ? 1 : 0;
};

const hasOr = (filter: Filter): boolean =>
  filter.kind === "or"
    ? filter.filters.length > 1
    : filter.kind === "and" && filter.filters.some(hasOr);

const checkFilters = (filter: Filter | undefined): void => {
  if (filter === undefined) return;
  const leaves = leavesOf(filter);
  const count = (kinds: readonly string[]): number =>
    leaves.filter(({ kind }) => kinds.includes(kind)).length;
  if (count(["not-equal", "not-in"]) > 1) {
    throw invalid(
      "Only a single 'NOT_EQUAL', 'NOT_IN', 'IS_NOT_NAN', or 'IS_NOT_NULL' filter allowed per query.",
    );
  }
  if (count(["not-in"]) > 0 && (count(["in", "contains-any"]) > 0 || hasOr(filter))) {
    throw invalid(
      "'NOT_IN' cannot be used in the same query with 'IN', 'ARRAY_CONTAINS_ANY' or 'OR'.",
    );
  }
  const disjunctions = disjunctionsOf(filter);
  if (disjunctions > disjunctionsMax) {
    throw invalid(
      `Too many disjunctions after normalization. Result had ${disjunctions} disjunctions which is more than the maximum of ${disjunctionsMax}`,
    );
  }
  if (containsOf(filter) > 1) {
    throw invalid("A maximum of 1 'ARRAY_CONTAINS' filter is allowed per disjunction.");
  }
};

const samePath = (a: FieldPath, b: FieldPath): boolean =>
  a.length === b.length && a.every((name, i) => name === b[i]);

const completeOrders = (orders: readonly Order[], filter: Filter | undefined): readonly Order[] => {
  const complete = [...orders];
  const isDescending = orders.at(-1)?.isDescending ?? false;
  const has = (path: FieldPath): boolean => complete.some((order) => samePath(order.path, path));
  if (!has(namePath)) {
    const fields = leavesOf(filter)
      .filter(({ kind, path }) => inequalities.has(kind) && !isNamePath(path))
      .map(({ path }) => path)
      .toSorted((a, b) => (a.join(".") < b.join(".") ? -1 : 1));
    for (const path of fields) if (!has(path)) complete.push({ path, isDescending });
    complete.push({ path: namePath, isDescending });
  }
  return complete;
};

const readOrder = (wire: NonNullable<WireQuery["orderBy"]>[number]): Order => ({
  path: pathOf(wire.field),
  isDescending: wire.direction === "DESCENDING",
});

const readCursor = (wire: WireCursor | undefined, orders: readonly Order[]): Cursor | undefined => {
  if (wire === undefined) return undefined;
  const values: readonly WireValue[] = wire.values ?? [];
  if (values.length > orders.length) throw invalid("Cursor has too many values.");
  const keys = values.map((value, index) =>
    operandKey(orders[index]?.path ?? [], readValue(value)),
  );
  return { keys, before: wire.before ?? false };
};

const readLimit = (wire: WireQuery["limit"]): number | undefined => {
  if (wire === undefined) return undefined;
  const limit = typeof wire === "number" ? wire : (wire.value ?? 0);
  if (limit < 0) throw invalid("limit is negative");
  return limit;
};

/** Checks a query and completes it as the server does. */
export const readQuery = (parent: string | undefined, wire: WireQuery): Query => {
  const selectors = wire.from ?? [];
  if (selectors.length > 1) throw invalid("A query can have at most one entry in `from`.");
  const filter = wire.where === undefined ? undefined : readFilter(wire.where);
  checkFilters(filter);
  const orders = completeOrders((wire.orderBy ?? []).map(readOrder), filter);
  const offset = wire.offset ?? 0;
  if (offset < 0) throw invalid("offset is negative");
  const collectionId = selectors[0]?.collectionId ?? "";
  return {
    parent: readParent(parent),
    collectionId: collectionId === "" ? undefined : collectionId,
    allDescendants: selectors[0]?.allDescendants ?? false,
    filter,
    orders,
    startAt: readCursor(wire.startAt, orders),
    endAt: readCursor(wire.endAt, orders),
    offset,
    limit: readLimit(wire.limit),
    projection: wire.select?.fields?.map(pathOf).filter((path) => !isNamePath(path)),
    nearest:
      wire.findNearest === undefined
        ? undefined
        : readNearest(wire.findNearest, ({ queryVector }) => readValue(queryVector ?? {}, 1)),
  };
};
