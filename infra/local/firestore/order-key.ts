/**
 * One truth about order: every value has a key, a string of bytes (one character each), and keys compare as
 * Firestore compares values. Filters, sorting, cursors and the index table all compare keys.
 * https://cloud.google.com/firestore/docs/concepts/data-types#value_type_ordering
 */
import type { Fields, Value } from "./values.js";

const scratch = new DataView(new ArrayBuffer(8));
const exactIntegerMax = 9_007_199_254_740_992;

/** Bytes of UTF-8, one character each; zero bytes are escaped so that the terminator sorts first. */
export const textKey = (text: string): string => {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 0 || code > 0x7f) return bytesKey(Buffer.from(text, "utf8"));
  }
  return `${text}\x00\x01`;
};

const bytesKey = (bytes: Buffer): string =>
  `${bytes.toString("latin1").replaceAll("\x00", "\x00\xff")}\x00\x01`;

/** Document ids like `__id7__` are numbers and sort before all others. */
export const segmentKey = (segment: string): string => {
  const numeric = /^__id(-?\d+)__$/.exec(segment);
  if (numeric?.[1] === undefined) return `\x03${textKey(segment)}`;
  scratch.setBigUint64(0, BigInt.asUintN(64, BigInt(numeric[1]) + 2n ** 63n));
  return `\x02${scratchText()}`;
};

const scratchText = (): string => {
  let text = "";
  for (let index = 0; index < 8; index += 1) text += String.fromCharCode(scratch.getUint8(index));
  return text;
};

/** Sixty-four bits that sort as doubles do, NaN first and both zeros equal. */
const doubleBits = (value: number): string => {
  if (Number.isNaN(value)) return "\x00\x00\x00\x00\x00\x00\x00\x00";
  scratch.setFloat64(0, value === 0 ? 0 : value);
  const high = scratch.getUint32(0);
  if (high >= 0x80000000) {
    scratch.setUint32(0, ~high >>> 0);
    scratch.setUint32(4, ~scratch.getUint32(4) >>> 0);
  } else {
    scratch.setUint32(0, (high | 0x80000000) >>> 0);
  }
  return scratchText();
};

/** An integer is its nearest double and what is left, so that integers and doubles share one order. */
const integerKey = (text: string): string => {
  const near = Number(text);
  if (Math.abs(near) < exactIntegerMax) return `\x03${doubleBits(near)}\x80\x00`;
  const rest = Number(BigInt(text) - BigInt(near)) + 0x8000;
  return `\x03${doubleBits(near)}${String.fromCharCode(rest >> 8, rest & 0xff)}`;
};

const uint = (value: number, bytes: number): string => {
  let text = "";
  for (let shift = bytes - 1; shift >= 0; shift -= 1) {
    text += String.fromCharCode(Math.floor(value / 256 ** shift) % 256);
  }
  return text;
};

const secondsOffset = 62_135_596_800;

/** The keys' sort by name uses names, so a reference is its path's segments. */
const referenceKey = (name: string): string => {
  const parts = name.split("/");
  let key = `\x07${textKey(parts.slice(0, 4).join("/"))}`;
  for (const segment of parts.slice(5)) key += segmentKey(segment);
  return `${key}\x00`;
};

const arrayKey = (values: readonly Value[]): string => `\x09${values.map(valueKey).join("")}\x00`;

/** A vector sorts by its length, then element by element. */
const vectorKey = (values: readonly Value[]): string =>
  `\x0a${uint(values.length, 4)}${values.map(valueKey).join("")}`;

const mapKey = (fields: Fields): string => {
  const type = Object.hasOwn(fields, "__type__") ? fields["__type__"] : undefined;
  const elements = fields["value"];
  if (type !== undefined && "stringValue" in type && type.stringValue === "__vector__") {
    if (elements !== undefined && "arrayValue" in elements)
      return vectorKey(elements.arrayValue.values);
  }
  const entries = Object.entries(fields).map(([name, value]) => ({ name: textKey(name), value }));
  entries.sort((a, b) => compareKeys(a.name, b.name));
  return `\x0b${entries.map(({ name, value }) => `\x01${name}${valueKey(value)}`).join("")}\x00`;
};

/** The key of a value; equal keys mean equal values for queries (3 and 3.0 are equal). */
export const valueKey = (value: Value): string => {
  if ("nullValue" in value) return "\x01";
  if ("booleanValue" in value) return value.booleanValue ? "\x02\x01" : "\x02\x00";
  if ("integerValue" in value) return integerKey(value.integerValue);
  if ("doubleValue" in value) return `\x03${doubleBits(value.doubleValue)}\x80\x00`;
  if ("timestampValue" in value) {
    const { seconds, nanos } = value.timestampValue;
    return `\x04${uint(Number(seconds) + secondsOffset, 6)}${uint(nanos, 4)}`;
  }
  if ("stringValue" in value) return `\x05${textKey(value.stringValue)}`;
  if ("bytesValue" in value) return `\x06${bytesKey(value.bytesValue)}`;
  if ("referenceValue" in value) return referenceKey(value.referenceValue);
  if ("geoPointValue" in value) {
    const { latitude, longitude } = value.geoPointValue;
    return `\x08${doubleBits(latitude)}${doubleBits(longitude)}`;
  }
  if ("arrayValue" in value) return arrayKey(value.arrayValue.values);
  return mapKey(value.mapValue.fields);
};

/** Compares keys, which is to compare bytes. */
export const compareKeys = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Two keys of one type begin with the same byte; inequality filters only match within a type. */
export const isSameType = (a: string, b: string): boolean => a.charCodeAt(0) === b.charCodeAt(0);
/** The key of NaN, which equals itself in a unary filter and nothing in a comparison. */
export const nanKey = `\x03${doubleBits(Number.NaN)}\x80\x00`;

/** The key of null. */
export const nullKey = "\x01";
