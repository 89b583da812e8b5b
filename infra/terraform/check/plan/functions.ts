/** Terraform's functions, those that our files use. */
import { areEqual, isList, isObject, isUnknown, textOf, type Value } from "./values.js";

/** What functions need besides their arguments. */
export interface FunctionContext {
  /** Reads a file; throws when there is none. */
  readonly readFile: (path: string) => string;
}

type Implementation = (args: readonly Value[], context: FunctionContext) => Value;

const wrong = (expected: string, value: Value | undefined): never => {
  throw new TypeError(`expected ${expected}, got ${JSON.stringify(value ?? null)}`);
};
const text = (value: Value | undefined): string =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : wrong("a text", value);
const number = (value: Value | undefined): number => {
  const found = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof found === "number" && !Number.isNaN(found) ? found : wrong("a number", value);
};
const list = (value: Value | undefined): readonly Value[] =>
  value !== undefined && isList(value) ? value : wrong("a list", value);
const object = (value: Value | undefined) =>
  value !== undefined && isObject(value) ? value : wrong("an object", value);
const distinct = (values: readonly Value[]): Value[] =>
  values.filter((value, index) => values.findIndex((other) => areEqual(other, value)) === index);
const byText = (values: readonly Value[]): Value[] =>
  values.toSorted((left, right) => (textOf(left) < textOf(right) ? -1 : 1));
const asSet = (value: Value | undefined): Value[] => byText(distinct(list(value)));
const flatten = (values: readonly Value[]): Value[] =>
  values.flatMap((value) => (isList(value) ? flatten(value) : [value]));

/** Terraform's JSON escapes what HTML would misread. */
const json = (value: Value): string =>
  JSON.stringify(value)
    .replaceAll("<", String.raw`\u003c`)
    .replaceAll(">", String.raw`\u003e`)
    .replaceAll("&", String.raw`\u0026`);

const fromJson = (value: Value | undefined): Value => {
  const parse: (json: string) => Value = JSON.parse;
  return parse(text(value));
};

const pattern = (value: Value | undefined, flags = ""): RegExp => new RegExp(text(value), flags);

const replacement = (by: string): string => by.replaceAll(/\$\{?(\d+)\}?/g, "$$$1");

const replaced = (input: string, wanted: string, by: string): string =>
  wanted.length > 1 && wanted.startsWith("/") && wanted.endsWith("/")
    ? input.replace(new RegExp(wanted.slice(1, -1), "g"), replacement(by))
    : input.replaceAll(wanted, () => by);

const formatted = (template: string, args: readonly Value[]): string => {
  const left = [...args];
  return template.replaceAll(/%(0?\d*)([sdvq%])/g, (_all, width: string, verb: string) => {
    if (verb === "%") return "%";
    const said = textOf(left.shift() ?? null);
    return verb === "q"
      ? JSON.stringify(said)
      : said.padStart(Number(width), width[0] === "0" ? "0" : " ");
  });
};

