/** Expressions of HCL. */
import type { Reader } from "./reader.js";
import type { Expression } from "./syntax.js";

/** Binary operators, those that bind least first. */
const levels = [["||"], ["&&"], ["==", "!="], [">=", "<=", ">", "<"], ["+", "-"], ["*", "/", "%"]];

const identifier = /[A-Za-z_][A-Za-z0-9_-]*/;
const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  '"': '"',
  "\\": "\\",
};

const partsOf = (line: number, parts: readonly Expression[]): Expression => {
  const [only] = parts;
  if (parts.length === 0) return { line, kind: "literal", value: "" };
  return parts.length === 1 && only?.kind === "literal" && typeof only.value === "string"
    ? only
    : { line, kind: "template", parts };
};

/** Reads `${...}` inside a text; the opening is taken already. */
const interpolation = (reader: Reader): Expression =>
  reader.across(true, () => {
    const value = readExpression(reader);
    reader.skip();
    reader.expect("}");
    return value;
  });

/** Reads text with interpolations up to where `isOver` says. */
const templateUntil = (reader: Reader, isOver: () => boolean, hasEscapes: boolean): Expression => {
  const line = reader.line();
  const parts: Expression[] = [];
  let text = "";
  const flush = (): void => {
    if (text !== "") parts.push({ line: reader.line(), kind: "literal", value: text });
    text = "";
  };
  while (!isOver()) {
    if (reader.isAtEnd()) reader.fail("a text is not closed");
    if (reader.takes("$${")) text += "${";
    else if (reader.takes("%%{")) text += "%{";
    else if (reader.sees("%{")) reader.fail("directives in texts are not read by this checker");
    else if (reader.takes("${")) {
      flush();
      parts.push(interpolation(reader));
    } else if (hasEscapes && reader.takes("\\")) {
      const next = reader.take(1);
      text +=
        next === "u"
          ? String.fromCodePoint(Number.parseInt(reader.take(4), 16))
          : (escapes[next] ?? next);
    } else if (hasEscapes && reader.sees("\n")) reader.fail("a text is not closed on its line");
    else text += reader.take(1);
  }
  flush();
  return partsOf(line, parts);
};

const quoted = (reader: Reader): Expression => {
  reader.expect('"');
  const text = templateUntil(reader, () => reader.sees('"'), true);
  reader.expect('"');
  return text;
};

const heredoc = (reader: Reader): Expression => {
  reader.expect(reader.sees("<<-") ? "<<-" : "<<");
  const word = reader.matches(identifier) ?? reader.fail("a heredoc needs a word");
  reader.take(word.length);
  reader.expect("\n");
  const end = new RegExp(`[ \\t]*${word}[ \\t]*(?=\\n|$)`);
  let isLineStart = true;
  const text = templateUntil(
    reader,
    () => {
      if (isLineStart && reader.matches(end) !== null) return true;
      isLineStart = reader.sees("\n");
      return false;
    },
    false,
  );
  reader.take(reader.matches(end)?.length ?? 0);
  return text;
};

const list = (reader: Reader): Expression => {
  const line = reader.line();
  reader.expect("[");
  return reader.across(true, () => {
    reader.skip();
    if (reader.matches(/for[ \t\n]/) !== null) return forExpression(reader, line, "]");
    const items: Expression[] = [];
    while (!reader.takes("]")) {
      items.push(readExpression(reader));
      reader.skip();
      if (!reader.takes(",") && !reader.sees("]")) reader.fail("expected a comma or ]");
      reader.skip();
    }
    return { line, kind: "list", items } as const;
  });
};

const objectKey = (reader: Reader): Expression => {
  const line = reader.line();
  const name = reader.matches(/[A-Za-z_][A-Za-z0-9_-]*(?=[ \t]*[=:])/);
  if (name === null) return readExpression(reader);
  reader.take(name.length);
  return { line, kind: "literal", value: name };
};

const object = (reader: Reader): Expression => {
  const line = reader.line();
  reader.expect("{");
  return reader.across(true, () => {
    reader.skip();
    if (reader.matches(/for[ \t\n]/) !== null) return forExpression(reader, line, "}");
    const entries: { key: Expression; value: Expression }[] = [];
    while (!reader.takes("}")) {
      const key = objectKey(reader);
      reader.skip();
      if (!reader.takes("=") && !reader.takes(":")) reader.fail("expected = after a key");
      // A newline ends an entry, so the value must not go on beyond it.
      const value = reader.across(false, () => readExpression(reader));
      entries.push({ key, value });
      reader.skip();
      reader.takes(",");
      reader.skip();
      if (reader.isAtEnd()) reader.fail("an object is not closed");
    }
    return { line, kind: "object", entries } as const;
  });
};

