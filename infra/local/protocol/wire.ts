/** The protobuf wire format, driven by descriptors, https://protobuf.dev/programming-guides/encoding/ */
import type { Field, FieldKind, MessageType } from "./descriptors.js";

/** A message as handlers see it. */
export type Message = Record<string, unknown>;

/** Finds a type by its full name, for what travels inside an Any. */
export type TypeLookup = (name: string) => MessageType | undefined;

const depthMax = 100;

/** Sets an own property whatever its name is. */
export function setField(target: Message, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(target, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else {
    target[name] = value;
  }
}

const wireTypes: Readonly<Record<FieldKind, 0 | 1 | 2 | 5>> = {
  double: 1,
  float: 5,
  int32: 0,
  int64: 0,
  uint32: 0,
  uint64: 0,
  sint32: 0,
  sint64: 0,
  fixed32: 5,
  fixed64: 1,
  sfixed32: 5,
  sfixed64: 1,
  bool: 0,
  string: 2,
  bytes: 2,
  message: 2,
  enum: 0,
};

/** The value that an absent field without presence has. */
export function isDefault(field: Field, value: unknown): boolean {
  switch (field.kind) {
    case "bool":
      return value === false;
    case "string":
      return value === "";
    case "bytes":
      return value instanceof Uint8Array ? value.length === 0 : value === "";
    case "enum":
      return value === 0 || value === field.enumType?.names.get(0);
    case "message":
      return false;
    case "int64":
    case "uint64":
    case "sint64":
    case "fixed64":
    case "sfixed64":
      return value === "0" || value === 0 || value === 0n;
    case "double":
    case "float":
      return Object.is(value, 0);
    case "int32":
    case "uint32":
    case "sint32":
    case "fixed32":
    case "sfixed32":
      return value === 0;
  }
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

function readVarint(cursor: Cursor, end: number): bigint | number {
  let low = 0;
  let scale = 1;
  for (let count = 0; count < 7; count += 1) {
    if (cursor.at >= end) throw new RangeError("a varint ends too early");
    const byte = cursor.bytes[cursor.at++] ?? 0;
    low += (byte & 0x7f) * scale;
    if (byte < 0x80) return low;
    scale *= 128;
  }
  let high = 0n;
  for (let shift = 0n; shift < 21n; shift += 7n) {
    if (cursor.at >= end) throw new RangeError("a varint ends too early");
    const byte = cursor.bytes[cursor.at++] ?? 0;
    high |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asUintN(64, (high << 49n) | BigInt(low));
  }
  throw new RangeError("a varint is longer than ten bytes");
}

const readNumber = (cursor: Cursor, end: number): number => {
  const value = readVarint(cursor, end);
  return typeof value === "number" ? value : Number(BigInt.asUintN(53, value));
};

function claim(cursor: Cursor, end: number, length: number): number {
  const start = cursor.at;
  if (start + length > end) throw new RangeError("a field is longer than its message");
  cursor.at = start + length;
  return start;
}

function readScalar(field: Field, kind: FieldKind, cursor: Cursor, end: number): unknown {
  switch (kind) {
    case "double":
      return cursor.bytes.readDoubleLE(claim(cursor, end, 8));
    case "float":
      return cursor.bytes.readFloatLE(claim(cursor, end, 4));
    case "fixed32":
      return cursor.bytes.readUInt32LE(claim(cursor, end, 4));
    case "sfixed32":
      return cursor.bytes.readInt32LE(claim(cursor, end, 4));
    case "fixed64":
      return cursor.bytes.readBigUInt64LE(claim(cursor, end, 8)).toString();
    case "sfixed64":
      return cursor.bytes.readBigInt64LE(claim(cursor, end, 8)).toString();
    case "bool":
      return readVarint(cursor, end) !== 0;
    case "int32":
      return Number(BigInt.asIntN(32, BigInt(readVarint(cursor, end))));
    case "uint32":
      return Number(BigInt.asUintN(32, BigInt(readVarint(cursor, end))));
    case "sint32": {
      const value = Number(BigInt.asUintN(32, BigInt(readVarint(cursor, end))));
      return (value >>> 1) ^ -(value & 1);
    }
    case "int64": {
      const value = readVarint(cursor, end);
      return typeof value === "number" ? String(value) : BigInt.asIntN(64, value).toString();
    }
    case "uint64":
      return readVarint(cursor, end).toString();
    case "sint64": {
      const value = BigInt(readVarint(cursor, end));
      return ((value >> 1n) ^ -(value & 1n)).toString();
    }
    case "enum": {
      const value = Number(BigInt.asIntN(32, BigInt(readVarint(cursor, end))));
      return field.enumType?.names.get(value) ?? value;
    }
    case "string": {
      const length = readNumber(cursor, end);
      const start = claim(cursor, end, length);
      return cursor.bytes.toString("utf8", start, start + length);
    }
    case "bytes": {
      const length = readNumber(cursor, end);
      const start = claim(cursor, end, length);
      // A copy: a slice would keep the whole request alive for as long as one message is stored.
      return Buffer.from(cursor.bytes.subarray(start, start + length));
    }
    case "message":
      throw new TypeError("a message is not a scalar");
  }
}

function skip(cursor: Cursor, end: number, wireType: number, depth: number): void {
  switch (wireType) {
    case 0:
      readVarint(cursor, end);
      return;
    case 1:
      claim(cursor, end, 8);
      return;
    case 2:
      claim(cursor, end, readNumber(cursor, end));
      return;
    case 3:
      if (depth > depthMax) throw new RangeError("the message is nested too deeply");
      for (;;) {
        const tag = readNumber(cursor, end);
        if ((tag & 7) === 4) return;
        skip(cursor, end, tag & 7, depth + 1);
      }
    case 5:
      claim(cursor, end, 4);
      return;
    default:
      throw new RangeError(`the wire type ${wireType} does not exist`);
  }
}

const mapDefault = (field: Field, kind: FieldKind, lookup: TypeLookup): unknown => {
  switch (kind) {
    case "bool":
      return false;
    case "string":
      return "";
    case "bytes":
      return Buffer.alloc(0);
    case "message":
      return field.message === undefined
        ? {}
        : decodeMessage(field.message, Buffer.alloc(0), lookup);
    case "enum":
      return field.enumType?.names.get(0) ?? 0;
    case "int64":
    case "uint64":
    case "sint64":
    case "fixed64":
    case "sfixed64":
      return "0";
    case "double":
    case "float":
    case "int32":
    case "uint32":
    case "sint32":
    case "fixed32":
    case "sfixed32":
      return 0;
  }
};

function readValue(
  field: Field,
  kind: FieldKind,
  cursor: Cursor,
  end: number,
  depth: number,
  lookup: TypeLookup,
): unknown {
  if (kind !== "message" || field.message === undefined) {
    return readScalar(field, kind, cursor, end);
  }
  const length = readNumber(cursor, end);
  const start = claim(cursor, end, length);
  return readMessage(
    field.message,
    { bytes: cursor.bytes, at: start },
    start + length,
    depth + 1,
    lookup,
  );
}

function readMapEntry(
  field: Field,
  keyKind: FieldKind,
  cursor: Cursor,
  end: number,
  depth: number,
  lookup: TypeLookup,
): readonly [string, unknown] {
  const length = readNumber(cursor, end);
  const last = claim(cursor, end, length) + length;
  const inner: Cursor = { bytes: cursor.bytes, at: last - length };
  let key: unknown;
  let value: unknown;
  while (inner.at < last) {
    const tag = readNumber(inner, last);
    if (tag >>> 3 === 1) key = readScalar(field, keyKind, inner, last);
    else if (tag >>> 3 === 2) value = readValue(field, field.kind, inner, last, depth, lookup);
    else skip(inner, last, tag & 7, depth);
  }
  return [
    String(key ?? mapDefault(field, keyKind, lookup)),
    value ?? mapDefault(field, field.kind, lookup),
  ];
}

function readMessage(
  type: MessageType,
  cursor: Cursor,
  end: number,
  depth: number,
  lookup: TypeLookup,
): Message {
  if (depth > depthMax) throw new RangeError("the message is nested too deeply");
  const message: Message = {};
  while (cursor.at < end) {
    const tag = readNumber(cursor, end);
    const wireType = tag & 7;
    const field = type.byId.get(tag >>> 3);
    if (field === undefined) {
      skip(cursor, end, wireType, depth);
      continue;
    }
    if (field.mapKey !== undefined) {
      const entries = (message[field.name] ??= {}) as Message;
      const [key, value] = readMapEntry(field, field.mapKey, cursor, end, depth, lookup);
      setField(entries, key, value);
    } else if (field.repeated) {
      const list = (message[field.name] ??= []) as unknown[];
      if (wireType === 2 && wireTypes[field.kind] !== 2) {
        const last = readNumber(cursor, end) + cursor.at;
        if (last > end) throw new RangeError("a packed field is longer than its message");
        while (cursor.at < last) list.push(readScalar(field, field.kind, cursor, last));
      } else {
        list.push(readValue(field, field.kind, cursor, end, depth, lookup));
      }
    } else {
      if (wireType !== wireTypes[field.kind]) {
        skip(cursor, end, wireType, depth);
        continue;
      }
      const value = readValue(field, field.kind, cursor, end, depth, lookup);
      const before = message[field.name];
      if (!field.hasPresence && isDefault(field, value)) {
        delete message[field.name];
        continue;
      }
      for (const sibling of field.siblings) delete message[sibling];
      // A message field that comes twice is merged, as protobuf demands.
      message[field.name] =
        field.kind === "message" && before !== undefined
          ? { ...(before as Message), ...(value as Message) }
          : value;
    }
  }
  return type.name === "google.protobuf.Any" ? unpackAny(message, lookup) : message;
}

/** Opens an Any whose type is known into `{"@type": url, ...fields}`; leaves any other as it is. */
function unpackAny(any: Message, lookup: TypeLookup): Message {
  const url = any["type_url"];
  const value = any["value"];
  if (typeof url !== "string") return any;
  const type = lookup(url.slice(url.lastIndexOf("/") + 1));
  if (type === undefined) return any;
  const bytes = value instanceof Uint8Array ? Buffer.from(value) : Buffer.alloc(0);
  return { "@type": url, ...decodeMessage(type, bytes, lookup) };
}

/** Reads a message from its wire form. */
export function decodeMessage(type: MessageType, bytes: Buffer, lookup: TypeLookup): Message {
  return readMessage(type, { bytes, at: 0 }, bytes.length, 0, lookup);
}

interface Sink {
  bytes: Buffer;
  length: number;
}

function reserve(sink: Sink, count: number): number {
  const start = sink.length;
  if (start + count > sink.bytes.length) {
    const larger = Buffer.allocUnsafe(Math.max(sink.bytes.length * 2, start + count));
    sink.bytes.copy(larger, 0, 0, start);
    sink.bytes = larger;
  }
  sink.length = start + count;
  return start;
}

function pushByte(sink: Sink, byte: number): void {
  // The place first: making room may replace the buffer.
  const start = reserve(sink, 1);
  sink.bytes[start] = byte;
}

function writeVarint(sink: Sink, value: number | bigint): void {
  if (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
    let rest = value;
    // Above 31 bits, where operators on bits cut.
    while (rest > 0x7fffffff) {
      pushByte(sink, (rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    while (rest > 0x7f) {
      pushByte(sink, (rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    pushByte(sink, rest);
    return;
  }
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    pushByte(sink, Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  pushByte(sink, Number(rest));
}

function writeBytes(sink: Sink, value: Uint8Array): void {
  writeVarint(sink, value.length);
  const start = reserve(sink, value.length);
  sink.bytes.set(value, start);
}

function writeText(sink: Sink, value: string): void {
  const length = Buffer.byteLength(value, "utf8");
  writeVarint(sink, length);
  const start = reserve(sink, length);
  sink.bytes.write(value, start, length, "utf8");
}

/** Writes what `write` writes, with its length in front; most lengths take the one byte that is left for them. */
function writeWithLength(sink: Sink, write: () => void): void {
  const start = reserve(sink, 1) + 1;
  write();
  const length = sink.length - start;
  if (length > 0x7f) {
    const more = Math.ceil((32 - Math.clz32(length)) / 7) - 1;
    reserve(sink, more);
    sink.bytes.copyWithin(start + more, start, start + length);
  }
  const end = sink.length;
  sink.length = start - 1;
  writeVarint(sink, length);
  sink.length = end;
}

const wrong = (path: string, expected: string, value: unknown): TypeError =>
  new TypeError(`${path} must be ${expected}, not ${typeof value} ${String(value).slice(0, 40)}`);

function numberOf(path: string, value: unknown): number {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  if (typeof number === "bigint") return Number(number);
  if (typeof number !== "number") throw wrong(path, "a number", value);
  return number;
}

function bigintOf(path: string, value: unknown): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
  throw wrong(path, "a whole number", value);
}

/** A whole number in the form that is the cheapest to write. */
function wholeOf(path: string, value: unknown): number | bigint {
  if (typeof value === "string" && /^\d{1,15}$/.test(value)) return Number(value);
  return bigintOf(path, value);
}

/** The number of an enum value given by name or number. */
export function enumNumber(field: Field, path: string, value: unknown): number {
  if (typeof value === "number") return value;
  const number = typeof value === "string" ? field.enumType?.numbers.get(value) : undefined;
  if (number === undefined)
    throw wrong(path, `a value of ${field.enumType?.name ?? "enum"}`, value);
  return number;
}

/** The bytes of a value given as bytes or base64. */
export function bytesOf(path: string, value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return Buffer.from(value, "base64");
  throw wrong(path, "bytes", value);
}

function writeScalar(
  sink: Sink,
  field: Field,
  kind: FieldKind,
  path: string,
  value: unknown,
): void {
  switch (kind) {
    case "double": {
      const start = reserve(sink, 8);
      sink.bytes.writeDoubleLE(numberOf(path, value), start);
      return;
    }
    case "float": {
      const start = reserve(sink, 4);
      sink.bytes.writeFloatLE(numberOf(path, value), start);
      return;
    }
    case "fixed32": {
      const start = reserve(sink, 4);
      sink.bytes.writeUInt32LE(numberOf(path, value), start);
      return;
    }
    case "sfixed32": {
      const start = reserve(sink, 4);
      sink.bytes.writeInt32LE(numberOf(path, value), start);
      return;
    }
    case "fixed64": {
      const start = reserve(sink, 8);
      sink.bytes.writeBigUInt64LE(BigInt.asUintN(64, bigintOf(path, value)), start);
      return;
    }
    case "sfixed64": {
      const start = reserve(sink, 8);
      sink.bytes.writeBigInt64LE(bigintOf(path, value), start);
      return;
    }
    case "bool":
      if (typeof value !== "boolean") throw wrong(path, "a boolean", value);
      writeVarint(sink, value ? 1 : 0);
      return;
    case "int32":
    case "uint32": {
      const number = numberOf(path, value);
      if (!Number.isInteger(number)) throw wrong(path, "a whole number", value);
      writeVarint(sink, number);
      return;
    }
    case "sint32": {
      const number = numberOf(path, value);
      writeVarint(sink, ((number << 1) ^ (number >> 31)) >>> 0);
      return;
    }
    case "int64":
    case "uint64":
      writeVarint(sink, wholeOf(path, value));
      return;
    case "sint64": {
      const number = bigintOf(path, value);
      writeVarint(sink, (number << 1n) ^ (number >> 63n));
      return;
    }
    case "enum":
      writeVarint(sink, enumNumber(field, path, value));
      return;
    case "string":
      if (typeof value !== "string") throw wrong(path, "a string", value);
      writeText(sink, value);
      return;
    case "bytes":
      writeBytes(sink, bytesOf(path, value));
      return;
    case "message":
      throw new TypeError("a message is not a scalar");
  }
}

function writeTagged(
  sink: Sink,
  id: number,
  field: Field,
  kind: FieldKind,
  path: string,
  value: unknown,
  lookup: TypeLookup,
): void {
  writeVarint(sink, id * 8 + wireTypes[kind]);
  const { message } = field;
  if (kind === "message" && message !== undefined) {
    writeWithLength(sink, () => {
      writeMessage(sink, message, value, path, lookup);
    });
  } else {
    writeScalar(sink, field, kind, path, value);
  }
}

function writeMessage(
  sink: Sink,
  type: MessageType,
  value: unknown,
  path: string,
  lookup: TypeLookup,
): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(path, `a ${type.name}`, value);
  }
  const message =
    type.name === "google.protobuf.Any"
      ? packAny(value as Message, path, lookup)
      : (value as Message);
  for (const [name, held] of Object.entries(message)) {
    if (held === undefined || held === null) continue;
    const field = type.byName.get(name);
    const at = `${path}.${name}`;
    if (field === undefined) throw new TypeError(`${at} is not a field of ${type.name}`);
    if (field.mapKey !== undefined) {
      for (const [key, item] of Object.entries(held)) {
        const { mapKey } = field;
        writeVarint(sink, field.id * 8 + 2);
        writeWithLength(sink, () => {
          writeVarint(sink, 8 + wireTypes[mapKey]);
          const typedKey = mapKey === "bool" ? key === "true" : key;
          writeScalar(sink, field, mapKey, `${at} key`, typedKey);
          writeTagged(sink, 2, field, field.kind, `${at}[${key}]`, item, lookup);
        });
      }
    } else if (field.repeated) {
      if (!Array.isArray(held)) throw wrong(at, "a list", held);
      if (held.length === 0) continue;
      if (wireTypes[field.kind] === 2) {
        for (const [index, item] of held.entries()) {
          writeTagged(sink, field.id, field, field.kind, `${at}[${index}]`, item, lookup);
        }
      } else {
        writeVarint(sink, field.id * 8 + 2);
        writeWithLength(sink, () => {
          for (const item of held) writeScalar(sink, field, field.kind, at, item);
        });
      }
    } else if (field.hasPresence || !isDefault(field, held)) {
      writeTagged(sink, field.id, field, field.kind, at, held, lookup);
    }
  }
}

function encodeAt(type: MessageType, value: unknown, path: string, lookup: TypeLookup): Buffer {
  const sink: Sink = { bytes: Buffer.allocUnsafe(256), length: 0 };
  writeMessage(sink, type, value, path, lookup);
  return sink.bytes.subarray(0, sink.length);
}

/** Closes `{"@type": url, ...fields}` into an Any; an Any in its wire shape passes through. */
function packAny(any: Message, path: string, lookup: TypeLookup): Message {
  const { "@type": url, ...fields } = any;
  if (url === undefined) {
    return { type_url: any["type_url"] ?? any["typeUrl"], value: any["value"] };
  }
  if (typeof url !== "string") throw wrong(`${path}.@type`, "a type URL", url);
  const type = lookup(url.slice(url.lastIndexOf("/") + 1));
  if (type === undefined) throw new TypeError(`${path}: the type ${url} is not known here`);
  return { type_url: url, value: encodeAt(type, fields, path, lookup) };
}

/** Writes a message in its wire form; a field that the type lacks is a mistake of the caller. */
export function encodeMessage(type: MessageType, message: unknown, lookup: TypeLookup): Buffer {
  return encodeAt(type, message, type.name.slice(type.name.lastIndexOf(".") + 1), lookup);
}
