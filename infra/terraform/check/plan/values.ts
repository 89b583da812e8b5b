/** What expressions come to. What only Google Cloud knows stays a name in the text: `${google_x.y.email}`. */

/** A value. */
export type Value = string | number | boolean | null | readonly Value[] | ValueObject | Reference;

/** An object or map. */
export interface ValueObject {
  readonly [key: string]: Value;
}

const address = Symbol("address");

/** Something with an address whose attributes are looked up when they are asked for: a resource or a data source. */
export interface Reference {
  readonly [address]: string;
  /** The line is that of who asks. */
  readonly attribute: (name: string, line: number) => Value;
}

/** An expression cannot be worked out, and why. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
  readonly line: number;
  readonly file: string | null;
  constructor(message: string, line: number, file: string | null = null) {
    super(message);
    this.line = line;
    this.file = file;
  }
  /** The same, in this file unless it is already known to be in another. */
  inFile(file: string): EvaluationError {
    return this.file === null ? new EvaluationError(this.message, this.line, file) : this;
  }
}

/** What somebody gave as an input does not fit. */
export class InputError extends EvaluationError {}

/** Makes a reference. */
export const referenceTo = (
  name: string,
  attribute: (name: string, line: number) => Value,
): Reference => ({
  [address]: name,
  attribute,
});

/** Whether a value is a reference. */
export const isReference = (value: Value): value is Reference =>
  typeof value === "object" && value !== null && address in value;

/** Whether a value is an object or a map. */
export const isObject = (value: Value): value is ValueObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !isReference(value);

/** Whether a value is a list. */
export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);

/** A value that is known only once it is applied, by the name of where it comes from. */
export const unknownOf = (name: string): string => `\${${name}}`;

/** Whether a text is, or holds, something that is known only once it is applied. */
export const isUnknown = (value: Value): boolean =>
  typeof value === "string" && value.includes("${");

/** A value as the text of a template. */
export const textOf = (value: Value): string => {
  if (isReference(value)) return unknownOf(value[address]);
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
};

/** Whether two values are the same. */
export const areEqual = (left: Value, right: Value): boolean =>
  left === right || JSON.stringify(left) === JSON.stringify(right);
