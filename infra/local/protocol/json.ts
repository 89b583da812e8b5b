/** The proto3 JSON mapping, both ways, https://protobuf.dev/programming-guides/json/ */
import type { Field, FieldKind, MessageType } from "./descriptors.js";
import { RpcError } from "./service.js";
import {
  decodeMessage,
  isDefault,
  setField,
  type Message,
  type TypeLookup,
  bytesOf,
  encodeMessage,
} from "./wire.js";
import { dateText, durationText, parseDate, parseDuration } from "./time-text.js";

/** How messages are written. */
export interface JsonOptions {
  readonly lookup: TypeLookup;
  /** Enums by number, which Google's REST clients ask for with `$alt=json;enum-encoding=int`. */
  readonly enumNumbers?: boolean;
}

const depthMax = 100;
const wrappers = new Set(
  ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"].map(
    (name) => `google.protobuf.${name}Value`,
  ),
);

const isObject = (value: unknown): value is Message =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const bytesText = (value: unknown): string => {
  const bytes = bytesOf("bytes", value);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
};

const numberJson = (value: unknown): unknown => {
  const number = Number(value);
  return Number.isFinite(number) ? number : String(number);
};

function scalarJson(field: Field, kind: FieldKind, value: unknown, options: JsonOptions): unknown {
  switch (kind) {
    case "int64":
    case "uint64":
    case "sint64":
    case "fixed64":
    case "sfixed64":
      return String(value);
    case "double":
    case "float":
    case "int32":
    case "uint32":
    case "sint32":
    case "fixed32":
    case "sfixed32":
      return numberJson(value);
    case "bytes":
      return bytesText(value);
    case "enum": {
      const type = field.enumType;
      if (type?.name === "google.protobuf.NullValue") return null;
      const number = typeof value === "number" ? value : type?.numbers.get(String(value));
      if (number === undefined) {
        throw new TypeError(`${field.name} has no value ${String(value)} in ${type?.name ?? "?"}`);
      }
      return options.enumNumbers === true ? number : (type?.names.get(number) ?? number);
    }
    case "bool":
    case "string":
      return value;
    case "message":
      return field.message === undefined ? value : toJson(field.message, value, options);
  }
}

function structValueJson(value: unknown): unknown {
  if (!isObject(value)) return null;
  if (value["stringValue"] !== undefined) return value["stringValue"];
  if (value["numberValue"] !== undefined) return numberJson(value["numberValue"]);
  if (value["boolValue"] !== undefined) return value["boolValue"];
  if (isObject(value["structValue"])) return structJson(value["structValue"]);
  if (isObject(value["listValue"])) return listJson(value["listValue"]);
  return null;
}

function structJson(struct: Message): Message {
  const made: Message = {};
  for (const [key, value] of Object.entries(struct["fields"] ?? {})) {
    setField(made, key, structValueJson(value));
  }
  return made;
}

const listJson = (list: Message): unknown[] => {
  const values = list["values"];
  return Array.isArray(values) ? values.map((value) => structValueJson(value)) : [];
};

const toCamel = (path: string): string =>
  path.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
const toSnake = (path: string): string =>
  path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const hasSpecialJson = (name: string): boolean =>
  wrappers.has(name) ||
  [
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.FieldMask",
    "google.protobuf.Struct",
    "google.protobuf.Value",
    "google.protobuf.ListValue",
    "google.protobuf.Any",
  ].includes(name);

