/** Builds typed columns from loose values, inferring each column's type. */
import type { Column } from "./table.js";

/** Kinds of a loose value; "missing" is null, undefined and the empty string. */
type Kind = "missing" | "number" | "integer" | "boolean" | "timestamp" | "string";

const timestampPattern =
  /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?$/;

/** Milliseconds of an ISO date; a date without a zone is read as UTC on every machine. */
function timestampOf(text: string): number {
  const hasZone = /(?:Z|[+-]\d{2}:?\d{2})$/.test(text) && text.length > 10;
  const iso = text.replace(" ", "T");
  return Date.parse(hasZone || iso.length <= 10 ? iso : `${iso}Z`);
}

function kindOf(value: unknown): Kind {
  if (value === null || value === undefined || value === "") return "missing";
  if (typeof value === "number") {
    if (Number.isNaN(value)) return "missing";
    return Number.isInteger(value) ? "integer" : "number";
  }
  if (typeof value === "bigint") return "integer";
  if (typeof value === "boolean") return "boolean";
  if (value instanceof Date) return "timestamp";
  return typeof value === "string" && timestampPattern.test(value) ? "timestamp" : "string";
}

/** The narrowest type that holds every value. */
function typeOf(parts: readonly ArrayLike<unknown>[]): Column["type"] {
  let type: Kind = "missing";
  for (const values of parts) {
    for (let i = 0; i < values.length; i += 1) {
      const kind = kindOf(values[i]);
      if (kind === type || kind === "missing") continue;
      const isWider = type === "integer" && kind === "number";
      const isNarrower = type === "number" && kind === "integer";
      if (type === "missing" || isWider) type = kind;
      else if (!isNarrower) return "string";
    }
  }
  return type === "missing" ? "string" : type;
}

function toNumber(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  if (value instanceof Date) return value.getTime();
  return typeof value === "string" && value !== "" ? timestampOf(value) : NaN;
}

function toText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Date) return value.toISOString();
  return JSON.stringify(value) ?? "";
}

/**
 * A column from loose values: numbers, big integers, booleans, dates, ISO dates or text. They may come in parts, because
 * putting a million numbers together as loose values costs more than reading them.
 */
export function buildColumn(...parts: readonly ArrayLike<unknown>[]): Column {
  const type = typeOf(parts);
  const length = parts.reduce((sum, values) => sum + values.length, 0);
  let row = 0;
  if (type !== "string") {
    const numbers = new Float64Array(length);
    for (const values of parts) {
      for (let i = 0; i < values.length; i += 1, row += 1) numbers[row] = toNumber(values[i]);
    }
    return { type, values: numbers };
  }
  const codeOf = new Map<string, number>();
  const dictionary: string[] = [];
  const codes = new Int32Array(length).fill(-1);
  for (const values of parts) {
    for (let i = 0; i < values.length; i += 1, row += 1) {
      const value = values[i];
      if (kindOf(value) === "missing") continue;
      const text = toText(value);
      let code = codeOf.get(text);
      if (code === undefined) {
        code = dictionary.push(text) - 1;
        codeOf.set(text, code);
      }
      codes[row] = code;
    }
  }
  return { type, codes, dictionary };
}

/** A column from the text cells of a CSV file: numbers and booleans are recognised when all cells are. */
export function buildColumnFromText(cells: readonly string[]): Column {
  const filled = cells.filter((cell) => cell !== "");
  if (
    filled.length > 0 &&
    filled.every((cell) => cell.trim() !== "" && Number.isFinite(Number(cell)))
  ) {
    return buildColumn(cells.map((cell) => (cell === "" ? null : Number(cell))));
  }
  if (filled.length > 0 && filled.every((cell) => /^(?:true|false)$/i.test(cell))) {
    return buildColumn(cells.map((cell) => (cell === "" ? null : cell.toLowerCase() === "true")));
  }
  return buildColumn(cells);
}
