/** Field transforms: what the server computes from a field's current value. */
import { RpcError } from "../protocol/service.js";
import { withValueAt, valueAt, readFieldPath, type FieldPath } from "./field-paths.js";
import { compareKeys, valueKey } from "./order-key.js";
import { nullValue, readValue, type Fields, type Timestamp, type Value } from "./values.js";
import type { WireTransform, WireValue } from "./wire.js";

type Numeric = { readonly integerValue: string } | { readonly doubleValue: number };

/** A checked transform. */
export type Transform = { readonly path: FieldPath } & (
  | { readonly kind: "request-time" }
  | { readonly kind: "increment" | "maximum" | "minimum"; readonly operand: Numeric }
  | { readonly kind: "append" | "remove"; readonly elements: readonly Value[] }
);

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

const numeric = (wire: WireValue, what: string): Numeric => {
  const value = readValue(wire);
  if ("integerValue" in value || "doubleValue" in value) return value;
  throw invalid(`The ${what} transform takes an integer or a double.`);
};

const elementsOf = (wire: { readonly values?: readonly WireValue[] }): readonly Value[] =>
  (wire.values ?? []).map((element) => {
    if (element.arrayValue !== undefined)
      throw invalid("Cannot convert an array value in an array value.");
    return readValue(element);
  });

/** Checks one transform. */
export const readTransform = (wire: WireTransform): Transform => {
  const path = readFieldPath(wire.fieldPath ?? "");
  if (wire.setToServerValue !== undefined) {
    if (wire.setToServerValue !== "REQUEST_TIME")
      throw invalid("The server value must be REQUEST_TIME.");
    return { path, kind: "request-time" };
  }
  if (wire.increment)
    return { path, kind: "increment", operand: numeric(wire.increment, "increment") };
  if (wire.maximum) return { path, kind: "maximum", operand: numeric(wire.maximum, "maximum") };
  if (wire.minimum) return { path, kind: "minimum", operand: numeric(wire.minimum, "minimum") };
  if (wire.appendMissingElements) {
    return { path, kind: "append", elements: elementsOf(wire.appendMissingElements) };
  }
  if (wire.removeAllFromArray)
    return { path, kind: "remove", elements: elementsOf(wire.removeAllFromArray) };
  throw invalid(`The transform of "${wire.fieldPath ?? ""}" has no operation.`);
};

const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);

const add = (a: Numeric, b: Numeric): Numeric => {
  if ("integerValue" in a && "integerValue" in b) {
    const sum = BigInt(a.integerValue) + BigInt(b.integerValue);
    return { integerValue: String(sum > int64Max ? int64Max : sum < int64Min ? int64Min : sum) };
  }
  return { doubleValue: numberOf(a) + numberOf(b) };
};

const numberOf = (value: Numeric): number =>
  "integerValue" in value ? Number(value.integerValue) : value.doubleValue;

/** The larger (sign 1) or smaller (sign -1) of two; the stored value stays when they are equal, NaN wins. */
const extreme = (current: Numeric, operand: Numeric, sign: 1 | -1): Numeric => {
  if (Number.isNaN(numberOf(current))) return current;
  if (Number.isNaN(numberOf(operand))) return operand;
  return compareKeys(valueKey(operand), valueKey(current)) * sign > 0 ? operand : current;
};

const asNumeric = (value: Value | undefined): Numeric | undefined =>
  value !== undefined && ("integerValue" in value || "doubleValue" in value) ? value : undefined;

const asElements = (value: Value | undefined): readonly Value[] =>
  value !== undefined && "arrayValue" in value ? value.arrayValue.values : [];

const append = (current: readonly Value[], elements: readonly Value[]): readonly Value[] => {
  const present = new Set(current.map(valueKey));
  const added = elements.filter((element) => {
    const key = valueKey(element);
    return !present.has(key) && present.add(key) !== undefined;
  });
  return [...current, ...added];
};

const remove = (current: readonly Value[], elements: readonly Value[]): readonly Value[] => {
  const gone = new Set(elements.map(valueKey));
  return current.filter((element) => !gone.has(valueKey(element)));
};

const resultOf = (
  transform: Transform,
  current: Value | undefined,
  requestTime: Timestamp,
): Value => {
  switch (transform.kind) {
    case "request-time":
      return { timestampValue: requestTime };
    case "increment": {
      const number = asNumeric(current);
      return number === undefined ? transform.operand : add(number, transform.operand);
    }
    case "maximum":
    case "minimum": {
      const number = asNumeric(current);
      if (number === undefined) return transform.operand;
      return extreme(number, transform.operand, transform.kind === "maximum" ? 1 : -1);
    }
    case "append":
      return { arrayValue: { values: append(asElements(current), transform.elements) } };
    case "remove":
      return { arrayValue: { values: remove(asElements(current), transform.elements) } };
  }
};

/** The fields after all transforms, in order, and what each answers. */
export const applyTransforms = (
  fields: Fields,
  transforms: readonly Transform[],
  requestTime: Timestamp,
): { readonly fields: Fields; readonly results: readonly Value[] } => {
  let current = fields;
  const results: Value[] = [];
  for (const transform of transforms) {
    const value = resultOf(transform, valueAt(current, transform.path), requestTime);
    current = withValueAt(current, transform.path, value);
    results.push(transform.kind === "append" || transform.kind === "remove" ? nullValue : value);
  }
  return { fields: current, results };
};
