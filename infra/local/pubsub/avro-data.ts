/** Messages checked against an Avro schema, in either encoding. */
import { branchName, type AvroType } from "./avro.js";

const depthMax = 100;

const jsonKind = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  jsonKind(value) === "object";

const mismatch = (path: string, value: unknown, wanted: string): Error =>
  new Error(`${path}: JSON ${jsonKind(value)} does not match the schema, which expects ${wanted}`);

/** Bytes stand in JSON as text whose characters are the bytes. */
// oxlint-disable-next-line no-control-regex -- The range is the bytes'.
const byteText = /^[\u0000-\u00ff]*$/;

const isWhole = (value: unknown, bits: number): boolean =>
  typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= 2 ** (bits - 1);

/** Checks parsed JSON; throws an Error that says where it differs from the schema. */
export function checkAvroJson(type: AvroType, value: unknown, path = "message", depth = 0): void {
  if (depth > depthMax) throw new Error(`${path}: the message is nested too deeply`);
  const want = (isRight: boolean, wanted: string): void => {
    if (!isRight) throw mismatch(path, value, wanted);
  };
  const inner = (part: AvroType, held: unknown, at: string): void => {
    checkAvroJson(part, held, at, depth + 1);
  };
  switch (type.kind) {
    case "null":
      want(value === null, "null");
      return;
    case "boolean":
    case "string":
      want(typeof value === type.kind, type.kind);
      return;
    case "int":
      want(isWhole(value, 32), "int");
      return;
    case "long":
      want(isWhole(value, 64), "long");
      return;
    case "float":
    case "double":
      want(typeof value === "number", type.kind);
      return;
    case "bytes":
      want(typeof value === "string" && byteText.test(value), "bytes");
      return;
    case "fixed":
      want(
        typeof value === "string" && byteText.test(value) && value.length === type.size,
        `${type.size} bytes`,
      );
      return;
    case "enum":
      want(typeof value === "string" && type.symbols.includes(value), type.symbols.join(" or "));
      return;
    case "array":
      if (!Array.isArray(value)) throw mismatch(path, value, "an array");
      for (const [index, item] of value.entries()) inner(type.items, item, `${path}[${index}]`);
      return;
    case "map":
      if (!isObject(value)) throw mismatch(path, value, "a map");
      for (const [key, item] of Object.entries(value)) inner(type.values, item, `${path}.${key}`);
      return;
    case "record": {
      if (!isObject(value)) throw mismatch(path, value, `the record ${type.name}`);
      for (const field of type.fields) {
        if (!Object.hasOwn(value, field.name)) throw new Error(`${path}.${field.name} is missing`);
        inner(field.type, value[field.name], `${path}.${field.name}`);
      }
      const names = new Set(type.fields.map((field) => field.name));
      const unknown = Object.keys(value).find((key) => !names.has(key));
      if (unknown !== undefined) throw new Error(`${path}.${unknown} is not in the schema`);
      return;
    }
    case "union": {
      const branches = type.branches.map((branch) => branchName(branch));
      if (value === null) {
        want(branches.includes("null"), branches.join(" or "));
        return;
      }
      const [entry, ...others] = isObject(value) ? Object.entries(value) : [];
      const branch = type.branches.find((one) => branchName(one) === entry?.[0]);
      if (entry === undefined || others.length > 0 || branch === undefined) {
        throw mismatch(path, value, `an object with one key of ${branches.join(", ")}`);
      }
      inner(branch, entry[1], `${path}.${entry[0]}`);
    }
  }
}

const tooShort = (): Error => new Error("Not enough data to parse for schema.");

/** Checks a message in Avro's binary encoding; it must end where the schema does. */
export function checkAvroBinary(type: AvroType, bytes: Buffer): void {
  let at = 0;
  const skip = (count: number): void => {
    if (count < 0 || at + count > bytes.length) throw tooShort();
    at += count;
  };
  const byte = (): number => {
    const value = bytes[at];
    if (value === undefined) throw tooShort();
    at += 1;
    return value;
  };
  /** A zig-zag number of variable length. */
  const long = (bits: number): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const part = byte();
      value |= BigInt(part & 0x7f) << shift;
      if ((part & 0x80) === 0) break;
      if (shift >= 63n) throw new Error("A number has too many bytes.");
    }
    const number = (value >> 1n) ^ -(value & 1n);
    if (BigInt.asIntN(bits, number) !== number) throw new Error(`A number exceeds ${bits} bits.`);
    return number;
  };
  const length = (): number => Number(long(64));
  const block = (item: () => void): void => {
    for (let count = length(); count !== 0; count = length()) {
      if (count < 0) length();
      const items = Math.abs(count);
      for (let index = 0; index < items; index += 1) {
        const before = at;
        item();
        // Items of no bytes (nulls, empty records) all look alike: one look is enough.
        if (at === before) break;
      }
    }
  };
  const read = (part: AvroType, depth: number): void => {
    if (depth > depthMax) throw new Error("The message is nested too deeply.");
    switch (part.kind) {
      case "null":
        return;
      case "boolean":
        if (byte() > 1) throw new Error("A boolean is neither 0 nor 1.");
        return;
      case "int":
        long(32);
        return;
      case "long":
        long(64);
        return;
      case "float":
        skip(4);
        return;
      case "double":
        skip(8);
        return;
      case "bytes":
      case "string":
        skip(length());
        return;
      case "fixed":
        skip(part.size);
        return;
      case "enum":
        if (part.symbols[Number(long(32))] === undefined) {
          throw new Error(`The enum ${part.name} has no such symbol.`);
        }
        return;
      case "array":
        block(() => {
          read(part.items, depth + 1);
        });
        return;
      case "map":
        block(() => {
          skip(length());
          read(part.values, depth + 1);
        });
        return;
      case "record":
        for (const field of part.fields) read(field.type, depth + 1);
        return;
      case "union": {
        const branch = part.branches[length()];
        if (branch === undefined) throw new Error("A union has no such branch.");
        read(branch, depth + 1);
      }
    }
  };
  read(type, 0);
  if (at < bytes.length) throw new Error("Too much data to parse for schema.");
}
