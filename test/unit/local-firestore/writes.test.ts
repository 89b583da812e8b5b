import { describe, expect, test } from "vitest";
import type { StoredDocument } from "../../../infra/local/firestore/documents.js";
import { readFieldPath } from "../../../infra/local/firestore/field-paths.js";
import type { Fields, Value } from "../../../infra/local/firestore/values.js";
import type { WireTransform, WireWrite } from "../../../infra/local/firestore/wire.js";
import {
  applyWrites,
  readWrite,
  type CommitOutcome,
} from "../../../infra/local/firestore/writes.js";

const database = "projects/p/databases/(default)";
const name = `${database}/documents/c/d`;
const integer = (value: bigint | number): Value => ({ integerValue: String(value) });
const double = (value: number): Value => ({ doubleValue: value });
const stored = (fields: Fields): StoredDocument => ({
  name,
  fields,
  createdMicros: 10,
  updatedMicros: 20,
});

const apply = (
  before: StoredDocument | undefined,
  ...writes: readonly WireWrite[]
): CommitOutcome =>
  applyWrites(
    writes.map((write) => readWrite(write, database)),
    { commitMicros: 1_234_567, read: () => before },
  );
const transformed = (
  before: Fields,
  ...updateTransforms: readonly WireTransform[]
): Fields | undefined =>
  apply(stored(before), { update: { name }, updateMask: { fieldPaths: [] }, updateTransforms })
    .changes[0]?.after?.fields;

describe("preconditions", () => {
  const table: readonly (readonly [string, StoredDocument | undefined, WireWrite, string])[] = [
    [
      "create an existing document",
      stored({}),
      { update: { name }, currentDocument: { exists: false } },
      `Document already exists: ${name}`,
    ],
    [
      "update a missing document",
      undefined,
      { update: { name }, currentDocument: { exists: true } },
      `No document to update: ${name}`,
    ],
    [
      "delete a missing document",
      undefined,
      { delete: name, currentDocument: { exists: true } },
      `No document to update: ${name}`,
    ],
    [
      "update a document that changed",
      stored({}),
      { update: { name }, currentDocument: { updateTime: { seconds: "0", nanos: 19_000 } } },
      "the stored version (20) does not match the required base version (19)",
    ],
  ];
  test.each(table)("%s is refused", (_what, before, write, message) => {
    expect(() => apply(before, write)).toThrow(message);
  });

  test("the right update time is accepted", () => {
    const write = {
      delete: name,
      currentDocument: { updateTime: { seconds: "0", nanos: 20_000 } },
    };
    expect(apply(stored({}), write).changes).toHaveLength(1);
  });
});

describe("updates", () => {
  test("a write that changes nothing changes neither document nor time", () => {
    const outcome = apply(stored({ a: integer(1) }), {
      update: { name, fields: { a: { integerValue: "1" } } },
    });
    expect(outcome.changes).toEqual([]);
    expect(outcome.results).toEqual([{ updateTime: { seconds: "0", nanos: 20_000 } }]);
  });

  test("an integer and a double of the same value are not the same when stored", () => {
    const outcome = apply(stored({ a: integer(1) }), {
      update: { name, fields: { a: { doubleValue: 1 } } },
    });
    expect(outcome.changes[0]?.after?.fields).toEqual({ a: double(1) });
  });

  test("a mask sets, keeps and deletes, also inside of maps", () => {
    const before = stored({
      a: integer(1),
      m: { mapValue: { fields: { x: integer(1), y: integer(2) } } },
    });
    const outcome = apply(before, {
      update: {
        name,
        fields: {
          m: { mapValue: { fields: { x: { integerValue: "9" } } } },
          z: { nullValue: "NULL_VALUE" },
        },
      },
      updateMask: { fieldPaths: ["m.x", "m.y", "n.q"] },
    });
    expect(outcome.changes[0]?.after?.fields).toEqual({
      a: integer(1),
      m: { mapValue: { fields: { x: integer(9) } } },
    });
  });

  test("writes see the writes before them, and only the last state is a change", () => {
    const outcome = apply(
      undefined,
      {
        update: { name, fields: { a: { integerValue: "1" } } },
        currentDocument: { exists: false },
      },
      { delete: name, currentDocument: { exists: true } },
      {
        update: { name, fields: { b: { integerValue: "2" } } },
        currentDocument: { exists: false },
      },
    );
    expect(outcome.changes).toHaveLength(1);
    expect(outcome.changes[0]?.after?.fields).toEqual({ b: integer(2) });
  });
});

