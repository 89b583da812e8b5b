/** Queries against entries in their JSON form. */
import { RpcError } from "../../protocol/service.js";
import { readTime } from "../time.js";
import { knownPath, severityRanks, type Absent } from "./fields.js";
import { parseQuery, type Comparator, type Literal, type Query } from "./parser.js";

/** Whether an entry matches. */
export type Matcher = (entry: Readonly<Record<string, unknown>>) => boolean;

const bad = (why: string): RpcError =>
  new RpcError("INVALID_ARGUMENT", `Unparseable filter: ${why}`);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Every value at a path; lists are looked through, element by element. */
const valuesAt = (value: unknown, path: readonly string[]): readonly unknown[] => {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => valuesAt(item, path));
  const [name, ...rest] = path;
  if (name === undefined) return value === undefined ? [] : [value];
  return isObject(value) && Object.hasOwn(value, name) ? valuesAt(value[name], rest) : [];
};

const scalarText = (value: unknown): string =>
  typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : "";

const leavesOf = (value: unknown): readonly string[] => {
  if (Array.isArray(value)) return value.flatMap(leavesOf);
  if (isObject(value)) return Object.values(value).flatMap(leavesOf);
  return value === null || value === undefined ? [] : [scalarText(value)];
};

const ordered = (comparator: Comparator, difference: number): boolean => {
  switch (comparator) {
    case "=":
    case ":":
      return difference === 0;
    case "!=":
      return difference !== 0;
    case ">":
      return difference > 0;
    case ">=":
      return difference >= 0;
    case "<":
      return difference < 0;
    case "<=":
      return difference <= 0;
    case "=~":
    case "!~":
      return false;
  }
};

const byText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

