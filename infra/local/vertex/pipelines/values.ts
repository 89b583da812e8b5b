/** Parameter values and their types. */
import type { ParameterType } from "./spec.js";

/** The value is not of the declared type. */
export class ValueError extends Error {
  override readonly name = "ValueError";
}

const isStruct = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const fits = (value: unknown, type: ParameterType): boolean => {
  switch (type) {
    case "STRING":
      return typeof value === "string";
    case "NUMBER_INTEGER":
      return Number.isSafeInteger(value);
    case "NUMBER_DOUBLE":
      return typeof value === "number" && Number.isFinite(value);
    case "BOOLEAN":
      return typeof value === "boolean";
    case "LIST":
      return Array.isArray(value);
    case "STRUCT":
    case "TASK_FINAL_STATUS":
      return isStruct(value);
  }
};

const excerptCharsMax = 120;

/** A value in an error message, shortened. */
const excerpt = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > excerptCharsMax ? `${text.slice(0, excerptCharsMax)}...` : text;
};

/** Returns the value when it is of the type, and throws ValueError naming it otherwise. */
export const checkValue = (value: unknown, type: ParameterType, what: string): unknown => {
  if (fits(value, type)) return value;
  throw new ValueError(`${what} must be ${type} and is ${excerpt(value)}`);
};

const parseJson = (text: string, type: ParameterType, what: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ValueError(`${what} must be ${type} and is ${excerpt(text)}`, { cause });
  }
};

/** Reads a value from text (an output file, or a constant made of placeholders) by its declared type. */
export const readValue = (text: string, type: ParameterType, what: string): unknown => {
  switch (type) {
    case "STRING":
      return text;
    case "BOOLEAN": {
      const word = text.trim().toLowerCase();
      if (word === "true" || word === "false") return word === "true";
      throw new ValueError(`${what} must be ${type} and is ${excerpt(text)}`);
    }
    case "NUMBER_INTEGER":
    case "NUMBER_DOUBLE": {
      if (!/^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$/.test(text)) {
        throw new ValueError(`${what} must be ${type} and is ${excerpt(text)}`);
      }
      return checkValue(Number(text), type, what);
    }
    case "LIST":
    case "STRUCT":
    case "TASK_FINAL_STATUS":
      return checkValue(parseJson(text, type, what), type, what);
  }
};

/** A value as text inside a command: strings as they are, everything else as JSON. */
export const valueText = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "");
