/** Fields as text in the database: JSON, with tags for what JSON cannot say. */
import type { Fields, Value } from "./values.js";

const doubleText = (value: number): number | string => {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  return Object.is(value, -0) ? "-0" : String(value);
};

/** One-letter tags keep the text short: the database is read by this file alone. */
const toJson = (value: Value): unknown => {
  if ("stringValue" in value) return value.stringValue;
  if ("booleanValue" in value) return value.booleanValue;
  if ("nullValue" in value) return null;
  if ("integerValue" in value) return { i: value.integerValue };
  if ("doubleValue" in value) return { d: doubleText(value.doubleValue) };
  if ("timestampValue" in value)
    return { t: [value.timestampValue.seconds, value.timestampValue.nanos] };
  if ("mapValue" in value) return { m: fieldsToJson(value.mapValue.fields) };
  if ("arrayValue" in value) return { a: value.arrayValue.values.map(toJson) };
  if ("bytesValue" in value) return { b: value.bytesValue.toString("base64") };
  if ("referenceValue" in value) return { r: value.referenceValue };
  return {
    g: [doubleText(value.geoPointValue.latitude), doubleText(value.geoPointValue.longitude)],
  };
};

const fieldsToJson = (fields: Fields): readonly unknown[] =>
  Object.entries(fields).flatMap(([name, value]) => [name, toJson(value)]);

interface Tagged {
  readonly i?: string;
  readonly d?: number | string;
  readonly t?: readonly [string, number];
  readonly m?: readonly Json[];
  readonly a?: readonly Json[];
  readonly b?: string;
  readonly r?: string;
  readonly g?: readonly [number | string, number | string];
}
type Json = string | boolean | null | Tagged;

const fromJson = (json: Json): Value => {
  if (typeof json === "string") return { stringValue: json };
  if (typeof json === "boolean") return { booleanValue: json };
  if (json === null) return { nullValue: "NULL_VALUE" };
  if (json.i !== undefined) return { integerValue: json.i };
  if (json.d !== undefined) return { doubleValue: Number(json.d) };
  if (json.t !== undefined) return { timestampValue: { seconds: json.t[0], nanos: json.t[1] } };
  if (json.m !== undefined) return { mapValue: { fields: fieldsFromJson(json.m) } };
  if (json.a !== undefined) return { arrayValue: { values: json.a.map(fromJson) } };
  if (json.b !== undefined) return { bytesValue: Buffer.from(json.b, "base64") };
  if (json.r !== undefined) return { referenceValue: json.r };
  const [latitude, longitude] = json.g ?? [0, 0];
  return { geoPointValue: { latitude: Number(latitude), longitude: Number(longitude) } };
};

const fieldsFromJson = (json: readonly Json[]): Fields => {
  const fields: Record<string, Value> = {};
  for (let index = 0; index < json.length; index += 2) {
    const name = json[index];
    if (typeof name === "string") fields[name] = fromJson(json[index + 1] ?? null);
  }
  return fields;
};

/** Fields as text. */
export const writeFields = (fields: Fields): string => JSON.stringify(fieldsToJson(fields));

/** Text as fields; the text was written by writeFields. */
export const parseFields = (text: string): Fields =>
  fieldsFromJson(JSON.parse(text) as readonly Json[]);
