import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pathKey } from "../../../infra/local/firestore/names.js";
import { compareKeys, valueKey } from "../../../infra/local/firestore/order-key.js";
import { parseFields, writeFields } from "../../../infra/local/firestore/stored-fields.js";
import { isSameFields, timestampOf, type Value } from "../../../infra/local/firestore/values.js";

const integer = (value: bigint | number): Value => ({ integerValue: String(value) });
const double = (value: number): Value => ({ doubleValue: value });
const text = (value: string): Value => ({ stringValue: value });
const array = (...values: readonly Value[]): Value => ({ arrayValue: { values } });
const map = (fields: Readonly<Record<string, Value>>): Value => ({ mapValue: { fields } });
const vector = (...values: readonly number[]): Value =>
  map({ __type__: text("__vector__"), value: array(...values.map(double)) });

const ascending: readonly Value[] = [
  { nullValue: "NULL_VALUE" },
  { booleanValue: false },
  { booleanValue: true },
  double(Number.NaN),
  double(Number.NEGATIVE_INFINITY),
  integer(-(2n ** 63n)),
  integer(-(2n ** 53n) - 1n),
  integer(-2),
  double(-1.5),
  integer(0),
  double(5e-324),
  integer(1),
  double(1.5),
  integer(2n ** 60n - 1n),
  integer(2n ** 60n),
  integer(2n ** 60n + 1n),
  integer(2n ** 63n - 1n),
  double(1e300),
  double(Number.POSITIVE_INFINITY),
  { timestampValue: timestampOf(-1) },
  { timestampValue: timestampOf(0) },
  { timestampValue: timestampOf(1) },
  text(""),
  text("\u0000"),
  text("\u0000a"),
  text("a"),
  text("a\u0000"),
  text("ab"),
  text("b"),
  text("é"),
  text("\uffee"),
  text("🚀"),
  { bytesValue: Buffer.from([]) },
  { bytesValue: Buffer.from([0]) },
  { bytesValue: Buffer.from([0, 1]) },
  { bytesValue: Buffer.from([255]) },
  { referenceValue: "projects/p/databases/d/documents/a/b" },
  { referenceValue: "projects/p/databases/d/documents/a/b/c/d" },
  { referenceValue: "projects/p/databases/d/documents/a/bb" },
  { geoPointValue: { latitude: -1, longitude: 5 } },
  { geoPointValue: { latitude: 1, longitude: -5 } },
  { geoPointValue: { latitude: 1, longitude: 5 } },
  array(),
  array(integer(1)),
  array(integer(1), integer(1)),
  array(integer(2)),
  array(text("a")),
  vector(9),
  vector(1, 2),
  vector(1, 3),
  map({}),
  map({ a: integer(1) }),
  map({ a: integer(1), b: integer(0) }),
  map({ a: integer(2) }),
  map({ b: integer(0) }),
];

const scalar: fc.Arbitrary<Value> = fc.oneof(
  fc.constant<Value>({ nullValue: "NULL_VALUE" }),
  fc.boolean().map((value): Value => ({ booleanValue: value })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(integer),
  fc.double().map(double),
  fc.string({ unit: "binary" }).map(text),
  fc.uint8Array().map((value): Value => ({ bytesValue: Buffer.from(value) })),
  fc
    .integer({ min: -1e12, max: 1e15 })
    .map((value): Value => ({ timestampValue: timestampOf(value) })),
);
const value: fc.Arbitrary<Value> = fc.oneof(
  scalar,
  fc.array(scalar).map((values): Value => array(...values)),
  fc.dictionary(fc.string({ minLength: 1 }), scalar).map((fields): Value => map(fields)),
);

/** How Firestore compares an integer with a double, said without keys. */
const compareNumbers = (a: bigint, b: number): number => {
  if (b === Number.POSITIVE_INFINITY) return -1;
  if (b === Number.NEGATIVE_INFINITY) return 1;
  const whole = BigInt(Math.trunc(b));
  if (a !== whole) return a < whole ? -1 : 1;
  return Math.sign(Math.trunc(b) - b);
};

describe("the order of values", () => {
  test("every pair of the documented order compares as documented", () => {
    const keys = ascending.map(valueKey);
    for (const [index, key] of keys.entries()) {
      for (const [other, otherKey] of keys.entries()) {
        expect(Math.sign(compareKeys(key, otherKey)), `${index} against ${other}`).toBe(
          Math.sign(index - other),
        );
      }
    }
  });

  test("equal numbers of both types have one key, and both zeros too", () => {
    expect(valueKey(integer(3))).toBe(valueKey(double(3)));
    expect(valueKey(integer(2n ** 60n))).toBe(valueKey(double(2 ** 60)));
    expect(valueKey(double(-0))).toBe(valueKey(integer(0)));
  });

  test("integers and doubles compare exactly", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.double({ noNaN: true }),
        (a, b) => {
          expect(Math.sign(compareKeys(valueKey(integer(a)), valueKey(double(b))))).toBe(
            compareNumbers(a, b),
          );
        },
      ),
    );
  });

  test("texts compare as their UTF-8 does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
        const order = Buffer.compare(Buffer.from(a), Buffer.from(b));
        expect(Math.sign(compareKeys(valueKey(text(a)), valueKey(text(b))))).toBe(order);
      }),
    );
  });

  test("arrays compare element by element, whatever their elements are", () => {
    fc.assert(
      fc.property(scalar, scalar, value, value, (a, b, x, y) => {
        const first = compareKeys(valueKey(a), valueKey(b));
        const order = compareKeys(valueKey(array(a, x)), valueKey(array(b, y)));
        const expected = first === 0 ? compareKeys(valueKey(x), valueKey(y)) : first;
        expect(Math.sign(order)).toBe(Math.sign(expected));
      }),
    );
  });

  test("a path sorts before what lies below it, and numeric ids sort as numbers", () => {
    const key = (path: string): string => pathKey("projects/p/databases/d", path.split("/"));
    const sorted = [
      "a/__id-3__",
      "a/__id7__",
      "a/__id10__",
      "a/10",
      "a/9",
      "a/b",
      "a/b/c/d",
      "a/bb",
      "a/é",
    ];
    expect(sorted.map(key).toSorted(compareKeys)).toEqual(sorted.map(key));
  });
});

/** Firestore keeps names between double underscores for itself: no document has such a field. */
const fieldName = fc.string({ minLength: 1 }).filter((name) => !/^__.*__$/s.test(name));

describe("stored fields", () => {
  test("come back exactly as they were written", () => {
    fc.assert(
      fc.property(fc.dictionary(fieldName, value), (fields) => {
        expect(isSameFields(parseFields(writeFields(fields)), fields)).toBe(true);
      }),
    );
  });
});