const implementations: Readonly<Record<string, Implementation>> = {
  abspath: ([path]) => text(path),
  alltrue: ([values]) => list(values).every((value) => value === true || value === "true"),
  anytrue: ([values]) => list(values).some((value) => value === true || value === "true"),
  base64encode: ([value]) => Buffer.from(text(value)).toString("base64"),
  ceil: ([value]) => Math.ceil(number(value)),
  coalesce: (args) => args.find((value) => value !== null && value !== "") ?? null,
  compact: ([values]) => list(values).filter((value) => value !== null && value !== ""),
  concat: (args) => args.flatMap((value) => list(value)),
  contains: ([values, wanted = null]) => list(values).some((value) => areEqual(value, wanted)),
  distinct: ([values]) => distinct(list(values)),
  endswith: ([value, end]) => text(value).endsWith(text(end)),
  file: ([path], { readFile }) => readFile(text(path)),
  flatten: ([values]) => flatten(list(values)),
  floor: ([value]) => Math.floor(number(value)),
  format: ([template, ...args]) => formatted(text(template), args),
  join: ([separator, values]) => list(values).map(textOf).join(text(separator)),
  jsondecode: ([value]) => fromJson(value),
  jsonencode: ([value = null]) => json(value),
  keys: ([value]) => Object.keys(object(value)).toSorted(),
  length: ([value]) => {
    if (typeof value === "string") return value.length;
    return value !== undefined && isObject(value) ? Object.keys(value).length : list(value).length;
  },
  lookup: ([map, key, otherwise = null]) => object(map)[text(key)] ?? otherwise,
  lower: ([value]) => text(value).toLowerCase(),
  max: (args) => Math.max(...args.map(number)),
  merge: (args) => Object.assign({}, ...args.map((value) => (value === null ? {} : object(value)))),
  min: (args) => Math.min(...args.map(number)),
  one: ([values]) => list(values)[0] ?? null,
  regex: ([wanted, value]) => {
    const found = pattern(wanted).exec(text(value));
    if (found === null) return wrong(`a text like ${text(wanted)}`, value);
    return found.length === 1 ? found[0] : found.slice(1);
  },
  regexall: ([wanted, value]) =>
    [...text(value).matchAll(pattern(wanted, "g"))].map(([all]) => all),
  replace: ([value, wanted, by]) => replaced(text(value), text(wanted), text(by)),
  setproduct: (args) =>
    args.reduce<Value[][]>(
      (rows, values) => rows.flatMap((row) => list(values).map((value) => [...row, value])),
      [[]],
    ),
  setsubtract: ([from, less]) =>
    asSet(from).filter((value) => !list(less).some((other) => areEqual(other, value))),
  setunion: (args) => asSet(args.flatMap((value) => list(value))),
  sort: ([values]) => byText(list(values)),
  split: ([separator, value]) => text(value).split(text(separator)),
  startswith: ([value, start]) => text(value).startsWith(text(start)),
  substr: ([value, from, length]) =>
    number(length) < 0
      ? text(value).slice(number(from))
      : text(value).slice(number(from), number(from) + number(length)),
  title: ([value]) => text(value).replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase()),
  tobool: ([value]) => value === true || value === "true",
  tolist: ([values]) => [...list(values)],
  tomap: ([value]) => object(value),
  tonumber: ([value]) => (value === null ? null : number(value)),
  toset: ([values]) => asSet(values),
  tostring: ([value]) => (value === null ? null : text(value)),
  trimprefix: ([value, prefix]) =>
    text(value).startsWith(text(prefix)) ? text(value).slice(text(prefix).length) : text(value),
  trimspace: ([value]) => text(value).trim(),
  trimsuffix: ([value, suffix]) =>
    text(value).endsWith(text(suffix)) ? text(value).slice(0, -text(suffix).length) : text(value),
  upper: ([value]) => text(value).toUpperCase(),
  values: ([value]) => {
    const map = object(value);
    return Object.keys(map)
      .toSorted()
      .map((key) => map[key] ?? null);
  },
  zipmap: ([keys, values]) =>
    Object.fromEntries(list(keys).map((key, index) => [text(key), list(values)[index] ?? null])),
};

/** Functions whose result must not be worked out from a name that stands for a value. */
const needsKnown = new Set([
  "regex",
  "jsondecode",
  "length",
  "split",
  "substr",
  "tonumber",
  "base64encode",
]);

/** Calls a function; throws when there is no such function or it cannot take these arguments. */
export const callFunction = (
  name: string,
  args: readonly Value[],
  context: FunctionContext,
): Value => {
  const implementation = implementations[name];
  if (implementation === undefined) throw new TypeError(`function ${name}() is not known here`);
  const unknown = args.find(isUnknown);
  if (unknown !== undefined && needsKnown.has(name)) return `\${${name}(${textOf(unknown)})}`;
  return implementation(args, context);
};
