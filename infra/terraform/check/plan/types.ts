/** Types of variables: whether a value fits, and what it becomes. */
import type { Expression } from "../hcl/syntax.js";
import { isList, isObject, isUnknown, type Value } from "./values.js";

/** A value does not fit its variable's type. */
export class TypeMismatchError extends Error {
  override readonly name = "TypeMismatchError";
}

const misfit = (path: string, expected: string, value: Value): never => {
  throw new TypeMismatchError(`${path} must be ${expected}, not ${JSON.stringify(value)}`);
};

const scalar = (path: string, type: string, value: Value): Value => {
  if (type === "any" || isUnknown(value)) return value;
  if (type === "string") {
    return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : misfit(path, "a text", value);
  }
  if (type === "number") {
    const number = typeof value === "string" && value !== "" ? Number(value) : value;
    return typeof number === "number" && !Number.isNaN(number)
      ? number
      : misfit(path, "a number", value);
  }
  if (type === "bool") {
    if (value === "true" || value === "false") return value === "true";
    return typeof value === "boolean" ? value : misfit(path, "true or false", value);
  }
  throw new TypeMismatchError(`${path} has the unknown type ${type}`);
};

const optionalOf = (type: Expression) =>
  type.kind === "call" && type.name === "optional" ? type.args : undefined;

const objectOf = (path: string, type: Expression, value: Value): Value => {
  if (!isObject(value)) return misfit(path, "an object", value);
  if (type.kind !== "object") return value;
  return Object.fromEntries(
    type.entries.map(({ key, value: member }) => {
      const name = key.kind === "literal" ? String(key.value) : "";
      const optional = optionalOf(member);
      const given = value[name] ?? null;
      if (given !== null) return [name, conform(`${path}.${name}`, optional?.[0] ?? member, given)];
      if (optional === undefined) throw new TypeMismatchError(`${path} lacks ${name}`);
      const [, otherwise] = optional;
      return [name, otherwise?.kind === "literal" ? otherwise.value : null];
    }),
  );
};

/** The value as its type has it; throws TypeMismatchError when it does not fit. */
export const conform = (path: string, type: Expression | undefined, value: Value): Value => {
  if (type === undefined || value === null) return value;
  if (type.kind === "name") return scalar(path, type.name, value);
  const [inner] = type.kind === "call" ? type.args : [];
  if (type.kind !== "call" || inner === undefined) return value;
  if (type.name === "object") return objectOf(path, inner, value);
  if (type.name === "map") {
    if (!isObject(value)) return misfit(path, "a map", value);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, conform(`${path}["${key}"]`, inner, item)]),
    );
  }
  if (!isList(value)) return misfit(path, "a list", value);
  return value.map((item, index) => conform(`${path}[${String(index)}]`, inner, item));
};
