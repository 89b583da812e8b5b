import { describe, expect, it } from "vitest";
import { checkAvroBinary, checkAvroJson } from "../../../infra/local/pubsub/avro-data.js";
import { parseAvro, unreadable } from "../../../infra/local/pubsub/avro.js";

const avro = (schema: unknown) => parseAvro(JSON.stringify(schema));
const record = (...fields: readonly object[]) => ({ type: "record", name: "R", fields });
const fits = (check: () => void): boolean => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};

describe("an Avro schema", () => {
  it.each([
    ["a field twice", record({ name: "a", type: "int" }, { name: "a", type: "int" })],
    ["a name twice", [record(), record()]],
    ["a union in a union", ["int", ["string"]]],
    ["a type twice in a union", ["int", "int"]],
    ["an enum without symbols", { type: "enum", name: "E", symbols: [] }],
    ["a default that is no symbol", { type: "enum", name: "E", symbols: ["A"], default: "B" }],
    ["a fixed without a size", { type: "fixed", name: "F" }],
    ["a name that is none", { type: "record", name: "1R", fields: [] }],
    ["a type that is not known", "decimal"],
    ["an array of nothing", { type: "array" }],
  ])("with %s is refused", (_, schema) => {
    expect(() => avro(schema)).toThrow(/schema/);
  });

  it("finds a name in its own namespace, and itself", () => {
    const schema = avro({
      type: "record",
      name: "Node",
      namespace: "tree",
      fields: [{ name: "next", type: ["null", "Node"] }],
    });
    checkAvroJson(schema, { next: { "tree.Node": { next: null } } });
    expect(fits(() => checkAvroJson(schema, { next: { Node: { next: null } } }))).toBe(false);
  });
});

describe("a message in JSON", () => {
  const colour = { type: "enum", name: "Colour", symbols: ["RED", "BLUE"] };
  const pair = { type: "fixed", name: "Pair", size: 2 };
  it.each([
    ["int", 2_147_483_647, true],
    ["int", 1.5, false],
    ["long", 9_007_199_254_740_991, true],
    ["double", "1", false],
    ["boolean", true, true],
    ["bytes", "\u00ff\u0000", true],
    ["bytes", "\u0100", false],
    [pair, "ab", true],
    [pair, "abc", false],
    [colour, "RED", true],
    [colour, "GREEN", false],
    [{ type: "array", items: "int" }, [1, 2], true],
    [{ type: "array", items: "int" }, [1, "2"], false],
    [{ type: "map", values: "int" }, { a: 1 }, true],
    [{ type: "map", values: "int" }, [], false],
    [["null", "string"], null, true],
    [["null", "string"], { string: "a" }, true],
    [["null", "string"], "a", false],
    [["null", "string"], { string: "a", int: 1 }, false],
    [record({ name: "a", type: "int", default: 1 }), {}, false],
    [record(), { extra: 1 }, false],
    [{ type: "int", logicalType: "date" }, 3, true],
  ])("of %j: %j", (schema, value, isFitting) => {
    const parsed = avro(schema);
    expect(
      fits(() => {
        checkAvroJson(parsed, value);
      }),
    ).toBe(isFitting);
  });
});

describe("a message in binary", () => {
  it.each([
    ["int", "00", true],
    ["int", "", false],
    ["int", "0000", false],
    ["int", "ffffffffff0f", false],
    ["long", "ffffffffffffffffff01", true],
    ["long", "ffffffffffffffffffff01", false],
    ["boolean", "02", false],
    ["string", "0461", false],
    ["bytes", "026f", true],
    ["bytes", "01", false],
    ["float", "00000000", true],
    ["double", "00000000", false],
    [{ type: "fixed", name: "F", size: 3 }, "010203", true],
    [{ type: "enum", name: "E", symbols: ["A", "B"] }, "02", true],
    [{ type: "enum", name: "E", symbols: ["A", "B"] }, "04", false],
    [["null", "int"], "0206", true],
    [["null", "int"], "04", false],
    // Two items; the same with their size in bytes in front; a block that is cut off.
    [{ type: "array", items: "int" }, "04020400", true],
    [{ type: "array", items: "int" }, "0304020400", true],
    [{ type: "array", items: "int" }, "0402", false],
    [{ type: "map", values: "int" }, "0202610200", true],
  ])("of %j: %s", (schema, hex, isFitting) => {
    const parsed = avro(schema);
    expect(
      fits(() => {
        checkAvroBinary(parsed, Buffer.from(hex, "hex"));
      }),
    ).toBe(isFitting);
  });
});

describe("data written by one schema", () => {
  const a = { name: "a", type: "int" };
  const b = { name: "b", type: "int", default: 0 };
  const node = (...more: readonly object[]) =>
    record(...more, { name: "next", type: ["null", "R"], default: null });
  it.each([
    ["the same", record(a), record(a), true],
    ["one more field with a default", record(a, b), record(a), true],
    ["one field less", record(a), record(a, b), true],
    ["one more field without a default", record(a, { name: "c", type: "int" }), record(a), false],
    ["a wider number", "long", "int", true],
    ["a narrower number", "int", "long", false],
    ["a union with its type", ["null", "int"], "int", true],
    ["one type of a union", "int", ["null", "int"], false],
    [
      "an enum that lost a symbol",
      { type: "enum", name: "E", symbols: ["A"] },
      { type: "enum", name: "E", symbols: ["A", "B"] },
      false,
    ],
    [
      "an enum that lost a symbol and has a default",
      { type: "enum", name: "E", symbols: ["A"], default: "A" },
      { type: "enum", name: "E", symbols: ["A", "B"] },
      true,
    ],
    [
      "another size",
      { type: "fixed", name: "F", size: 2 },
      { type: "fixed", name: "F", size: 3 },
      false,
    ],
    [
      "items of another type",
      { type: "array", items: "int" },
      { type: "array", items: "string" },
      false,
    ],
    ["a recursive record with a new default", node(b), node(), true],
    [
      "a recursive record with a changed field",
      node({ name: "b", type: "string" }),
      node(b),
      false,
    ],
  ])("is read by %s: %j", (_, reader, writer, isReadable) => {
    expect(unreadable(avro(reader), avro(writer)) === undefined).toBe(isReadable);
  });
});
