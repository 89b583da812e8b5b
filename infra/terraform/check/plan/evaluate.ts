/** Works out expressions. */
import type { Expression } from "../hcl/syntax.js";
import { callFunction, type FunctionContext } from "./functions.js";
import {
  areEqual,
  EvaluationError,
  isList,
  isObject,
  isReference,
  isUnknown,
  textOf,
  unknownOf,
  type Value,
} from "./values.js";

/** What names mean where an expression stands. */
export interface Scope extends FunctionContext {
  /** The value of a root name such as `var`; undefined when there is none of that name. */
  readonly root: (name: string, line: number) => Value | undefined;
}

const attributeOf = (value: Value, name: string, line: number, what: string): Value => {
  if (isReference(value)) return value.attribute(name, line);
  if (isObject(value)) {
    const found = value[name];
    if (found !== undefined) return found;
    const known = Object.keys(value).slice(0, 12).join(", ");
    throw new EvaluationError(
      `${what} has no ${name}; it has ${known === "" ? "nothing" : known}`,
      line,
    );
  }
  if (isUnknown(value)) return unknownOf(`${textOf(value).slice(2, -1)}.${name}`);
  throw new EvaluationError(`${what} is ${JSON.stringify(value)} and has no ${name}`, line);
};

const indexOf = (value: Value, key: Value, line: number, what: string): Value => {
  if (isList(value)) {
    const found = value[Number(key)];
    if (found !== undefined) return found;
    throw new EvaluationError(
      `${what} has ${String(value.length)} items and none at ${textOf(key)}`,
      line,
    );
  }
  return attributeOf(value, textOf(key), line, what);
};

/** How an expression reads, for messages. */
const nameOf = (expression: Expression): string => {
  if (expression.kind === "name") return expression.name;
  if (expression.kind === "attribute") return `${nameOf(expression.of)}.${expression.name}`;
  if (expression.kind === "index") return `${nameOf(expression.of)}[...]`;
  return expression.kind === "call" ? `${expression.name}(...)` : `the ${expression.kind}`;
};

const isTrue = (value: Value, line: number): boolean => {
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw new EvaluationError(`expected true or false, got ${JSON.stringify(value)}`, line);
};

const compute = (operator: string, left: Value, right: Value, line: number): Value => {
  if (operator === "==") return areEqual(left, right);
  if (operator === "!=") return !areEqual(left, right);
  const [a, b] = [Number(left), Number(right)];
  if (Number.isNaN(a) || Number.isNaN(b)) {
    throw new EvaluationError(`${operator} needs two numbers`, line);
  }
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "%":
      return a % b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "<":
      return a < b;
    default:
      return a <= b;
  }
};

const pairsOf = (value: Value, line: number): readonly (readonly [Value, Value])[] => {
  if (isList(value)) return value.map((item, index) => [index, item] as const);
  if (isObject(value)) {
    return Object.keys(value)
      .toSorted()
      .map((key) => [key, value[key] ?? null] as const);
  }
  throw new EvaluationError(`cannot go through ${JSON.stringify(value)}`, line);
};

const withNames = (scope: Scope, names: Readonly<Record<string, Value>>): Scope => ({
  ...scope,
  root: (name, line) => names[name] ?? scope.root(name, line),
});

const evaluateFor = (expression: Expression & { kind: "for" }, scope: Scope): Value => {
  const { keyName, valueName, over, key, value, condition, isGrouped, line } = expression;
  const items: Value[] = [];
  const grouped: Record<string, Value> = {};
  for (const [itemKey, item] of pairsOf(evaluate(over, scope), line)) {
    const inner = withNames(scope, {
      ...(keyName === null ? {} : { [keyName]: itemKey }),
      [valueName]: item,
    });
    if (condition !== null && !isTrue(evaluate(condition, inner), line)) continue;
    const result = evaluate(value, inner);
    if (key === null) {
      items.push(result);
      continue;
    }
    const name = textOf(evaluate(key, inner));
    const before = grouped[name];
    if (isGrouped)
      grouped[name] = [...(before !== undefined && isList(before) ? before : []), result];
    else if (before === undefined) grouped[name] = result;
    else throw new EvaluationError(`two values have the key ${name}`, line);
  }
  return key === null ? items : grouped;
};

const evaluateCall = (expression: Expression & { kind: "call" }, scope: Scope): Value => {
  const { name, args, isSpread, line } = expression;
  if (name === "try" || name === "can") {
    for (const arg of args) {
      try {
        const value = evaluate(arg, scope);
        return name === "can" ? true : value;
      } catch (error) {
        if (!(error instanceof EvaluationError)) throw error;
      }
    }
    if (name === "can") return false;
    throw new EvaluationError("nothing that try() was given can be worked out", line);
  }
  const values = args.map((arg) => evaluate(arg, scope));
  const last = values.at(-1);
  const given =
    isSpread && last !== undefined && isList(last) ? [...values.slice(0, -1), ...last] : values;
  try {
    return callFunction(name, given, scope);
  } catch (error) {
    throw new EvaluationError(
      `${name}(): ${error instanceof Error ? error.message : String(error)}`,
      line,
    );
  }
};

/** Works an expression out; throws EvaluationError with the line of what is wrong. */
export const evaluate = (expression: Expression, scope: Scope): Value => {
  const { line } = expression;
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "template":
      if (expression.parts.length === 1 && expression.parts[0] !== undefined) {
        return evaluate(expression.parts[0], scope);
      }
      return expression.parts.map((part) => textOf(evaluate(part, scope))).join("");
    case "list":
      return expression.items.map((item) => evaluate(item, scope));
    case "object":
      return Object.fromEntries(
        expression.entries.map(({ key, value }) => [
          textOf(evaluate(key, scope)),
          evaluate(value, scope),
        ]),
      );
    case "name": {
      const found = scope.root(expression.name, line);
      if (found !== undefined) return found;
      throw new EvaluationError(`nothing is called ${expression.name} here`, line);
    }
    case "attribute":
      return attributeOf(
        evaluate(expression.of, scope),
        expression.name,
        line,
        nameOf(expression.of),
      );
    case "index":
      return indexOf(
        evaluate(expression.of, scope),
        evaluate(expression.key, scope),
        line,
        nameOf(expression.of),
      );
    case "splat": {
      const value = evaluate(expression.of, scope);
      const items = isList(value) ? value : pairsOf(value, line).map(([, item]) => item);
      return items.map((item) =>
        expression.names.reduce((of, name) => attributeOf(of, name, line, "an item"), item),
      );
    }
    case "call":
      return evaluateCall(expression, scope);
    case "unary": {
      const operand = evaluate(expression.operand, scope);
      return expression.operator === "!" ? !isTrue(operand, line) : -Number(operand);
    }
    case "binary": {
      const left = evaluate(expression.left, scope);
      if (expression.operator === "&&" || expression.operator === "||") {
        const isLeft = isTrue(left, line);
        if (isLeft === (expression.operator === "||")) return isLeft;
        return isTrue(evaluate(expression.right, scope), line);
      }
      return compute(expression.operator, left, evaluate(expression.right, scope), line);
    }
    case "conditional":
      return isTrue(evaluate(expression.condition, scope), line)
        ? evaluate(expression.yes, scope)
        : evaluate(expression.no, scope);
    case "for":
      return evaluateFor(expression, scope);
  }
};
