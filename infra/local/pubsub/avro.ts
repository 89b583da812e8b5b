/** Avro schemas: parsed, and compared as reader and writer, https://avro.apache.org/docs/1.11.1/specification/ */
import { z } from "zod";

const primitives = [
  "null",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
  "string",
] as const;
type Primitive = (typeof primitives)[number];

/** A record's field. */
export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly hasDefault: boolean;
}

/** A type of a schema; a record's fields may lead back to the record itself. */
export type AvroType =
  | { readonly kind: Primitive }
  | { readonly kind: "record"; readonly name: string; readonly fields: readonly AvroField[] }
  | {
      readonly kind: "enum";
      readonly name: string;
      readonly symbols: readonly string[];
      readonly hasDefault: boolean;
    }
  | { readonly kind: "array"; readonly items: AvroType }
  | { readonly kind: "map"; readonly values: AvroType }
  | { readonly kind: "union"; readonly branches: readonly AvroType[] }
  | { readonly kind: "fixed"; readonly name: string; readonly size: number };

const nodeDepthMax = 100;
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

const name = z.string().regex(/^(?:[A-Za-z_][A-Za-z0-9_]*\.)*[A-Za-z_][A-Za-z0-9_]*$/);
const named = z.object({ name, namespace: z.string().optional() });
const recordNode = named.extend({
  fields: z.array(
    z.looseObject({
      name: z.string().regex(identifier),
      type: z.unknown().refine((type) => type !== undefined),
    }),
  ),
});
const enumNode = named.extend({
  symbols: z.array(z.string().regex(identifier)).min(1),
  default: z.string().optional(),
});
const fixedNode = named.extend({ size: z.number().int().min(0) });
const arrayNode = z.object({ items: z.unknown().refine((items) => items !== undefined) });
const mapNode = z.object({ values: z.unknown().refine((values) => values !== undefined) });

const isPrimitive = (text: string): text is Primitive =>
  (primitives as readonly string[]).includes(text);

/** The name under which a union's branch goes in JSON. */
export const branchName = (type: AvroType): string => ("name" in type ? type.name : type.kind);