const word = (reader: Reader): string => {
  reader.skip();
  const found = reader.matches(identifier) ?? reader.fail("expected a name");
  return reader.take(found.length);
};

const forExpression = (reader: Reader, line: number, end: "]" | "}"): Expression => {
  reader.expect("for");
  const first = word(reader);
  reader.skip();
  const second = reader.takes(",") ? word(reader) : null;
  reader.skip();
  reader.expect("in");
  const over = readExpression(reader);
  reader.skip();
  reader.expect(":");
  const head = readExpression(reader);
  reader.skip();
  const hasKey = reader.takes("=>");
  const value = hasKey ? readExpression(reader) : head;
  reader.skip();
  const isGrouped = reader.takes("...");
  reader.skip();
  const condition = reader.takes("if") ? readExpression(reader) : null;
  reader.skip();
  reader.expect(end);
  return {
    line,
    kind: "for",
    keyName: second === null ? null : first,
    valueName: second ?? first,
    over,
    key: hasKey ? head : null,
    value,
    condition,
    isGrouped,
  };
};

const call = (reader: Reader, line: number, name: string): Expression => {
  reader.expect("(");
  return reader.across(true, () => {
    const args: Expression[] = [];
    let isSpread = false;
    reader.skip();
    while (!reader.takes(")")) {
      args.push(readExpression(reader));
      reader.skip();
      isSpread = reader.takes("...");
      reader.skip();
      if (!reader.takes(",") && !reader.sees(")")) reader.fail("expected a comma or )");
      reader.skip();
    }
    return { line, kind: "call", name, args, isSpread } as const;
  });
};

const primary = (reader: Reader): Expression => {
  reader.skip();
  const line = reader.line();
  if (reader.sees('"')) return quoted(reader);
  if (reader.sees("<<")) return heredoc(reader);
  if (reader.sees("[")) return list(reader);
  if (reader.sees("{")) return object(reader);
  if (reader.takes("(")) {
    return reader.across(true, () => {
      const inner = readExpression(reader);
      reader.skip();
      reader.expect(")");
      return inner;
    });
  }
  const number = reader.matches(/\d+(\.\d+)?([eE][+-]?\d+)?/);
  if (number !== null) return { line, kind: "literal", value: Number(reader.take(number.length)) };
  const name = reader.matches(identifier);
  if (name === null) return reader.fail("expected an expression");
  reader.take(name.length);
  if (name === "true" || name === "false") return { line, kind: "literal", value: name === "true" };
  if (name === "null") return { line, kind: "literal", value: null };
  return reader.sees("(") ? call(reader, line, name) : { line, kind: "name", name };
};

const splatNames = (reader: Reader): string[] => {
  const names: string[] = [];
  while (reader.matches(/\.[A-Za-z_]/) !== null) {
    reader.expect(".");
    names.push(word(reader));
  }
  return names;
};

const postfix = (reader: Reader): Expression => {
  let value = primary(reader);
  for (;;) {
    const line = reader.line();
    if (reader.takes("[*]") || reader.takes(".*")) {
      value = { line, kind: "splat", of: value, names: splatNames(reader) };
    } else if (reader.takes("[")) {
      const of = value;
      value = reader.across(true, () => {
        const key = readExpression(reader);
        reader.skip();
        reader.expect("]");
        return { line, kind: "index", of, key } as const;
      });
    } else if (reader.matches(/\.[A-Za-z_]/) !== null) {
      reader.expect(".");
      value = { line, kind: "attribute", of: value, name: word(reader) };
    } else return value;
  }
};

const unary = (reader: Reader): Expression => {
  reader.skip();
  const line = reader.line();
  for (const operator of ["!", "-"]) {
    if (reader.takes(operator)) return { line, kind: "unary", operator, operand: unary(reader) };
  }
  return postfix(reader);
};

const binary = (reader: Reader, level: number): Expression => {
  const operators = levels[level];
  if (operators === undefined) return unary(reader);
  let left = binary(reader, level + 1);
  for (;;) {
    reader.skip();
    const operator = operators.find((one) => reader.sees(one));
    if (operator === undefined) return left;
    const line = reader.line();
    reader.expect(operator);
    left = { line, kind: "binary", operator, left, right: binary(reader, level + 1) };
  }
};

/** Reads one expression. */
export const readExpression = (reader: Reader): Expression => {
  const condition = binary(reader, 0);
  reader.skip();
  const line = reader.line();
  if (!reader.takes("?")) return condition;
  const yes = readExpression(reader);
  reader.skip();
  reader.expect(":");
  return { line, kind: "conditional", condition, yes, no: readExpression(reader) };
};
