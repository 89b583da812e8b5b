/** The list filters of models and endpoints: clauses joined by AND, each over an id, a display name or labels. */
import { RpcError } from "../protocol/service.js";
import type { Labels } from "./messages.js";

/** What a clause can look at. */
export interface Filterable {
  readonly id: string;
  readonly displayName: string;
  readonly labels: Labels;
}

type Test = (item: Filterable) => boolean;

const unquote = (text: string): string => {
  const trimmed = text.trim();
  const isQuoted = /^"(?:[^"\\]|\\.)*"$/.test(trimmed) || /^'(?:[^'\\]|\\.)*'$/.test(trimmed);
  return isQuoted ? trimmed.slice(1, -1).replaceAll(/\\(.)/g, "$1") : trimmed;
};

/** A value in quotes, or one word without any. */
const valuePattern = String.raw`("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"']+)`;
const labelEquality = new RegExp(
  String.raw`^labels\.("[^"]+"|[^\s"=:!]+)\s*(!?=)\s*${valuePattern}$`,
);
const fieldEquality = new RegExp(String.raw`^([A-Za-z_]+)\s*(!?=)\s*${valuePattern}$`);

/** Splits at AND outside of quotes. */
const clausesOf = (filter: string): readonly string[] => {
  const clauses: string[] = [""];
  for (const piece of filter.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\s+AND\s+|[\s\S]/g) ?? []) {
    if (/^\s+AND\s+$/.test(piece)) clauses.push("");
    else clauses.push((clauses.pop() ?? "") + piece);
  }
  return clauses.map((clause) => clause.trim()).filter((clause) => clause !== "");
};

const refuse = (clause: string, idField: string): never => {
  throw new RpcError(
    "INVALID_ARGUMENT",
    `Invalid filter "${clause}": use ${idField}=ID, display_name="NAME", labels.KEY=VALUE or labels.KEY:*, joined by AND.`,
  );
};

const labelTest = (clause: string): Test | undefined => {
  const presence =
    /^labels:("[^"]+"|[^\s"=]+)$/.exec(clause) ??
    /^labels\.("[^"]+"|[^\s"=:!]+)\s*:\s*\*$/.exec(clause);
  if (presence !== null) {
    const key = unquote(presence[1] ?? "");
    return ({ labels }) => Object.hasOwn(labels, key);
  }
  const equality = labelEquality.exec(clause);
  if (equality === null) return undefined;
  const key = unquote(equality[1] ?? "");
  const value = unquote(equality[3] ?? "");
  const isEqual: Test = ({ labels }) => Object.hasOwn(labels, key) && labels[key] === value;
  return equality[2] === "=" ? isEqual : (item) => !isEqual(item);
};

const testOf = (clause: string, idField: string): Test => {
  const label = labelTest(clause);
  if (label !== undefined) return label;
  const match = fieldEquality.exec(clause);
  const field = match?.[1] ?? "";
  const value = unquote(match?.[3] ?? "");
  const isWanted = match?.[2] === "=";
  if (field === "display_name" || field === "displayName") {
    return ({ displayName }) => (displayName === value) === isWanted;
  }
  if (field === idField) return ({ id }) => (id === value) === isWanted;
  return refuse(clause, idField);
};

/** Reads a filter; `idField` is what the resource's id is called in it (`model` or `endpoint`). */
export const parseFilter = (filter: string | undefined, idField: string): Test => {
  const tests = clausesOf(filter ?? "").map((clause) => testOf(clause, idField));
  return (item) => tests.every((test) => test(item));
};
