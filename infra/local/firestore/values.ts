/** Firestore's values: what may be stored, how it is checked, and how much room it takes. */
import { RpcError } from "../protocol/service.js";
import type { WireTimestamp, WireValue } from "./wire.js";

/** google.protobuf.Timestamp with both parts present. */
export interface Timestamp {
  readonly seconds: string;
  readonly nanos: number;
}

/** A checked value: exactly one member, every default filled in, timestamps cut to microseconds. */
export type Value =
  | { readonly nullValue: "NULL_VALUE" }
  | { readonly booleanValue: boolean }
  | { readonly integerValue: string }
  | { readonly doubleValue: number }
  | { readonly timestampValue: Timestamp }
  | { readonly stringValue: string }
  | { readonly bytesValue: Buffer }
  | { readonly referenceValue: string }
  | { readonly geoPointValue: { readonly latitude: number; readonly longitude: number } }
  | { readonly arrayValue: { readonly values: readonly Value[] } }
  | { readonly mapValue: { readonly fields: Fields } };

/** The fields of a document or of a map. */
export type Fields = Readonly<Record<string, Value>>;

/** The null value. */
export const nullValue: Value = { nullValue: "NULL_VALUE" };

/** Limits of Cloud Firestore, https://cloud.google.com/firestore/quotas */
export const limits = {
  documentBytesMax: 1_048_576,
  fieldNameBytesMax: 1_500,
  valueBytesMax: 1_048_487,
  requestBytesMax: 10 * 1_048_576,
  depthMax: 20,
} as const;

const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;
const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

/** Checks a timestamp and cuts it to microseconds, the precision that is stored. */
export const readTimestamp = (wire: WireTimestamp): Timestamp => {
  const seconds = Number(wire.seconds ?? 0);
  const nanos = wire.nanos ?? 0;
  if (!(seconds >= secondsMin && seconds <= secondsMax) || !(nanos >= 0 && nanos < 1e9)) {
    throw invalid(
      `Timestamp seconds:${seconds} nanos:${nanos} is out of range; use years 0001 to 9999.`,
    );
  }
  return { seconds: String(seconds), nanos: nanos - (nanos % 1000) };
};

/** Microseconds since 1970 of a timestamp; exact for every year this cloud will see. */
export const microsOf = (timestamp: WireTimestamp): number =>
  Number(timestamp.seconds ?? 0) * 1_000_000 + Math.floor((timestamp.nanos ?? 0) / 1000);

/** The timestamp of microseconds since 1970. */
export const timestampOf = (micros: number): Timestamp => {
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds: String(seconds), nanos: (micros - seconds * 1_000_000) * 1000 };
};

const readInteger = (wire: string | number): Value => {
  const integer = BigInt(wire);
  if (integer > int64Max || integer < int64Min)
    throw invalid(`Integer ${wire} does not fit 64 bits.`);
  return { integerValue: String(integer) };
};

const readGeoPoint = (wire: NonNullable<WireValue["geoPointValue"]>): Value => {
  const latitude = wire.latitude ?? 0;
  const longitude = wire.longitude ?? 0;
  if (!(Math.abs(latitude) <= 90)) throw invalid(`Latitude ${latitude} must be in [-90, 90].`);
  if (!(Math.abs(longitude) <= 180))
    throw invalid(`Longitude ${longitude} must be in [-180, 180].`);
  return { geoPointValue: { latitude, longitude } };
};

const readArray = (wire: readonly WireValue[], depth: number): Value => ({
  arrayValue: {
    values: wire.map((element) => {
      if (element.arrayValue !== undefined) {
        throw invalid("Cannot convert an array value in an array value.");
      }
      return readValue(element, depth + 1);
    }),
  },
});

const readMap = (wire: Readonly<Record<string, WireValue>>, depth: number): Value => ({
  mapValue: { fields: readFields(wire, depth + 1) },
});

const longValue = (name: string): RpcError =>
  invalid(`The value of property "${name}" is longer than ${limits.valueBytesMax} bytes.`);

/** Checks one value; a value without a member is refused as the service refuses it. */
export const readValue = (wire: WireValue, depth = 0, name = ""): Value => {
  if (depth > limits.depthMax) throw invalid("Property contains an invalid nested entity.");
  if (wire.stringValue !== undefined) {
    if (wire.stringValue.length > limits.valueBytesMax) throw longValue(name);
    return { stringValue: wire.stringValue };
  }
  if (wire.integerValue !== undefined) return readInteger(wire.integerValue);
  if (wire.booleanValue !== undefined) return { booleanValue: wire.booleanValue };
  if (wire.mapValue !== undefined) return readMap(wire.mapValue.fields ?? {}, depth);
  if (wire.arrayValue !== undefined) return readArray(wire.arrayValue.values ?? [], depth);
  if (wire.timestampValue !== undefined)
    return { timestampValue: readTimestamp(wire.timestampValue) };
  if (wire.doubleValue !== undefined) return { doubleValue: Number(wire.doubleValue) };
  if (wire.bytesValue !== undefined) {
    if (wire.bytesValue.length > limits.valueBytesMax) throw longValue(name);
    return { bytesValue: wire.bytesValue };
  }
  if (wire.referenceValue !== undefined) return { referenceValue: wire.referenceValue };
  if (wire.geoPointValue !== undefined) return readGeoPoint(wire.geoPointValue);
  if (wire.nullValue !== undefined) return nullValue;
  throw invalid("Cannot convert firestore.v1.Value with type unset.");
};

