/** The Logging query language, https://cloud.google.com/logging/docs/view/logging-query-language, as a tree. */
import { RpcError } from "../../protocol/service.js";

/** How a field and a value are compared. */
export type Comparator = "=" | "!=" | ">" | ">=" | "<" | "<=" | ":" | "=~" | "!~";

/** A value as written; quoting matters only for `*`. */
export interface Literal {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** A parsed query. */
export type Query =
  | { readonly kind: "and" | "or"; readonly items: readonly Query[] }
  | { readonly kind: "not"; readonly item: Query }
  | {
      readonly kind: "compare";
      readonly path: readonly string[];
      readonly comparator: Comparator;
      readonly value: Literal;
    }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "call"; readonly name: string; readonly values: readonly Literal[] };

const queryCharactersMax = 20_000;
const depthMax = 100;
const comparators: readonly Comparator[] = ["=~", "!~", "!=", ">=", "<=", "=", ">", "<", ":"];
const barePath = /[^\s()"'=!<>:~.,]+/y;
const bareValue = /[^\s()"',]+/y;

interface Reader {
  readonly text: string;
  at: number;
  depth: number;
}

const fail = (reader: Reader, what: string): RpcError =>
  new RpcError(
    "INVALID_ARGUMENT",
    `Unparseable filter: ${what} at position ${reader.at}: ${reader.text.slice(reader.at, reader.at + 30) || "(end)"}`,
  );

const skipSpace = (reader: Reader): void => {
  for (;;) {
    while (/\s/.test(reader.text[reader.at] ?? "")) reader.at += 1;
    if (!reader.text.startsWith("--", reader.at)) return;
    const end = reader.text.indexOf("\n", reader.at);
    reader.at = end < 0 ? reader.text.length : end;
  }
};

const peek = (reader: Reader): string => {
  skipSpace(reader);
  return reader.text[reader.at] ?? "";
};

const takeKeyword = (reader: Reader, word: "AND" | "OR" | "NOT"): boolean => {
  skipSpace(reader);
  const after = reader.text[reader.at + word.length] ?? " ";
  if (!reader.text.startsWith(word, reader.at) || !/[\s("'-]/.test(after)) return false;
  reader.at += word.length;
  return true;
};

const isKeywordAhead = (reader: Reader): boolean => {
  const { at } = reader;
  const isAhead = takeKeyword(reader, "AND") || takeKeyword(reader, "OR");
  reader.at = at;
  return isAhead;
};

const takePattern = (reader: Reader, pattern: RegExp): string | undefined => {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text)?.[0];
  if (found !== undefined) reader.at += found.length;
  return found;
};

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

const takeQuoted = (reader: Reader): string => {
  const quote = reader.text[reader.at];
  let text = "";
  for (let at = reader.at + 1; at < reader.text.length; at += 1) {
    const character = reader.text[at] ?? "";
    if (character === quote) {
      reader.at = at + 1;
      return text;
    }
    if (character !== "\\") {
      text += character;
      continue;
    }
    at += 1;
    const escaped = reader.text[at] ?? "";
    // An unknown escape keeps its backslash, which is what regular expressions such as "\d" rely on.
    text += escapes[escaped] ?? (/["'\\]/.test(escaped) ? escaped : `\\${escaped}`);
  }
  throw fail(reader, "a quotation mark is not closed");
};

const isQuote = (character: string): boolean => character === '"' || character === "'";

const takeComparator = (reader: Reader): Comparator | undefined => {
  skipSpace(reader);
  const found = comparators.find((one) => reader.text.startsWith(one, reader.at));
  if (found !== undefined) reader.at += found.length;
  return found;
};

const join = (kind: "and" | "or", items: readonly Query[]): Query => {
  const [only] = items;
  return items.length === 1 && only !== undefined ? only : { kind, items };
};

const nested = <Result>(reader: Reader, parse: () => Result): Result => {
  reader.depth += 1;
  if (reader.depth > depthMax) throw fail(reader, "the filter is nested too deeply");
  const result = parse();
  reader.depth -= 1;
  return result;
};

const takeClosing = (reader: Reader): void => {
  if (peek(reader) !== ")") throw fail(reader, "expected )");
  reader.at += 1;
};

const isEnd = (reader: Reader): boolean => {
  const next = peek(reader);
  return next === "" || next === ")";
};

/** AND binds least, then OR, then NOT; neighbours without an operator are joined by AND. */
const parseJoined = (reader: Reader, parseOne: (reader: Reader) => Query): Query =>
  nested(reader, () => {
    const all: Query[] = [];
    while (all.length === 0 || !isEnd(reader)) {
      const any = [parseOne(reader)];
      while (takeKeyword(reader, "OR")) any.push(parseOne(reader));
      all.push(join("or", any));
      if (takeKeyword(reader, "AND") && isEnd(reader)) throw fail(reader, "expected a comparison");
    }
    return join("and", all);
  });

const takeLiteral = (reader: Reader): Literal => {
  if (isQuote(peek(reader))) return { text: takeQuoted(reader), isQuoted: true };
  const text = takePattern(reader, bareValue);
  if (text === undefined) throw fail(reader, "expected a value");
  return { text, isQuoted: false };
};

/** The values of `field = (a OR b)` become comparisons of their own. */
const parseValue = (reader: Reader, path: readonly string[], comparator: Comparator): Query => {
  const negated = (): Query => ({ kind: "not", item: parseValue(reader, path, comparator) });
  if (takeKeyword(reader, "NOT")) return negated();
  if (peek(reader) === "(") {
    reader.at += 1;
    const query = parseJoined(reader, () => parseValue(reader, path, comparator));
    takeClosing(reader);
    return query;
  }
  return { kind: "compare", path, comparator, value: takeLiteral(reader) };
};

const takePath = (reader: Reader): readonly string[] => {
  const path: string[] = [];
  for (;;) {
    const segment = isQuote(reader.text[reader.at] ?? "")
      ? takeQuoted(reader)
      : takePattern(reader, barePath);
    if (segment === undefined) throw fail(reader, "expected a field or a value");
    path.push(segment);
    if (reader.text[reader.at] !== ".") return path;
    reader.at += 1;
  }
};

const parseCall = (reader: Reader, name: string): Query => {
  const values: Literal[] = [];
  reader.at += 1;
  while (peek(reader) !== ")") {
    values.push(takeLiteral(reader));
    if (peek(reader) === ",") reader.at += 1;
    else if (peek(reader) !== ")") throw fail(reader, "expected , or )");
  }
  reader.at += 1;
  return { kind: "call", name, values };
};

const parseOne = (reader: Reader): Query => {
  const next = peek(reader);
  if (next === "-" || takeKeyword(reader, "NOT")) {
    if (next === "-") reader.at += 1;
    return nested(reader, () => ({ kind: "not", item: parseOne(reader) }));
  }
  if (next === "(") {
    reader.at += 1;
    const query = parseJoined(reader, parseOne);
    takeClosing(reader);
    return query;
  }
  if (isKeywordAhead(reader)) throw fail(reader, "expected a comparison");
  const path = takePath(reader);
  const [name] = path;
  if (reader.text[reader.at] === "(" && path.length === 1 && name !== undefined) {
    return parseCall(reader, name);
  }
  const comparator = takeComparator(reader);
  return comparator === undefined
    ? { kind: "text", text: path.join(".") }
    : parseValue(reader, path, comparator);
};

/** Parses a query; undefined for an empty one, which everything matches. */
export const parseQuery = (text: string): Query | undefined => {
  if (text.length > queryCharactersMax) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `The filter has ${text.length} characters, at most ${queryCharactersMax} are allowed.`,
    );
  }
  const reader: Reader = { text, at: 0, depth: 0 };
  if (peek(reader) === "") return undefined;
  const query = parseJoined(reader, parseOne);
  if (peek(reader) !== "") throw fail(reader, "unexpected text");
  return query;
};