function anyJson(any: Message, options: JsonOptions): Message {
  const { "@type": url, ...fields } = any;
  if (typeof url === "string") {
    const type = options.lookup(url.slice(url.lastIndexOf("/") + 1));
    if (type === undefined) throw new TypeError(`The type ${url} is not known here`);
    const body = toJson(type, fields, options);
    return hasSpecialJson(type.name)
      ? { "@type": url, value: body }
      : { "@type": url, ...(body as Message) };
  }
  const typeUrl = any["type_url"] ?? any["typeUrl"];
  if (typeof typeUrl !== "string") return {};
  const type = options.lookup(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
  if (type === undefined) return { "@type": typeUrl, value: bytesText(any["value"] ?? "") };
  const bytes = Buffer.from(bytesOf("value", any["value"] ?? ""));
  return anyJson({ "@type": typeUrl, ...decodeMessage(type, bytes, options.lookup) }, options);
}

/** Writes a message as JSON. A field that the type lacks is a mistake of the caller and throws. */
export function toJson(type: MessageType, message: unknown, options: JsonOptions): unknown {
  if (!isObject(message)) throw new TypeError(`A ${type.name} must be an object`);
  if (wrappers.has(type.name)) {
    const field = type.fields[0];
    if (field === undefined) return null;
    const held = message["value"];
    return held === undefined
      ? wrapperDefault(field)
      : scalarJson(field, field.kind, held, options);
  }
  switch (type.name) {
    case "google.protobuf.Timestamp":
      return dateText(message);
    case "google.protobuf.Duration":
      return durationText(message);
    case "google.protobuf.FieldMask": {
      const paths = message["paths"];
      return Array.isArray(paths) ? paths.map((path) => toCamel(String(path))).join(",") : "";
    }
    case "google.protobuf.Struct":
      return structJson(message);
    case "google.protobuf.Value":
      return structValueJson(message);
    case "google.protobuf.ListValue":
      return listJson(message);
    case "google.protobuf.Any":
      return anyJson(message, options);
    default:
      return plainJson(type, message, options);
  }
}

const wrapperDefault = (field: Field): unknown =>
  field.kind === "bool"
    ? false
    : field.kind === "string" || field.kind === "bytes"
      ? ""
      : field.kind.endsWith("64")
        ? "0"
        : 0;

function plainJson(type: MessageType, message: Message, options: JsonOptions): Message {
  const made: Message = {};
  for (const [name, held] of Object.entries(message)) {
    if (held === undefined || held === null) continue;
    const field = type.byName.get(name);
    if (field === undefined) throw new TypeError(`${name} is not a field of ${type.name}`);
    if (field.mapKey !== undefined) {
      const entries = Object.entries(held);
      if (entries.length === 0) continue;
      const map: Message = {};
      for (const [key, item] of entries) {
        setField(map, key, scalarJson(field, field.kind, item, options));
      }
      made[field.jsonName] = map;
    } else if (field.repeated) {
      if (!Array.isArray(held)) throw new TypeError(`${type.name}.${name} must be a list`);
      if (held.length === 0) continue;
      made[field.jsonName] = held.map((item) => scalarJson(field, field.kind, item, options));
    } else if (field.hasPresence || !isDefault(field, held)) {
      made[field.jsonName] = scalarJson(field, field.kind, held, options);
    }
  }
  return made;
}

/** The refusal of a request that does not match its message, in Google's words. */
export function badField(path: string, description: string, message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, {
    details: [
      {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        fieldViolations: [{ field: path, description }],
      },
    ],
  });
}

function badValue(path: string, kind: string, value: unknown): RpcError {
  // What is nested is not shown: it may be too deep to write.
  const shown =
    typeof value === "object" && value !== null
      ? Array.isArray(value)
        ? "[...]"
        : "{...}"
      : (JSON.stringify(value)?.slice(0, 100) ?? "undefined");
  const text = `Invalid value at '${path}' (${kind}), ${shown}`;
  return badField(path, text, text);
}

const typeLabel = (field: Field, kind: FieldKind): string =>
  kind === "enum"
    ? `type.googleapis.com/${field.enumType?.name ?? "enum"}`
    : `TYPE_${kind.toUpperCase()}`;

const ranges: Partial<Record<FieldKind, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  sint32: [-(2n ** 31n), 2n ** 31n - 1n],
  sfixed32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  fixed32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  sint64: [-(2n ** 63n), 2n ** 63n - 1n],
  sfixed64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  fixed64: [0n, 2n ** 64n - 1n],
};

function parseWhole(field: Field, kind: FieldKind, value: unknown, path: string): bigint {
  const isText = typeof value === "string" && /^-?\d{1,20}$/.test(value);
  const number =
    typeof value === "string" && !isText && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value)
      ? Number(value)
      : value;
  if (!isText && !(typeof number === "number" && Number.isInteger(number))) {
    throw badValue(path, typeLabel(field, kind), value);
  }
  const whole = BigInt(isText ? value : (number as number));
  const [min, max] = ranges[kind] ?? [0n, 0n];
  if (whole < min || whole > max) throw badValue(path, typeLabel(field, kind), value);
  return whole;
}

