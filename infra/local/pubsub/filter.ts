/** Subscription filters over attributes, https://cloud.google.com/pubsub/docs/subscription-message-filter */
import { RpcError } from "../protocol/service.js";

/** Whether a message with these attributes passes. */
export type Filter = (attributes: Readonly<Record<string, string>>) => boolean;

const filterBytesMax = 256;

interface Token {
  readonly kind: "word" | "text" | "sign";
  readonly value: string;
  readonly at: number;
}

const refuse = (filter: string, why: string): RpcError =>
  new RpcError(
    "INVALID_ARGUMENT",
    `Invalid filter: ${why} (filter=${filter}). Example: attributes.kind = "training" AND NOT hasPrefix(attributes.name, "test-")`,
  );

function tokensOf(filter: string): readonly Token[] {
  const pattern = /\s+|("(?:[^"\\]|\\.)*")|(!=|[=:.(),-])|([A-Za-z0-9_]+)/gy;
  const tokens: Token[] = [];
  let at = 0;
  while (at < filter.length) {
    pattern.lastIndex = at;
    const found = pattern.exec(filter);
    if (found === null) throw refuse(filter, `unexpected character at position ${at}`);
    const [, text, sign, word] = found;
    if (text !== undefined) {
      const value = text.slice(1, -1).replace(/\\(.)/g, "$1");
      tokens.push({ kind: "text", value, at });
    } else if (sign !== undefined) tokens.push({ kind: "sign", value: sign, at });
    else if (word !== undefined) tokens.push({ kind: "word", value: word, at });
    at = pattern.lastIndex;
  }
  return tokens;
}

/** Parses a filter; the empty one passes everything. */
export function parseFilter(filter: string): Filter {
  if (filter === "") return () => true;
  if (Buffer.byteLength(filter) > filterBytesMax) {
    throw refuse(filter.slice(0, 40), `it is longer than ${filterBytesMax} bytes`);
  }
  const tokens = tokensOf(filter);
  let next = 0;
  const peek = (): Token | undefined => tokens[next];
  const isNext = (value: string): boolean => {
    const token = peek();
    return token !== undefined && token.kind !== "text" && token.value === value;
  };
  const take = (value: string): boolean => {
    if (!isNext(value)) return false;
    next += 1;
    return true;
  };
  const expect = (value: string): void => {
    const token = peek();
    if (!take(value)) {
      throw refuse(
        filter,
        `"${value}" expected ${token === undefined ? "at the end" : `at position ${token.at}`}`,
      );
    }
  };
  const key = (): string => {
    const token = peek();
    if (token === undefined || token.kind === "sign")
      throw refuse(filter, "an attribute's key is missing");
    next += 1;
    return token.value;
  };
  const text = (): string => {
    const token = peek();
    if (token?.kind !== "text") throw refuse(filter, "a value must stand in double quotes");
    next += 1;
    return token.value;
  };
  const attributeKey = (): string => {
    expect("attributes");
    expect(".");
    return key();
  };

  const term = (): Filter => {
    if (take("NOT") || take("-")) {
      const inner = term();
      return (attributes) => !inner(attributes);
    }
    if (take("(")) {
      const inner = expression();
      expect(")");
      return inner;
    }
    if (take("hasPrefix")) {
      expect("(");
      const name = attributeKey();
      expect(",");
      const prefix = text();
      expect(")");
      return (attributes) =>
        Object.hasOwn(attributes, name) && (attributes[name] ?? "").startsWith(prefix);
    }
    expect("attributes");
    if (take(":")) {
      const name = key();
      return (attributes) => Object.hasOwn(attributes, name);
    }
    expect(".");
    const name = key();
    if (take("=")) {
      const value = text();
      return (attributes) => Object.hasOwn(attributes, name) && attributes[name] === value;
    }
    expect("!=");
    const value = text();
    return (attributes) => !(Object.hasOwn(attributes, name) && attributes[name] === value);
  };

  const expression = (): Filter => {
    let all = term();
    let operator = "";
    for (;;) {
      const word = isNext("AND") ? "AND" : isNext("OR") ? "OR" : "";
      if (word === "") return all;
      if (operator !== "" && operator !== word) {
        throw refuse(filter, "AND and OR may only be mixed with parentheses");
      }
      operator = word;
      next += 1;
      const left = all;
      const right = term();
      all =
        word === "AND"
          ? (attributes) => left(attributes) && right(attributes)
          : (attributes) => left(attributes) || right(attributes);
    }
  };

  const parsed = expression();
  const rest = peek();
  if (rest !== undefined) throw refuse(filter, `unexpected "${rest.value}" at position ${rest.at}`);
  return parsed;
}
