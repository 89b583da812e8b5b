/** What a query says about one document: whether it matches and where it sorts. Pure. */
import type { FieldPath } from "./field-paths.js";
import { valueAt } from "./field-paths.js";
import { compareKeys, isSameType, nanKey, nullKey, valueKey } from "./order-key.js";
import { isNamePath, type Cursor, type Filter, type Order, type Query } from "./query-model.js";
import type { Row } from "./store.js";

/** A matching document with the keys it sorts by. */
export interface Match {
  readonly row: Row;
  readonly keys: readonly string[];
}

/** The key of a row's field (or name); undefined where the field is absent. */
const keyAt = (row: Row, path: FieldPath): string | undefined => {
  if (isNamePath(path)) return row.key;
  const value = valueAt(row.document.fields, path);
  return value === undefined ? undefined : valueKey(value);
};

const elementKeys = (row: Row, path: FieldPath): readonly string[] => {
  const value = valueAt(row.document.fields, path);
  return value !== undefined && "arrayValue" in value ? value.arrayValue.values.map(valueKey) : [];
};

/** Names have no type byte and are all of one type; NaN is neither less nor greater than a number. */
const comparable = (path: FieldPath, a: string, b: string): boolean =>
  isNamePath(path) || (isSameType(a, b) && (a === nanKey) === (b === nanKey));

/** Whether a row passes a filter. */
export const matches = (filter: Filter, row: Row): boolean => {
  switch (filter.kind) {
    case "and":
      return filter.filters.every((inner) => matches(inner, row));
    case "or":
      return filter.filters.some((inner) => matches(inner, row));
    case "contains":
      return elementKeys(row, filter.path).includes(filter.key);
    case "contains-any":
      return elementKeys(row, filter.path).some((key) => filter.keys.includes(key));
    case "equal":
      return keyAt(row, filter.path) === filter.key;
    case "in": {
      const key = keyAt(row, filter.path);
      return key !== undefined && filter.keys.includes(key);
    }
    case "not-equal": {
      const key = keyAt(row, filter.path);
      return key !== undefined && key !== nullKey && key !== filter.key;
    }
    case "not-in": {
      const key = keyAt(row, filter.path);
      return (
        key !== undefined &&
        key !== nullKey &&
        !filter.keys.includes(key) &&
        !filter.keys.includes(nullKey)
      );
    }
    case "less":
    case "less-or-equal":
    case "greater":
    case "greater-or-equal": {
      const key = keyAt(row, filter.path);
      if (key === undefined || !comparable(filter.path, key, filter.key)) return false;
      const order = compareKeys(key, filter.key);
      if (order === 0) return filter.kind === "less-or-equal" || filter.kind === "greater-or-equal";
      return order < 0 === (filter.kind === "less" || filter.kind === "less-or-equal");
    }
  }
};

/** The row with its sort keys when it belongs to the query's results; every field of the order must be there. */
export const matchOf = (query: Query, row: Row): Match | undefined => {
  if (query.filter !== undefined && !matches(query.filter, row)) return undefined;
  const keys: string[] = [];
  for (const { path } of query.orders) {
    const key = keyAt(row, path);
    if (key === undefined) return undefined;
    keys.push(key);
  }
  return { row, keys };
};

/** Compares sort keys, as many as the shorter has. */
const compareBy = (
  orders: readonly Order[],
  a: readonly string[],
  b: readonly string[],
): number => {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const order = compareKeys(a[index] ?? "", b[index] ?? "");
    if (order !== 0) return orders[index]?.isDescending === true ? -order : order;
  }
  return 0;
};

/** Compares two results of a query. */
export const compareMatches = (query: Query, a: Match, b: Match): number =>
  compareBy(query.orders, a.keys, b.keys);

/** Whether a result lies at or after the query's start. */
export const isAfterStart = (query: Query, match: Match): boolean => {
  const cursor = query.startAt;
  if (cursor === undefined) return true;
  const order = compareCursor(query, match, cursor);
  return cursor.before ? order >= 0 : order > 0;
};

/** Whether a result lies before the query's end. */
export const isBeforeEnd = (query: Query, match: Match): boolean => {
  const cursor = query.endAt;
  if (cursor === undefined) return true;
  const order = compareCursor(query, match, cursor);
  return cursor.before ? order < 0 : order <= 0;
};

const compareCursor = (query: Query, match: Match, cursor: Cursor): number =>
  compareBy(query.orders, match.keys, cursor.keys);