function parseDouble(field: Field, value: unknown, path: string): number {
  if (typeof value === "number") return value;
  if (typeof value === "string") {
    if (["NaN", "Infinity", "-Infinity"].includes(value)) return Number(value);
    if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value)) return Number(value);
  }
  throw badValue(path, typeLabel(field, field.kind), value);
}

function parseScalar(
  field: Field,
  kind: FieldKind,
  value: unknown,
  path: string,
  depth: number,
  lookup: TypeLookup,
): unknown {
  switch (kind) {
    case "int64":
    case "uint64":
    case "sint64":
    case "fixed64":
    case "sfixed64":
      return parseWhole(field, kind, value, path).toString();
    case "int32":
    case "uint32":
    case "sint32":
    case "fixed32":
    case "sfixed32":
      return Number(parseWhole(field, kind, value, path));
    case "double":
    case "float":
      return parseDouble(field, value, path);
    case "bool":
      if (value === true || value === "true") return true;
      if (value === false || value === "false") return false;
      throw badValue(path, "TYPE_BOOL", value);
    case "string":
      if (typeof value !== "string") throw badValue(path, "TYPE_STRING", value);
      return value;
    case "bytes": {
      if (typeof value !== "string" || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) {
        throw badValue(path, "TYPE_BYTES", value);
      }
      return Buffer.from(value, "base64");
    }
    case "enum": {
      const type = field.enumType;
      if (type?.name === "google.protobuf.NullValue") return "NULL_VALUE";
      if (typeof value === "number" && Number.isInteger(value)) {
        return type?.names.get(value) ?? value;
      }
      if (typeof value === "string" && type?.numbers.has(value) === true) return value;
      // A number in a query arrives as text.
      if (typeof value === "string" && /^-?\d+$/.test(value)) {
        return type?.names.get(Number(value)) ?? Number(value);
      }
      throw badValue(path, typeLabel(field, kind), value);
    }
    case "message":
      return field.message === undefined
        ? value
        : parseAt(field.message, value, path, depth + 1, lookup);
  }
}

function parseStructValue(value: unknown, depth: number): Message {
  if (depth > depthMax) throw tooDeep();
  if (value === null || value === undefined) return { nullValue: "NULL_VALUE" };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) {
    return { listValue: { values: value.map((item) => parseStructValue(item, depth + 1)) } };
  }
  return { structValue: parseStruct(value as Message, depth + 1) };
}

function parseStruct(value: Message, depth: number): Message {
  const fields: Message = {};
  for (const [key, item] of Object.entries(value)) {
    setField(fields, key, parseStructValue(item, depth + 1));
  }
  return { fields };
}

const tooDeep = (): RpcError =>
  new RpcError("INVALID_ARGUMENT", `The JSON body is nested more than ${depthMax} levels deep.`);

function parseAny(value: Message, path: string, depth: number, lookup: TypeLookup): Message {
  const { "@type": url, ...rest } = value;
  if (url === undefined && Object.keys(rest).length === 0) return {};
  if (typeof url !== "string") throw badValue(`${path}.@type`, "TYPE_STRING", url);
  const type = lookup(url.slice(url.lastIndexOf("/") + 1));
  if (type === undefined) {
    const text = `Invalid value at '${path}' (type.googleapis.com/google.protobuf.Any), the type ${url} is not known here`;
    throw badField(path, text, text);
  }
  const body = hasSpecialJson(type.name) ? rest["value"] : rest;
  return { "@type": url, ...parseAt(type, body, path, depth + 1, lookup) };
}

