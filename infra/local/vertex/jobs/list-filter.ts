/** List filters, https://google.aip.dev/160, as far as the lists of jobs and of metadata have fields for them. */
import { RpcError } from "../../protocol/service.js";

/** The value of a field: text, several texts, a number, a time in milliseconds, or nothing. */
export type FieldValue =
  string | readonly string[] | { readonly number: number } | { readonly ms: number } | undefined;

/** Looks a field up; returns null for a field that the list does not know. */
export type FieldsOf<Item> = (item: Item, field: string) => FieldValue | null;

interface Word {
  readonly kind: "word" | "quoted" | "operator" | "end";
  readonly text: string;
}

type Test<Item> = (item: Item) => boolean;

const filterCharsMax = 4_096;
const wordPattern =
  /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(!=|<=|>=|[=<>:()])|([^\s"'=<>:()!]+))/y;

const refuse = (message: string): never => {
  throw new RpcError("INVALID_ARGUMENT", `The list filter is not valid: ${message}.`);
};

const wordsOf = (text: string): readonly Word[] => {
  const words: Word[] = [];
  const end = text.trimEnd().length;
  wordPattern.lastIndex = 0;
  while (wordPattern.lastIndex < end) {
    const at = wordPattern.lastIndex;
    const match = wordPattern.exec(text);
    if (match === null) return refuse(`cannot read "${text.slice(at).trim()}"`);
    const quoted = match[1] ?? match[2];
    if (quoted !== undefined)
      words.push({ kind: "quoted", text: quoted.replaceAll(/\\(.)/g, "$1") });
    else if (match[3] !== undefined) words.push({ kind: "operator", text: match[3] });
    else words.push({ kind: "word", text: match[4] ?? "" });
  }
  return words;
};

const matchesPattern = (value: string, pattern: string): boolean => {
  if (!pattern.includes("*")) return value.includes(pattern);
  const source = pattern
    .split("*")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
    .join(".*");
  return new RegExp(`^${source}$`, "su").test(value);
};

const compareNumbers = (value: number, operator: string, other: number, what: string): boolean => {
  switch (operator) {
    case "=":
      return value === other;
    case "!=":
      return value !== other;
    case "<":
      return value < other;
    case "<=":
      return value <= other;
    case ">":
      return value > other;
    case ">=":
      return value >= other;
    default:
      return refuse(`operator ${operator} does not apply to a ${what}`);
  }
};

const compareTime = (ms: number, operator: string, text: string): boolean => {
  const other = Date.parse(text);
  if (Number.isNaN(other)) return refuse(`"${text}" is not a time in RFC 3339`);
  return compareNumbers(ms, operator, other, "time");
};

const compareNumber = (value: number, operator: string, text: string): boolean => {
  const other = Number(text);
  if (text.trim() === "" || Number.isNaN(other)) return refuse(`"${text}" is not a number`);
  return compareNumbers(value, operator, other, "number");
};

const hasMember = (members: readonly string[], operator: string, text: string): boolean =>
  operator === ":"
    ? members.includes(text) || (text === "*" && members.length > 0)
    : refuse(`operator ${operator} does not apply to a list`);

const compareText = (value: string | undefined, operator: string, text: string): boolean => {
  switch (operator) {
    case "=":
      return value === text;
    case "!=":
      return value !== text;
    case ":":
      return value !== undefined && (text === "*" || matchesPattern(value, text));
    default:
      return refuse(`operator ${operator} does not apply to a text`);
  }
};

const comparison = <Item>(
  fieldsOf: FieldsOf<Item>,
  field: string,
  operator: string,
  text: string,
): Test<Item> => {
  const orderedFields = /(^|_)time$|\.number_value$/;
  return (item) => {
    const value = fieldsOf(item, field);
    if (value === null) return refuse(`field "${field}" is not supported`);
    if (value === undefined && orderedFields.test(field)) return false;
    if (typeof value !== "object") return compareText(value, operator, text);
    if ("ms" in value) return compareTime(value.ms, operator, text);
    if ("number" in value) return compareNumber(value.number, operator, text);
    return hasMember(value, operator, text);
  };
};

/** Compiles a filter; throws RpcError INVALID_ARGUMENT for what it does not understand. */
export const compileFilter = <Item>(filter: string, fieldsOf: FieldsOf<Item>): Test<Item> => {
  if (filter.length > filterCharsMax)
    return refuse(`it is longer than ${filterCharsMax} characters`);
  const words = wordsOf(filter);
  if (words.length === 0) return () => true;
  let position = 0;
  const peek = (): Word => words[position] ?? { kind: "end", text: "the end" };
  const isWord = (text: string): boolean => peek().kind === "word" && peek().text === text;
  const isOperator = (text: string): boolean => peek().kind === "operator" && peek().text === text;

  // In AIP-160 OR binds more closely than AND.
  const conjunction = (): Test<Item> => {
    const tests = [disjunction()];
    while (peek().kind !== "end" && !isOperator(")")) {
      if (isWord("AND")) position += 1;
      tests.push(disjunction());
    }
    return (item) => tests.every((test) => test(item));
  };
  const disjunction = (): Test<Item> => {
    const tests = [term()];
    while (isWord("OR")) {
      position += 1;
      tests.push(term());
    }
    return (item) => tests.some((test) => test(item));
  };
  const term = (): Test<Item> => {
    if (isWord("NOT")) {
      position += 1;
      const inner = term();
      return (item) => !inner(item);
    }
    if (isOperator("(")) {
      position += 1;
      const inner = conjunction();
      if (!isOperator(")")) return refuse(`expected ")" but found "${peek().text}"`);
      position += 1;
      return inner;
    }
    return restriction();
  };
  /** A field's path; a part of it that holds special characters stands in quotes. */
  const path = (): string => {
    let text = peek().text;
    position += 1;
    if (text.endsWith(".") && peek().kind === "quoted") {
      text += peek().text;
      position += 1;
      if (peek().kind === "word" && peek().text.startsWith(".")) text += path();
    }
    return text;
  };
  /** The argument of `field("argument")`, which asks the same as `field:"argument"`. */
  const argument = (): string | undefined => {
    const [opening, inner, closing] = words.slice(position, position + 3);
    if (opening?.text !== "(" || inner?.kind !== "quoted" || closing?.text !== ")")
      return undefined;
    position += 3;
    return inner.text;
  };
  const restriction = (): Test<Item> => {
    const first = peek();
    if (first.kind !== "word") return refuse(`expected a field but found "${first.text}"`);
    const field = { text: path() };
    const asked = argument();
    if (asked !== undefined) return comparison(fieldsOf, field.text, ":", asked);
    const operator = peek();
    if (operator.kind !== "operator" || operator.text === "(" || operator.text === ")") {
      return refuse(`expected an operator after "${field.text}" but found "${operator.text}"`);
    }
    position += 1;
    // A bare time holds colons, so join what stands together.
    let text = peek().text;
    const isQuoted = peek().kind === "quoted";
    if (!isQuoted && peek().kind !== "word")
      return refuse(`expected a value after "${field.text}"`);
    position += 1;
    if (!isQuoted) {
      while (isOperator(":")) {
        position += 1;
        text += `:${peek().text}`;
        position += 1;
      }
    }
    return comparison(fieldsOf, field.text, operator.text, text);
  };

  const test = conjunction();
  if (peek().kind !== "end") return refuse(`did not expect "${peek().text}"`);
  return test;
};

/** Sorts by `field desc, field`; throws RpcError INVALID_ARGUMENT for a field that is no time. */
export const sortBy = <Item>(
  items: readonly Item[],
  orderBy: string,
  fieldsOf: FieldsOf<Item>,
): readonly Item[] => {
  const keys = orderBy.split(",").map((part) => {
    const [field = "", direction = "asc", ...rest] = part.trim().split(/\s+/);
    if (rest.length > 0 || !["asc", "desc"].includes(direction) || !field.endsWith("_time")) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `Cannot order by "${orderBy}": use create_time, update_time, start_time or end_time, each with "desc" or without.`,
      );
    }
    return { field, sign: direction === "desc" ? -1 : 1 };
  });
  const timeOf = (item: Item, field: string): number => {
    const value = fieldsOf(item, field);
    return typeof value === "object" && value !== null && "ms" in value ? value.ms : 0;
  };
  return items.toSorted((left, right) => {
    for (const { field, sign } of keys) {
      const difference = timeOf(left, field) - timeOf(right, field);
      if (difference !== 0) return sign * difference;
    }
    return 0;
  });
};
