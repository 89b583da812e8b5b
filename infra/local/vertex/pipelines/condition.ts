/** Trigger conditions: the part of the Common Expression Language that compiled Kubeflow pipelines use. */

/** A parsed condition. */
export type Expression =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "parameter"; readonly name: string }
  | { readonly kind: "call"; readonly name: ConversionName; readonly argument: Expression }
  | { readonly kind: "not"; readonly operand: Expression }
  | { readonly kind: "negative"; readonly operand: Expression }
  | {
      readonly kind: "binary";
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    };

const conversionNames = ["int", "double", "string", "bool"] as const;
type ConversionName = (typeof conversionNames)[number];

/** The condition cannot be read or has no value. */
export class ConditionError extends Error {
  override readonly name = "ConditionError";
}

interface Token {
  readonly kind: "number" | "string" | "word" | "operator" | "end";
  readonly text: string;
}

const tokenPattern =
  /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|([A-Za-z_][A-Za-z0-9_]*)|(==|!=|<=|>=|&&|\|\||[<>!()[\].,+\-*/%]))/y;

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

const unquote = (text: string): string =>
  text.slice(1, -1).replaceAll(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter);

const tokensOf = (text: string): readonly Token[] => {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < end) {
    const at = tokenPattern.lastIndex;
    const match = tokenPattern.exec(text);
    if (match === null) throw new ConditionError(`cannot read "${text.slice(at).trim()}"`);
    const [, number, string, word, operator] = match;
    if (number !== undefined) tokens.push({ kind: "number", text: number });
    else if (string !== undefined) tokens.push({ kind: "string", text: unquote(string) });
    else if (word !== undefined) tokens.push({ kind: "word", text: word });
    else tokens.push({ kind: "operator", text: operator ?? "" });
  }
  tokens.push({ kind: "end", text: "the end" });
  return tokens;
};

const nestingMax = 100;
const binaryLevels: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["==", "!=", "<=", ">=", "<", ">"],
];

/** Parses a condition, or throws ConditionError saying what is not supported. */
export const parseCondition = (text: string): Expression => {
  const tokens = tokensOf(text);
  let position = 0;
  let depth = 0;
  const peek = (): Token => tokens[position] ?? { kind: "end", text: "the end" };
  const isOperator = (operator: string): boolean =>
    peek().kind === "operator" && peek().text === operator;
  const take = (): Token => {
    const token = peek();
    position += 1;
    return token;
  };
  const expectOperator = (operator: string): void => {
    const token = take();
    if (token.kind !== "operator" || token.text !== operator) {
      throw new ConditionError(`expected "${operator}" but found "${token.text}"`);
    }
  };

  const binary = (level: number): Expression => {
    const operators = binaryLevels[level];
    if (operators === undefined) return unary();
    let left = binary(level + 1);
    while (peek().kind === "operator" && operators.includes(peek().text)) {
      const operator = take().text;
      left = { kind: "binary", operator, left, right: binary(level + 1) };
    }
    return left;
  };
  const unary = (): Expression => {
    depth += 1;
    if (depth > nestingMax) throw new ConditionError("is nested too deeply");
    try {
      if (isOperator("!")) {
        take();
        return { kind: "not", operand: unary() };
      }
      if (isOperator("-")) {
        take();
        return { kind: "negative", operand: unary() };
      }
      return primary();
    } finally {
      depth -= 1;
    }
  };
  const primary = (): Expression => {
    const token = take();
    if (token.kind === "number") return { kind: "literal", value: Number(token.text) };
    if (token.kind === "string") return { kind: "literal", value: token.text };
    if (token.kind === "operator" && token.text === "(") {
      const inner = binary(0);
      expectOperator(")");
      return inner;
    }
    if (token.kind !== "word") throw new ConditionError(`did not expect "${token.text}"`);
    return named(token.text);
  };
  const named = (name: string): Expression => {
    if (name === "true" || name === "false") return { kind: "literal", value: name === "true" };
    if (name === "null") return { kind: "literal", value: null };
    if (name === "inputs") return parameter();
    const conversion = conversionNames.find((known) => known === name);
    if (conversion === undefined || !isOperator("(")) {
      throw new ConditionError(
        `"${name}" is not supported: use inputs.parameter_values['name'], int(), double(), string() and bool()`,
      );
    }
    take();
    const argument = binary(0);
    expectOperator(")");
    return { kind: "call", name: conversion, argument };
  };
  const parameter = (): Expression => {
    expectOperator(".");
    const field = take();
    if (field.text !== "parameter_values" && field.text !== "parameters") {
      throw new ConditionError(`inputs.${field.text} is not supported in a condition`);
    }
    expectOperator("[");
    const name = take();
    if (name.kind !== "string") throw new ConditionError(`expected a quoted parameter name`);
    expectOperator("]");
    return { kind: "parameter", name: name.text };
  };

  const expression = binary(0);
  if (peek().kind !== "end") throw new ConditionError(`did not expect "${peek().text}"`);
  return expression;
};