function parseAt(
  type: MessageType,
  value: unknown,
  path: string,
  depth: number,
  lookup: TypeLookup,
): Message {
  if (depth > depthMax) throw tooDeep();
  const label = `type.googleapis.com/${type.name}`;
  if (wrappers.has(type.name)) {
    const field = type.fields[0];
    if (field === undefined) return {};
    const parsed = parseScalar(field, field.kind, value, path, depth, lookup);
    return isDefault(field, parsed) ? {} : { value: parsed };
  }
  switch (type.name) {
    case "google.protobuf.Timestamp": {
      const parsed = parseDate(value);
      if (parsed === undefined) throw badValue(path, label, value);
      return { ...parsed };
    }
    case "google.protobuf.Duration": {
      const parsed = parseDuration(value);
      if (parsed === undefined) throw badValue(path, label, value);
      return { ...parsed };
    }
    case "google.protobuf.FieldMask": {
      if (typeof value !== "string") throw badValue(path, label, value);
      const paths = value.split(",").filter((part) => part !== "");
      return { paths: paths.map((part) => toSnake(part.trim())) };
    }
    case "google.protobuf.Struct":
      if (!isObject(value)) throw badValue(path, label, value);
      return parseStruct(value, depth);
    case "google.protobuf.Value":
      return parseStructValue(value, depth);
    case "google.protobuf.ListValue":
      if (!Array.isArray(value)) throw badValue(path, label, value);
      return { values: value.map((item) => parseStructValue(item, depth + 1)) };
    default:
      if (!isObject(value)) throw badValue(path, label, value);
      return type.name === "google.protobuf.Any"
        ? parseAny(value, path, depth, lookup)
        : parsePlain(type, value, path, depth, lookup);
  }
}

const takesNull = (field: Field): boolean =>
  field.message?.name === "google.protobuf.Value" ||
  field.enumType?.name === "google.protobuf.NullValue";

function parsePlain(
  type: MessageType,
  value: Message,
  path: string,
  depth: number,
  lookup: TypeLookup,
): Message {
  const made: Message = {};
  for (const [name, held] of Object.entries(value)) {
    const field = type.byName.get(name);
    if (field === undefined) {
      const at = path === "" ? "" : ` at '${path}'`;
      const text = `Invalid JSON payload received. Unknown name "${name}"${at}: Cannot find field.`;
      throw badField(path, text, text);
    }
    const at = path === "" ? field.protoName : `${path}.${field.protoName}`;
    if (held === null && !takesNull(field)) continue;
    if (field.mapKey !== undefined) {
      if (!isObject(held)) throw badValue(at, "Map", held);
      const map: Message = {};
      for (const [key, item] of Object.entries(held)) {
        const entryAt = `${at}[${key}]`;
        if (field.mapKey !== "string") {
          parseScalar({ ...field, kind: field.mapKey }, field.mapKey, key, entryAt, depth, lookup);
        }
        setField(map, key, parseScalar(field, field.kind, item, entryAt, depth, lookup));
      }
      if (Object.keys(map).length > 0) made[field.name] = map;
    } else if (field.repeated) {
      if (!Array.isArray(held)) {
        const text = `Invalid JSON payload received. Unknown name "${name}" at '${path}': Proto field is not repeating, cannot start list.`;
        throw badField(
          at,
          text,
          `Invalid value at '${at}' (${typeLabel(field, field.kind)}), a list is expected`,
        );
      }
      const list = held.map((item, index) =>
        parseScalar(field, field.kind, item, `${at}[${index}]`, depth, lookup),
      );
      if (list.length > 0) made[field.name] = list;
    } else {
      const sibling = field.siblings.find((other) => other in made);
      if (sibling !== undefined) {
        const text = `Invalid value at '${path}' (oneof), '${field.name}' and '${sibling}' are exclusive: set one of them.`;
        throw badField(at, text, text);
      }
      const parsed = parseScalar(field, field.kind, held, at, depth, lookup);
      if (field.hasPresence || !isDefault(field, parsed)) made[field.name] = parsed;
    }
  }
  return made;
}

/** Reads a message from JSON; refuses with INVALID_ARGUMENT that names the field. */
export function fromJson(
  type: MessageType,
  value: unknown,
  lookup: TypeLookup,
  path = "",
): Message {
  return parseAt(type, value, path, 0, lookup);
}

/** The wire form of google.rpc.Status, for the `grpc-status-details-bin` trailer. */
export function statusBytes(status: unknown, lookup: TypeLookup): Buffer | undefined {
  const type = lookup("google.rpc.Status");
  return type === undefined ? undefined : encodeMessage(type, status, lookup);
}