const durationSeconds = (text: string): number | undefined => {
  const match = /^(-?\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const units: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  return match === null ? undefined : Number(match[1]) * (units[match[2] ?? "s"] ?? 1);
};

const matchText = (held: string, comparator: Comparator, wanted: string): boolean => {
  const [left, right] = [held.toLowerCase(), wanted.toLowerCase()];
  return comparator === ":" ? left.includes(right) : ordered(comparator, byText(left, right));
};

const matchValue = (held: unknown, comparator: Comparator, value: Literal): boolean => {
  if (comparator === ":" && value.text === "*" && !value.isQuoted) return true;
  if (typeof held === "number") {
    const number = Number(value.text);
    return value.text.trim() !== "" && !Number.isNaN(number)
      ? ordered(comparator, held - number)
      : comparator === "!=";
  }
  if (typeof held === "boolean") {
    return ordered(comparator, byText(String(held), value.text.toLowerCase()));
  }
  if (typeof held === "string") return matchText(held, comparator, value.text);
  if (held === null) return ordered(comparator, byText("null", value.text.toLowerCase()));
  if (comparator !== ":" || !isObject(held)) return false;
  const wanted = value.text.toLowerCase();
  return (
    Object.keys(held).some((key) => key.toLowerCase() === wanted) ||
    leavesOf(held).some((leaf) => leaf.toLowerCase().includes(wanted))
  );
};

const readPattern = (text: string): RegExp => {
  const flags = /^\(\?([ims]+)\)/.exec(text);
  try {
    return new RegExp(text.slice(flags?.[0].length ?? 0), flags?.[1] ?? "");
  } catch (error) {
    throw bad(`"${text}" is not a regular expression (${String(error)}).`);
  }
};

const matchTime = (path: readonly string[], comparator: Comparator, value: Literal): Matcher => {
  const wanted = readTime(value.text);
  if (wanted === undefined) {
    throw bad(`"${value.text}" is not a time such as "2026-01-31T12:00:00Z".`);
  }
  return (entry) =>
    valuesAt(entry, path).some((held) => {
      const time = typeof held === "string" ? readTime(held) : undefined;
      return time !== undefined && ordered(comparator, byText(time, wanted));
    });
};

const matchSeverity = (comparator: Comparator, value: Literal): Matcher => {
  const wanted = severityRanks.get(value.text.toUpperCase()) ?? Number(value.text || Number.NaN);
  if (Number.isNaN(wanted)) throw bad(`"${value.text}" is not a severity.`);
  return (entry) => {
    const held = scalarText(entry["severity"] ?? "DEFAULT");
    const rank = severityRanks.get(held) ?? Number(held);
    return ordered(comparator, rank - wanted);
  };
};

const withAbsent = (values: readonly unknown[], absent: Absent): readonly unknown[] =>
  values.length > 0 || absent === undefined ? values : [absent];

const matchNumbers = (path: readonly string[]): boolean =>
  path[0] === "httpRequest" || path[0] === "sourceLocation";

const compare = (given: readonly string[], comparator: Comparator, value: Literal): Matcher => {
  const { path, absent } = knownPath(given);
  const isPresence = comparator === ":" && value.text === "*" && !value.isQuoted;
  if (isPresence) return (entry) => valuesAt(entry, path).length > 0;
  if (comparator === "=~" || comparator === "!~") {
    const pattern = readPattern(value.text);
    const isWanted = comparator === "=~";
    return (entry) =>
      withAbsent(valuesAt(entry, path), absent).some(
        (held) => !isObject(held) && pattern.test(scalarText(held)) === isWanted,
      );
  }
  if (path[0] === "timestamp" || path[0] === "receiveTimestamp") {
    return matchTime(path, comparator, value);
  }
  if (path[0] === "severity") return matchSeverity(comparator, value);
  if (path.at(-1) === "latency" && path.length === 2) {
    const wanted = durationSeconds(value.text);
    if (wanted === undefined) throw bad(`"${value.text}" is not a duration such as "1.5s".`);
    return (entry) =>
      valuesAt(entry, path).some((held) =>
        ordered(comparator, (durationSeconds(scalarText(held)) ?? 0) - wanted),
      );
  }
  // Whole numbers of 64 bits are text in JSON and numbers to a query.
  const number = (held: unknown) =>
    typeof held === "string" && matchNumbers(path) && /^-?\d+$/.test(held) ? Number(held) : held;
  return (entry) =>
    withAbsent(valuesAt(entry, path), absent).some((held) =>
      matchValue(number(held), comparator, value),
    );
};

const contains = (text: string): Matcher => {
  const wanted = text.toLowerCase();
  return (entry) => leavesOf(entry).some((leaf) => leaf.toLowerCase().includes(wanted));
};

const matchSearch = (values: readonly Literal[]): Matcher => {
  const [first, second] = values;
  if (first === undefined || values.length > 2)
    throw bad("SEARCH takes a text, or a field and a text.");
  const words = (second ?? first).text.toLowerCase().split(/\s+/);
  const path = second === undefined ? undefined : knownPath(first.text.split(".")).path;
  return (entry) => {
    const leaves = leavesOf(path === undefined ? entry : valuesAt(entry, path));
    const found = new Set(leaves.flatMap((leaf) => leaf.toLowerCase().split(/[^\p{L}\p{N}_.-]+/u)));
    return words.every((word) => found.has(word));
  };
};

const matchCall = (name: string, values: readonly Literal[]): Matcher => {
  if (name === "log_id" && values.length === 1) {
    const wanted = `/logs/${encodeURIComponent(values[0]?.text ?? "")}`;
    return ({ logName }) => typeof logName === "string" && logName.endsWith(wanted);
  }
  if (name === "SEARCH" || name === "search") return matchSearch(values);
  throw bad(`the function ${name} with ${values.length} arguments is not built here.`);
};

const compile = (query: Query): Matcher => {
  switch (query.kind) {
    case "and": {
      const items = query.items.map(compile);
      return (entry) => items.every((item) => item(entry));
    }
    case "or": {
      const items = query.items.map(compile);
      return (entry) => items.some((item) => item(entry));
    }
    case "not": {
      const item = compile(query.item);
      return (entry) => !item(entry);
    }
    case "compare":
      return compare(query.path, query.comparator, query.value);
    case "text":
      return contains(query.text);
    case "call":
      return matchCall(query.name, query.values);
  }
};

/** Compiles a query; throws INVALID_ARGUMENT with the place of the mistake. */
export const matcherOf = (text: string): Matcher => {
  const query = parseQuery(text);
  return query === undefined ? () => true : compile(query);
};

/** Times outside of which nothing can match, so that a search need not look there. */
export interface TimeBounds {
  readonly from: string;
  readonly to: string;
}

/** Reads the bounds that a query's top level demands of `timestamp`; both ends may match. */
export const timeBoundsOf = (text: string): TimeBounds => {
  const query = parseQuery(text);
  const items = query?.kind === "and" ? query.items : query === undefined ? [] : [query];
  let [from, to] = ["0", "9"];
  for (const item of items) {
    if (item.kind !== "compare" || item.path.length !== 1 || item.path[0] !== "timestamp") continue;
    const time = readTime(item.value.text);
    if (time === undefined) continue;
    if (["=", ">", ">="].includes(item.comparator) && time > from) from = time;
    if (["=", "<", "<="].includes(item.comparator) && time < to) to = time;
  }
  return { from, to };
};