/** The names of the parameters that a condition reads. */
export const parametersOf = (expression: Expression): readonly string[] => {
  switch (expression.kind) {
    case "literal":
      return [];
    case "parameter":
      return [expression.name];
    case "call":
      return parametersOf(expression.argument);
    case "not":
    case "negative":
      return parametersOf(expression.operand);
    case "binary":
      return [...parametersOf(expression.left), ...parametersOf(expression.right)];
  }
};

const describe = (value: unknown): string => JSON.stringify(value) ?? "nothing";

const convert = (name: ConversionName, value: unknown): unknown => {
  switch (name) {
    case "string":
      return typeof value === "string" ? value : describe(value);
    case "bool": {
      if (typeof value === "boolean") return value;
      if (value === "true") return true;
      if (value === "false") return false;
      throw new ConditionError(`bool() cannot convert ${describe(value)}`);
    }
    case "int":
    case "double": {
      const isText =
        typeof value === "string" && /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(value);
      if (typeof value !== "number" && !isText) {
        throw new ConditionError(`${name}() cannot convert ${describe(value)}`);
      }
      const number = Number(value);
      if (name === "double") return number;
      if (isText && !Number.isInteger(number)) {
        throw new ConditionError(`int() cannot convert ${describe(value)}`);
      }
      return Math.trunc(number);
    }
  }
};

const isTrue = (value: unknown, operator: string): boolean => {
  if (typeof value !== "boolean") {
    throw new ConditionError(`${operator} needs a boolean and got ${describe(value)}`);
  }
  return value;
};

const order = (left: unknown, right: unknown, operator: string): number => {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") {
    if (left === right) return 0;
    return left < right ? -1 : 1;
  }
  throw new ConditionError(`cannot compare ${describe(left)} ${operator} ${describe(right)}`);
};

const equal = (left: unknown, right: unknown): boolean =>
  left === right || (typeof left === "object" && describe(left) === describe(right));

const compare = (operator: string, left: unknown, right: unknown): boolean => {
  switch (operator) {
    case "==":
      return equal(left, right);
    case "!=":
      return !equal(left, right);
    case "<":
      return order(left, right, operator) < 0;
    case "<=":
      return order(left, right, operator) <= 0;
    case ">":
      return order(left, right, operator) > 0;
    case ">=":
      return order(left, right, operator) >= 0;
    default:
      throw new ConditionError(`operator ${operator} is not supported`);
  }
};

const valueOf = (
  expression: Expression,
  parameters: Readonly<Record<string, unknown>>,
): unknown => {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "parameter": {
      if (!Object.hasOwn(parameters, expression.name)) {
        throw new ConditionError(`parameter '${expression.name}' has no value`);
      }
      return parameters[expression.name];
    }
    case "call":
      return convert(expression.name, valueOf(expression.argument, parameters));
    case "not":
      return !isTrue(valueOf(expression.operand, parameters), "!");
    case "negative": {
      const value = valueOf(expression.operand, parameters);
      if (typeof value !== "number")
        throw new ConditionError(`- needs a number and got ${describe(value)}`);
      return -value;
    }
    case "binary": {
      const left = valueOf(expression.left, parameters);
      if (expression.operator === "||") {
        return isTrue(left, "||") || isTrue(valueOf(expression.right, parameters), "||");
      }
      if (expression.operator === "&&") {
        return isTrue(left, "&&") && isTrue(valueOf(expression.right, parameters), "&&");
      }
      return compare(expression.operator, left, valueOf(expression.right, parameters));
    }
  }
};

/** Whether a condition holds for these parameters; throws ConditionError when it has no boolean value. */
export const holds = (
  expression: Expression,
  parameters: Readonly<Record<string, unknown>>,
): boolean => {
  const value = valueOf(expression, parameters);
  if (typeof value !== "boolean")
    throw new ConditionError(`is ${describe(value)} and not a boolean`);
  return value;
};