const read = <Node>(shape: z.ZodType<Node>, node: unknown, path: string): Node => {
  const parsed = shape.safeParse(node);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${[path, ...(issue?.path ?? [])].join(".")}: ${issue?.message ?? "not valid"}`);
};

const fullName = (given: z.infer<typeof named>, space: string): string => {
  if (given.name.includes(".")) return given.name;
  const own = given.namespace ?? space;
  return own === "" ? given.name : `${own}.${given.name}`;
};

const spaceOf = (full: string): string => full.slice(0, Math.max(0, full.lastIndexOf(".")));

/** Parses a definition; what is wrong is thrown as an Error that says where. */
export function parseAvro(definition: string): AvroType {
  const known = new Map<string, AvroType>();

  const define = <Type extends AvroType>(full: string, type: Type, path: string): Type => {
    if (known.has(full)) throw new Error(`${path}: the name ${full} is defined twice`);
    known.set(full, type);
    return type;
  };

  const record = (node: unknown, space: string, path: string, depth: number): AvroType => {
    const given = read(recordNode, node, path);
    const full = fullName(given, space);
    const fields: AvroField[] = [];
    const made = define(full, { kind: "record", name: full, fields }, path);
    for (const field of given.fields) {
      if (fields.some((other) => other.name === field.name)) {
        throw new Error(`${path}: the field ${field.name} is there twice`);
      }
      const type = parse(field.type, spaceOf(full), `${path}.${field.name}`, depth + 1);
      fields.push({ name: field.name, type, hasDefault: "default" in field });
    }
    return made;
  };

  const union = (
    nodes: readonly unknown[],
    space: string,
    path: string,
    depth: number,
  ): AvroType => {
    const branches = nodes.map((node, index) => parse(node, space, `${path}[${index}]`, depth + 1));
    const names = branches.map((branch) => branchName(branch));
    if (names.includes("union")) throw new Error(`${path}: a union cannot hold a union`);
    if (new Set(names).size < names.length) {
      throw new Error(`${path}: a union holds each type once`);
    }
    return { kind: "union", branches };
  };

  const complex = (node: object, space: string, path: string, depth: number): AvroType => {
    const { type } = read(z.object({ type: z.unknown() }), node, path);
    switch (type) {
      case "record":
      case "error":
        return record(node, space, path, depth);
      case "enum": {
        const given = read(enumNode, node, path);
        const full = fullName(given, space);
        const { symbols } = given;
        if (new Set(symbols).size < symbols.length) {
          throw new Error(`${path}: a symbol is there twice`);
        }
        if (given.default !== undefined && !symbols.includes(given.default)) {
          throw new Error(`${path}: the default ${given.default} is none of the symbols`);
        }
        const hasDefault = given.default !== undefined;
        return define(full, { kind: "enum", name: full, symbols, hasDefault }, path);
      }
      case "fixed": {
        const given = read(fixedNode, node, path);
        const full = fullName(given, space);
        return define(full, { kind: "fixed", name: full, size: given.size }, path);
      }
      case "array": {
        const { items } = read(arrayNode, node, path);
        return { kind: "array", items: parse(items, space, `${path}.items`, depth + 1) };
      }
      case "map": {
        const { values } = read(mapNode, node, path);
        return { kind: "map", values: parse(values, space, `${path}.values`, depth + 1) };
      }
      default:
        return parse(type, space, path, depth + 1);
    }
  };

  function parse(node: unknown, space: string, path: string, depth: number): AvroType {
    if (depth > nodeDepthMax) throw new Error(`${path}: types are nested too deeply`);
    if (typeof node === "string") {
      if (isPrimitive(node)) return { kind: node };
      const full = node.includes(".") || space === "" ? node : `${space}.${node}`;
      const found = known.get(full) ?? known.get(node);
      if (found === undefined) throw new Error(`${path}: there is no type ${node}`);
      return found;
    }
    if (Array.isArray(node)) return union(node, space, path, depth);
    if (typeof node === "object" && node !== null) return complex(node, space, path, depth);
    throw new Error(`${path}: a type is a name, an object or a list of types`);
  }

  let json: unknown;
  try {
    json = JSON.parse(definition);
  } catch (error) {
    throw new Error("the definition is not JSON", { cause: error });
  }
  return parse(json, "", "schema", 0);
}

const promotions: Partial<Record<AvroType["kind"], readonly AvroType["kind"][]>> = {
  int: ["long", "float", "double"],
  long: ["float", "double"],
  float: ["double"],
  string: ["bytes"],
  bytes: ["string"],
};
const shortName = (full: string): string => full.slice(full.lastIndexOf(".") + 1);

/** Why data written with one schema cannot be read with another; undefined where it can. */
export function unreadable(reader: AvroType, writer: AvroType): string | undefined {
  const asked = new Map<AvroType, Set<AvroType>>();

  const check = (to: AvroType, by: AvroType, path: string): string | undefined => {
    const pairs = asked.get(to) ?? new Set<AvroType>();
    // A recursive pair holds as long as nothing else speaks against it.
    if (pairs.has(by)) return undefined;
    asked.set(to, pairs.add(by));
    const reason = compare(to, by, path);
    if (reason !== undefined) pairs.delete(by);
    return reason;
  };

  const compare = (to: AvroType, by: AvroType, path: string): string | undefined => {
    if (by.kind === "union") {
      return by.branches
        .map((branch) => check(to, branch, path))
        .find((reason) => reason !== undefined);
    }
    if (to.kind === "union") {
      return to.branches.some((branch) => check(branch, by, path) === undefined)
        ? undefined
        : `${path}: no branch of the union takes ${branchName(by)}`;
    }
    if (to.kind === "record" && by.kind === "record") {
      for (const field of to.fields) {
        const written = by.fields.find((one) => one.name === field.name);
        const at = `${path}.${field.name}`;
        if (written === undefined && !field.hasDefault) {
          return `${at} has no default and is not in the other revision`;
        }
        const reason = written === undefined ? undefined : check(field.type, written.type, at);
        if (reason !== undefined) return reason;
      }
      return undefined;
    }
    if (to.kind === "array" && by.kind === "array") return check(to.items, by.items, `${path}[]`);
    if (to.kind === "map" && by.kind === "map") return check(to.values, by.values, `${path}{}`);
    if (to.kind === "enum" && by.kind === "enum") {
      const gone = by.symbols.find((symbol) => !to.symbols.includes(symbol));
      return gone === undefined || to.hasDefault ? undefined : `${path} loses the symbol ${gone}`;
    }
    const isSame =
      to.kind === "fixed" && by.kind === "fixed"
        ? to.size === by.size && shortName(to.name) === shortName(by.name)
        : to.kind === by.kind || promotions[by.kind]?.includes(to.kind) === true;
    return isSame ? undefined : `${path} cannot change from ${branchName(by)} to ${branchName(to)}`;
  };
  return check(reader, writer, "schema");
}
