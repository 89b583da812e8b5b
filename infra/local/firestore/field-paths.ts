/** Paths to fields (`a.b`, `` a.`x&y` ``): parsing, reading, writing, masks. */
import { RpcError } from "../protocol/service.js";
import type { Fields, Value } from "./values.js";

/** A path, one name a step. */
export type FieldPath = readonly string[];

/** Parses a dotted path with back-ticks around names that are not simple. */
export const readFieldPath = (text: string): FieldPath => {
  if (/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/.test(text)) return text.split(".");
  const path: string[] = [];
  const step = /(?:`((?:[^`\\]|\\.)+)`|([A-Za-z_][A-Za-z0-9_]*))(\.|$)/gsy;
  while (step.lastIndex < text.length) {
    const match = step.exec(text);
    if (match === null) throw invalidPath(text);
    path.push(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll(/\\(.)/gs, "$1"));
    if (match[3] === "" && step.lastIndex === text.length) return path;
  }
  throw invalidPath(text);
};

const invalidPath = (text: string): RpcError =>
  new RpcError(
    "INVALID_ARGUMENT",
    `Invalid property path "${text}". Unquoted property paths must match regex ([a-zA-Z_][a-zA-Z_0-9]*), and quoted property paths must match regex (\`(?:[^\`\\\\]|(?:\\\\.))+\`)`,
  );

/** The value at a path; undefined where there is none. */
export const valueAt = (fields: Fields, path: FieldPath): Value | undefined => {
  let current: Fields = fields;
  for (let index = 0; index < path.length; index += 1) {
    const name = path[index] ?? "";
    const value = Object.hasOwn(current, name) ? current[name] : undefined;
    if (value === undefined || index === path.length - 1) return value;
    if (!("mapValue" in value)) return undefined;
    current = value.mapValue.fields;
  }
  return undefined;
};

/** The fields with the value at a path set; whatever stands in the way of the path is replaced by maps. */
export const withValueAt = (fields: Fields, path: FieldPath, value: Value): Fields => {
  const [name = "", ...rest] = path;
  if (rest.length === 0) return { ...fields, [name]: value };
  const inner = Object.hasOwn(fields, name) ? fields[name] : undefined;
  const innerFields = inner !== undefined && "mapValue" in inner ? inner.mapValue.fields : {};
  return { ...fields, [name]: { mapValue: { fields: withValueAt(innerFields, rest, value) } } };
};

/** The fields without the value at a path. */
export const withoutValueAt = (fields: Fields, path: FieldPath): Fields => {
  const [name = "", ...rest] = path;
  if (!Object.hasOwn(fields, name)) return fields;
  if (rest.length === 0) {
    const { [name]: _removed, ...others } = fields;
    return others;
  }
  const inner = fields[name];
  if (inner === undefined || !("mapValue" in inner)) return fields;
  return {
    ...fields,
    [name]: { mapValue: { fields: withoutValueAt(inner.mapValue.fields, rest) } },
  };
};

/** Only the fields that a mask names. */
export const project = (fields: Fields, paths: readonly FieldPath[]): Fields => {
  let projected: Fields = {};
  for (const path of paths) {
    const value = valueAt(fields, path);
    if (value !== undefined) projected = withValueAt(projected, path, value);
  }
  return projected;
};
