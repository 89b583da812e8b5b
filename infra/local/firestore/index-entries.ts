/** Index entries: for a field of a document, the key of its value; for an array, the keys of its elements. */
import type { FieldPath } from "./field-paths.js";
import { valueKey } from "./order-key.js";
import type { Fields, Value } from "./values.js";

/** One row of the index: a field (or an array's elements) and a value's key. */
export interface IndexEntry {
  readonly field: string;
  readonly value: string;
}

/** A document with more fields than this is listed once, as `overflow`, and looked at by every query. */
export const entriesPerDocumentMax = 400;
const keyLengthMax = 200;

/** The entry of a document that has too many fields to index. */
export const overflowEntry: IndexEntry = { field: "*", value: "" };

const segmentText = (name: string): string =>
  name.includes(".") || name.includes("\\") ? name.replaceAll(/[\\.]/g, String.raw`\$&`) : name;

const pathText = (path: FieldPath): string => path.map(segmentText).join(".");

/** The index's name for a field's values. */
export const valuesOf = (path: FieldPath): string => `=${pathText(path)}`;

/** The index's name for the elements of a field's array. */
export const elementsOf = (path: FieldPath): string => `[${pathText(path)}`;

/** Index keys are cut: candidates found by them are checked against the whole value. */
export const indexKey = (key: string): string =>
  key.length > keyLengthMax ? key.slice(0, keyLengthMax) : key;

/** The fields to list. */
export type Wanted = Pick<ReadonlySet<string>, "has" | "size">;

const collect = (path: FieldPath, value: Value, entries: IndexEntry[], wanted: Wanted): void => {
  const field = valuesOf(path);
  if (wanted.has(field)) entries.push({ field, value: indexKey(valueKey(value)) });
  if ("mapValue" in value) collectFields(path, value.mapValue.fields, entries, wanted);
  if ("arrayValue" in value) {
    const elements = elementsOf(path);
    if (!wanted.has(elements)) return;
    const keys = new Set(value.arrayValue.values.map((element) => indexKey(valueKey(element))));
    for (const key of keys) entries.push({ field: elements, value: key });
  }
};

const collectFields = (
  path: FieldPath,
  fields: Fields,
  entries: IndexEntry[],
  wanted: Wanted,
): void => {
  for (const [name, value] of Object.entries(fields)) {
    collect([...path, name], value, entries, wanted);
  }
};

const collected = (fields: Fields, wanted: Wanted): readonly IndexEntry[] => {
  const entries: IndexEntry[] = [];
  collectFields([], fields, entries, wanted);
  return entries;
};

/** How many entries a document has at most, counted without making them. */
const countUpTo = (fields: Fields): number => {
  let count = 0;
  for (const value of Object.values(fields)) {
    count += 1;
    if ("mapValue" in value) count += countUpTo(value.mapValue.fields);
    if ("arrayValue" in value) count += value.arrayValue.values.length;
  }
  return count;
};

const everyField: Wanted = { has: () => true, size: Number.POSITIVE_INFINITY };

/** A document's index entries of the fields that are wanted. */
export const entriesOf = (fields: Fields | undefined, wanted: Wanted): readonly IndexEntry[] => {
  if (fields === undefined) return [];
  const isOverflowing =
    countUpTo(fields) > entriesPerDocumentMax &&
    collected(fields, everyField).length > entriesPerDocumentMax;
  if (isOverflowing) return [overflowEntry];
  return wanted.size === 0 ? [] : collected(fields, wanted);
};

const keyOf = ({ field, value }: IndexEntry): string => `${field}\n${value}`;

/** An entry whose value becomes another. */
export interface IndexMove extends IndexEntry {
  readonly to: string;
}

/** What to remove, to change and to add when a document changes. */
export const indexDelta = (
  before: Fields | undefined,
  after: Fields | undefined,
  wanted: Wanted,
): {
  readonly removed: readonly IndexEntry[];
  readonly moved: readonly IndexMove[];
  readonly added: readonly IndexEntry[];
} => {
  const removed = new Map(entriesOf(before, wanted).map((entry) => [keyOf(entry), entry]));
  const fresh = entriesOf(after, wanted).filter((entry) => !removed.delete(keyOf(entry)));
  // A field has one value, which can move; an array has many elements, which come and go.
  const movable = new Map(
    [...removed.values()]
      .filter(({ field }) => field.startsWith("="))
      .map((one) => [one.field, one]),
  );
  const moved: IndexMove[] = [];
  const added: IndexEntry[] = [];
  for (const entry of fresh) {
    const from = movable.get(entry.field);
    if (from === undefined) added.push(entry);
    else {
      removed.delete(keyOf(from));
      moved.push({ ...from, to: entry.value });
    }
  }
  return { removed: [...removed.values()], moved, added };
};