describe("transforms", () => {
  const int64Max = 2n ** 63n - 1n;
  test.each([
    ["an increment of an integer", integer(1), { increment: { integerValue: "2" } }, integer(3)],
    [
      "an increment that becomes a double",
      integer(1),
      { increment: { doubleValue: 0.5 } },
      double(1.5),
    ],
    [
      "an increment of no number",
      { stringValue: "x" },
      { increment: { integerValue: "2" } },
      integer(2),
    ],
    [
      "an increment beyond the largest integer",
      integer(int64Max),
      { increment: { integerValue: "1" } },
      integer(int64Max),
    ],
    [
      "an increment below the smallest",
      integer(-int64Max - 1n),
      { increment: { integerValue: "-1" } },
      integer(-int64Max - 1n),
    ],
    ["a maximum that is larger", integer(1), { maximum: { doubleValue: 1.5 } }, double(1.5)],
    ["a maximum that is equal", integer(3), { maximum: { doubleValue: 3 } }, integer(3)],
    ["a maximum of zeros", double(-0), { maximum: { integerValue: "0" } }, double(-0)],
    [
      "a maximum with NaN",
      integer(3),
      { maximum: { doubleValue: Number.NaN } },
      double(Number.NaN),
    ],
    ["a minimum that is smaller", integer(1), { minimum: { integerValue: "-1" } }, integer(-1)],
    [
      "a minimum of NaN",
      double(Number.NaN),
      { minimum: { integerValue: "1" } },
      double(Number.NaN),
    ],
  ] satisfies readonly (readonly [string, Value, WireTransform, Value])[])(
    "%s",
    (_what, before, transform, after) => {
      expect(transformed({ f: before }, { fieldPath: "f", ...transform })?.["f"] ?? before).toEqual(
        after,
      );
    },
  );

  test("a server time is the commit's, in milliseconds", () => {
    expect(transformed({}, { fieldPath: "a.b", setToServerValue: "REQUEST_TIME" })).toEqual({
      a: { mapValue: { fields: { b: { timestampValue: { seconds: "1", nanos: 234_000_000 } } } } },
    });
  });
});

describe("field paths", () => {
  test.each([
    ["a.b_2", ["a", "b_2"]],
    ["`a.b`.c", ["a.b", "c"]],
    ["a.`x\\`y\\\\z`", ["a", "x`y\\z"]],
  ])("%s", (path, names) => {
    expect(readFieldPath(path)).toEqual(names);
  });
  test.each(["", "a.", ".a", "a..b", "1a", "a-b", "`a", "a`b`", "``"])("%s is refused", (path) => {
    expect(() => readFieldPath(path)).toThrow("Invalid property path");
  });
});

describe("hostile names", () => {
  test.each(["__proto__", "__x__", ""])("the field %s is refused", (field) => {
    const fields = JSON.parse(`{${JSON.stringify(field)}:{"nullValue":"NULL_VALUE"}}`);
    expect(() => readWrite({ update: { name, fields } }, database)).toThrow(/reserved|empty/);
  });
  test.each([
    `${database}/documents/c`,
    `${database}/documents`,
    `${database}/documents/c//d/e`,
    `${database}/documents/c/..`,
    `${database}/documents/__c__/d`,
    "projects/other/databases/(default)/documents/c/d",
    "c/d",
  ])("the document %s is refused", (document) => {
    expect(() => readWrite({ delete: document }, database)).toThrow(/Document name|Resource id/);
  });
});
