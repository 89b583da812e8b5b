import { fromJSON, type MessageTypeDefinition } from "@grpc/proto-loader";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import {
  loadServices,
  type Field,
  type MessageType,
} from "../../infra/local/protocol/descriptors.js";
import { fromJson, toJson } from "../../infra/local/protocol/json.js";
import { decodeMessage, encodeMessage, type Message } from "../../infra/local/protocol/wire.js";

const registry = loadServices(
  [
    "google.monitoring.v3.MetricService",
    "google.pubsub.v1.Publisher",
    "google.pubsub.v1.Subscriber",
  ],
  [],
);
const lookup = registry.type;

/** Google's own loader, in the shape that handlers are promised. */
function oracle(npm: string) {
  const require = createRequire(import.meta.url);
  const file = require.resolve(npm).replace(/build\/src\/index\.js$/, "build/protos/protos.json");
  return fromJSON(JSON.parse(readFileSync(file, "utf8")) as Parameters<typeof fromJSON>[0], {
    longs: String,
    enums: String,
    bytes: Buffer,
    defaults: false,
    oneofs: false,
    keepCase: false,
  });
}
const packages = [oracle("@google-cloud/monitoring"), oracle("@google-cloud/pubsub")];

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);

function valueOf(field: Field, depth: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case "double":
      return fc.double({ noNaN: true });
    case "float":
      return fc.float({ noNaN: true });
    case "int32":
    case "sint32":
    case "sfixed32":
      return fc.integer();
    case "uint32":
    case "fixed32":
      return fc.nat({ max: 2 ** 31 });
    case "int64":
    case "sint64":
    case "sfixed64":
      return int64;
    case "uint64":
    case "fixed64":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
    case "bool":
      return fc.boolean();
    case "string":
      return fc.string({ unit: "grapheme", maxLength: 12 });
    case "bytes":
      return fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes));
    case "enum":
      return fc.constantFrom(...(field.enumType?.names.values() ?? ["?"]));
    case "message":
      return field.message === undefined ? fc.constant({}) : messages(field.message, depth + 1);
  }
}

/** Random messages of a type, at most one member of each oneof. */
function messages(type: MessageType, depth = 0): fc.Arbitrary<Message> {
  if (type.name === "google.protobuf.Any" || depth > 4) return fc.constant({});
  const fields = type.fields.filter((field) => depth < 3 || field.kind !== "message");
  const made: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of fields) {
    const one = valueOf(field, depth);
    made[field.name] =
      field.mapKey === undefined
        ? field.repeated
          ? fc.array(one, { minLength: 1, maxLength: 3 })
          : one
        : fc.dictionary(
            field.mapKey === "string"
              ? fc.string({ maxLength: 6 }).filter((key) => key !== "__proto__")
              : fc.nat().map(String),
            one,
            { minKeys: 1, maxKeys: 2, noNullPrototype: true },
          );
  }
  return fc.record(made, { requiredKeys: [] }).map((message) => {
    const kept: Message = {};
    for (const field of fields) {
      const value = message[field.name];
      if (value === undefined || field.siblings.some((sibling) => sibling in kept)) continue;
      kept[field.name] = value;
    }
    return kept;
  });
}

const types = [
  "google.monitoring.v3.CreateTimeSeriesRequest",
  "google.monitoring.v3.ListTimeSeriesResponse",
  "google.pubsub.v1.Subscription",
  "google.pubsub.v1.PubsubMessage",
  "google.pubsub.v1.StreamingPullRequest",
  "google.pubsub.v1.Topic",
];

describe.each(types)("%s", (name) => {
  const type = lookup(name);
  const definition = packages.map((one) => one[name]).find((one) => one !== undefined) as
    MessageTypeDefinition<object, object> | undefined;
  if (type === undefined || definition === undefined) throw new Error(`${name} is not loaded`);

  it("reads what Google's loader writes, and the other way round", () => {
    fc.assert(
      fc.property(messages(type), (message) => {
        const theirs = definition.serialize(message);
        const read = definition.deserialize(theirs);
        // What the wire cannot tell from absence, handlers never see.
        const ours = decodeMessage(type, encodeMessage(type, message, lookup), lookup);
        expect(decodeMessage(type, theirs, lookup)).toEqual(ours);
        expect(definition.deserialize(encodeMessage(type, read, lookup))).toEqual(
          definition.deserialize(definition.serialize(ours)),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("keeps a message through JSON", () => {
    fc.assert(
      fc.property(messages(type), (message) => {
        const seen = decodeMessage(
          type,
          encodeMessage(type, withValidTimes(message), lookup),
          lookup,
        );
        const text = JSON.stringify(toJson(type, seen, { lookup }));
        const back = fromJson(type, JSON.parse(text), lookup);
        expect(encodeMessage(type, back, lookup).equals(encodeMessage(type, seen, lookup))).toBe(
          true,
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe("the bytes of a message", () => {
  /** Whether ours are those of Google's loader. */
  const isSame = (name: string, message: Message): boolean => {
    const type = lookup(name);
    const definition = packages.map((one) => one[name]).find((one) => one !== undefined) as
      MessageTypeDefinition<object, object> | undefined;
    if (type === undefined || definition === undefined) throw new Error(`${name} is not loaded`);
    return encodeMessage(type, message, lookup).equals(definition.serialize(message));
  };

  it.each([0, 1, 127, 128, 129, 16_383, 16_384, 16_390, 2_097_151, 2_097_152])(
    "hold lengths of %i and around it at every depth",
    (length) => {
      for (const near of [length, Math.max(0, length - 6), Math.max(0, length - 12)]) {
        const message = {
          topic: "t",
          messages: [
            { data: Buffer.alloc(near + 1, 7), attributes: { k: "ü".repeat(near / 2) } },
            { data: Buffer.alloc(1), attributes: { ["k".repeat(near)]: "" }, orderingKey: "o" },
          ],
        };
        expect(isSame("google.pubsub.v1.PublishRequest", message)).toBe(true);
      }
    },
  );

  it.each(["1", "127", "128", "2147483647", "2147483648", "4294967296", "999999999999999"])(
    "hold the whole number %s, the next, and both below zero",
    (text) => {
      for (const value of [BigInt(text), BigInt(text) + 1n]) {
        for (const int64Value of [String(value), String(-value), "9223372036854775807"]) {
          expect(isSame("google.monitoring.v3.TypedValue", { int64Value })).toBe(true);
        }
      }
    },
  );

  it("hold texts of every width", () => {
    const message = { topic: "a\u00e9\u4e2d\u{1F600}" };
    expect(isSame("google.pubsub.v1.PublishRequest", message)).toBe(true);
  });
});

/** Times within the years 1 to 9999, and names that survive a field mask: only those have a JSON form. */
function withValidTimes(value: Message): Message {
  const fix = (held: unknown): unknown => {
    if (Array.isArray(held)) return held.map((item) => fix(item));
    if (typeof held !== "object" || held === null || Buffer.isBuffer(held)) return held;
    const entries = Object.entries(held).map(([key, item]): [string, unknown] => {
      if (key === "seconds") return [key, String(Math.abs(Number(item) % 1_000_000_000))];
      if (key === "nanos") return [key, Math.abs(Number(item) % 1_000_000_000)];
      if (key === "numberValue" || key === "paths") return [key, key === "paths" ? [] : 1];
      return [key, fix(item)];
    });
    return Object.fromEntries(
      entries.filter(([key, item]) => key !== "paths" || item !== undefined),
    );
  };
  return fix(value) as Message;
}