/** A vector is a map with this shape; it is the one place where reserved names may appear. */
const isVector = (fields: Readonly<Record<string, WireValue>>): boolean =>
  Object.hasOwn(fields, "__type__") && fields["__type__"]?.stringValue === "__vector__";

/** Checks the fields of a document or a map: names and values. */
export const readFields = (wire: Readonly<Record<string, WireValue>>, depth = 0): Fields => {
  const vector = depth > 0 && isVector(wire);
  const fields: Record<string, Value> = {};
  for (const [name, value] of Object.entries(wire)) {
    if (name === "") throw invalid("The property name is the empty string.");
    if (!vector && /^__.*__$/s.test(name)) {
      throw invalid(`field name '${name}' is reserved.`);
    }
    if (name.length > limits.fieldNameBytesMax) {
      throw invalid(`The property.name is longer than ${limits.fieldNameBytesMax} bytes.`);
    }
    fields[name] = readValue(value, depth, name);
  }
  return fields;
};

/** Bytes that a value counts for, https://cloud.google.com/firestore/docs/storage-size */
export const sizeOfValue = (value: Value): number => {
  if ("stringValue" in value) return Buffer.byteLength(value.stringValue) + 1;
  if ("bytesValue" in value) return value.bytesValue.length;
  if ("mapValue" in value) return sizeOfFields(value.mapValue.fields);
  if ("arrayValue" in value) {
    return value.arrayValue.values.reduce((sum, element) => sum + sizeOfValue(element), 0);
  }
  if ("referenceValue" in value) return sizeOfPath(value.referenceValue);
  if ("geoPointValue" in value) return 16;
  if ("nullValue" in value || "booleanValue" in value) return 1;
  return 8;
};

/** Bytes that fields count for, names included. */
export const sizeOfFields = (fields: Fields): number => {
  let size = 0;
  for (const [name, value] of Object.entries(fields))
    size += Buffer.byteLength(name) + 1 + sizeOfValue(value);
  return size;
};

const sizeOfPath = (name: string): number =>
  name
    .split("/")
    .slice(5)
    .reduce((sum, segment) => sum + Buffer.byteLength(segment) + 1, 16);

/** Bytes that a document counts for against the limit of 1 MiB. */
export const sizeOfDocument = (name: string, fields: Fields): number =>
  sizeOfPath(name) + sizeOfFields(fields) + 32;

const sameTimestamp = (a: Timestamp, b: Timestamp): boolean =>
  a.seconds === b.seconds && a.nanos === b.nanos;

/** Whether two values are the same bytes when stored: 3 is not 3.0, and NaN is itself. */
export const isSameValue = (a: Value, b: Value): boolean => {
  if ("mapValue" in a) return "mapValue" in b && isSameFields(a.mapValue.fields, b.mapValue.fields);
  if ("arrayValue" in a) {
    if (!("arrayValue" in b) || a.arrayValue.values.length !== b.arrayValue.values.length)
      return false;
    const others = b.arrayValue.values;
    return a.arrayValue.values.every((element, index) => {
      const other = others[index];
      return other !== undefined && isSameValue(element, other);
    });
  }
  if ("stringValue" in a) return "stringValue" in b && a.stringValue === b.stringValue;
  if ("integerValue" in a) return "integerValue" in b && a.integerValue === b.integerValue;
  if ("doubleValue" in a) return "doubleValue" in b && Object.is(a.doubleValue, b.doubleValue);
  if ("booleanValue" in a) return "booleanValue" in b && a.booleanValue === b.booleanValue;
  if ("timestampValue" in a) {
    return "timestampValue" in b && sameTimestamp(a.timestampValue, b.timestampValue);
  }
  if ("bytesValue" in a) return "bytesValue" in b && a.bytesValue.equals(b.bytesValue);
  if ("referenceValue" in a) return "referenceValue" in b && a.referenceValue === b.referenceValue;
  if ("geoPointValue" in a) {
    return (
      "geoPointValue" in b &&
      Object.is(a.geoPointValue.latitude, b.geoPointValue.latitude) &&
      Object.is(a.geoPointValue.longitude, b.geoPointValue.longitude)
    );
  }
  return "nullValue" in b;
};

/** Whether two sets of fields are the same when stored, whatever the order of their names. */
export const isSameFields = (a: Fields, b: Fields): boolean => {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => {
    const left = a[name];
    const right = Object.hasOwn(b, name) ? b[name] : undefined;
    return left !== undefined && right !== undefined && isSameValue(left, right);
  });
};
