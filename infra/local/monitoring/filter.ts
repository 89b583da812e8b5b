/** Monitoring filters, https://cloud.google.com/monitoring/api/v3/filters, as a test of a series' labels. */
import { RpcError } from "../protocol/service.js";
import type { SeriesIdentity } from "./series.js";

/** What a filter looks at. */
export type FilterSubject = Pick<
  SeriesIdentity,
  "metricType" | "metricLabels" | "resourceType" | "resourceLabels"
>;

/** A parsed filter. */
export interface SeriesFilter {
  readonly matches: (subject: FilterSubject) => boolean;
  /** The types it demands by `metric.type = "..."`, in the order written. */
  readonly metricTypes: readonly string[];
}

type Test = (subject: FilterSubject) => boolean;
type Select = (subject: FilterSubject) => string | undefined;

interface Reader {
  readonly text: string;
  readonly project: string;
  readonly metricTypes: string[];
  at: number;
}

const filterCharactersMax = 2048 * 4;
/** As many as Google's own clients give to a call. */
const oneOfMax = 100;

const fail = (reader: Reader, what: string): RpcError =>
  new RpcError(
    "INVALID_ARGUMENT",
    `Field filter had an invalid value: ${what} at position ${reader.at} of: ${reader.text}`,
  );

const take = (reader: Reader, pattern: RegExp): string | undefined => {
  const space = /\s*/y;
  space.lastIndex = reader.at;
  reader.at += space.exec(reader.text)?.[0].length ?? 0;
  const sticky = new RegExp(pattern.source, "y");
  sticky.lastIndex = reader.at;
  const found = sticky.exec(reader.text)?.[0];
  if (found !== undefined) reader.at += found.length;
  return found;
};

const quoted = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/;
const unquote = (text: string): string => text.slice(1, -1).replaceAll(/\\(.)/g, "$1");

const readSelector = (reader: Reader): Select => {
  const word = take(reader, /[a-z_]+(?:\.[a-zA-Z_][\w]*)*(?:\.(?="))?/);
  if (word === undefined) throw fail(reader, "expected a selector such as metric.type");
  const key = word.endsWith(".") ? unquote(take(reader, quoted) ?? "") : undefined;
  const path = word.replace(/\.$/, "").split(".");
  const [root, second, third] = path;
  const label = key ?? third;
  const isLabel = second === "labels" || second === "label";
  if (root === "project" && path.length === 1) return () => reader.project;
  if (root === "metric" && second === "type" && path.length === 2) {
    return ({ metricType }) => metricType;
  }
  if (root === "resource" && second === "type" && path.length === 2) {
    return ({ resourceType }) => resourceType;
  }
  if (root === "metric" && isLabel && label !== undefined) {
    return ({ metricLabels }) => metricLabels[label];
  }
  if (root === "resource" && isLabel && label !== undefined) {
    return ({ resourceLabels }) => resourceLabels[label];
  }
  throw fail(reader, `the selector ${word} is not known, or not built here,`);
};

const fullMatch = (reader: Reader, pattern: string): RegExp => {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch {
    throw fail(reader, `"${pattern}" is not a regular expression`);
  }
};

const readArguments = (reader: Reader): readonly string[] => {
  const found: string[] = [];
  do {
    const text = take(reader, quoted);
    if (text === undefined) throw fail(reader, "expected a quoted text");
    found.push(unquote(text));
  } while (take(reader, /,/) !== undefined);
  if (take(reader, /\)/) === undefined) throw fail(reader, "expected )");
  return found;
};

type ValueTest = (held: string) => boolean;

const readFunction = (reader: Reader, name: string): ValueTest => {
  const [first = "", ...rest] = readArguments(reader);
  if (name === "one_of") {
    const wanted = new Set([first, ...rest]);
    if (wanted.size > oneOfMax) throw fail(reader, `one_of takes at most ${oneOfMax} texts`);
    return (held) => wanted.has(held);
  }
  if (rest.length > 0) throw fail(reader, `${name} takes one text`);
  switch (name) {
    case "starts_with":
      return (held) => held.startsWith(first);
    case "ends_with":
      return (held) => held.endsWith(first);
    case "has_substring":
      return (held) => held.includes(first);
    case "monitoring.regex.full_match": {
      const pattern = fullMatch(reader, first);
      return (held) => pattern.test(held);
    }
    default:
      throw fail(reader, `the function ${name} is not known`);
  }
};

const readLiteral = (reader: Reader): string => {
  const text = take(reader, quoted);
  if (text !== undefined) return unquote(text);
  const bare = take(reader, /[\w.+-]+/);
  if (bare === undefined) throw fail(reader, "expected a value");
  return bare;
};

const compareTo = (comparator: string, wanted: string): ValueTest => {
  const number = Number(wanted);
  switch (comparator) {
    case "=":
      return (held) => held === wanted;
    case ":":
      return (held) => held.includes(wanted);
    case ">":
      return (held) => Number(held) > number;
    case ">=":
      return (held) => Number(held) >= number;
    case "<":
      return (held) => Number(held) < number;
    default:
      return (held) => Number(held) <= number;
  }
};

const readComparison = (reader: Reader): Test => {
  const start = reader.at;
  const select = readSelector(reader);
  const isMetricType = /^\s*metric\.type$/.test(reader.text.slice(start, reader.at));
  const comparator = take(reader, /!=|>=|<=|=|>|<|:/);
  if (comparator === undefined) throw fail(reader, "expected a comparison");
  const name = take(reader, /[a-z_.]+(?=\s*\()/);
  if (name !== undefined) {
    if (comparator !== "=" && comparator !== "!=") throw fail(reader, `${name} needs = or !=`);
    take(reader, /\(/);
    const isMet = readFunction(reader, name);
    return (subject) => isMet(select(subject) ?? "") === (comparator === "=");
  }
  const wanted = readLiteral(reader);
  if (isMetricType && comparator === "=") reader.metricTypes.push(wanted);
  if (comparator === "!=") return (subject) => select(subject) !== wanted;
  const isMet = compareTo(comparator, wanted);
  return (subject) => {
    const held = select(subject);
    return held !== undefined && isMet(held);
  };
};

const readUnit = (reader: Reader): Test => {
  if (take(reader, /NOT(?=[\s(])|-/) !== undefined) {
    const inner = readUnit(reader);
    return (subject) => !inner(subject);
  }
  if (take(reader, /\(/) !== undefined) {
    const inner = readAll(reader);
    if (take(reader, /\)/) === undefined) throw fail(reader, "expected )");
    return inner;
  }
  return readComparison(reader);
};

/** OR binds closer than AND, and neighbours are joined by AND, as in every filter of Google's. */
const readAll = (reader: Reader): Test => {
  const all: Test[] = [];
  do {
    const any = [readUnit(reader)];
    while (take(reader, /OR(?=[\s(])/) !== undefined) any.push(readUnit(reader));
    all.push((subject) => any.some((test) => test(subject)));
    take(reader, /AND(?=[\s(])/);
  } while (take(reader, /$|(?=\))/) === undefined);
  return (subject) => all.every((test) => test(subject));
};

/** Parses a filter; an empty one matches everything. */
export const parseFilter = (text: string, project: string): SeriesFilter => {
  if (text.length > filterCharactersMax) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `A filter has at most ${filterCharactersMax} characters.`,
    );
  }
  const reader: Reader = { text, project, metricTypes: [], at: 0 };
  if (text.trim() === "") return { matches: () => true, metricTypes: [] };
  const matches = readAll(reader);
  if (take(reader, /$/) === undefined) throw fail(reader, "unexpected text");
  return { matches, metricTypes: reader.metricTypes };
};
