/** Works out a module: every resource that it would make, with its attributes. */
import type { Attribute, Block, Body, Expression } from "../hcl/syntax.js";
import { parseHcl } from "../hcl/parse.js";
import { HclSyntaxError } from "../hcl/syntax.js";
import type { Finding } from "../finding.js";
import type { BlockSchema, ProviderSchema } from "../schema/schema.js";
import type { Tree } from "../tree.js";
import { evaluate, type Scope } from "./evaluate.js";
import { knownAttributes } from "./known.js";
import { conform, TypeMismatchError } from "./types.js";
import {
  EvaluationError,
  InputError,
  isList,
  isObject,
  isUnknown,
  referenceTo,
  textOf,
  unknownOf,
  type Value,
} from "./values.js";

/** A value with where it was written. */
export interface Placed {
  readonly value: Value;
  readonly file: string;
  readonly line: number;
}

/** A block as it would be made. */
export interface PlannedBlock {
  readonly line: number;
  readonly attributes: Readonly<Record<string, { readonly value: Value; readonly line: number }>>;
  readonly blocks: Readonly<Record<string, readonly PlannedBlock[]>>;
}

/** A resource as it would be made. */
export interface PlannedResource extends PlannedBlock {
  readonly address: string;
  readonly type: string;
  readonly name: string;
  readonly key: string | null;
  readonly file: string;
  readonly ignoredChanges: readonly string[];
}

/** What working modules out takes. */
export interface PlanContext {
  readonly tree: Tree;
  readonly schema: ProviderSchema;
  readonly report: (finding: Finding) => void;
}

/** A module that was worked out. */
export interface PlannedModule {
  readonly resources: readonly PlannedResource[];
  readonly output: (name: string, line: number) => Value;
}

interface FileBlock {
  readonly file: string;
  readonly block: Block;
}

/** The attribute of that name. */
export const attributeOf = (body: Body, name: string): Attribute | undefined =>
  body.attributes.find((attribute) => attribute.name === name);

/** A file is read once, however many modules and scenarios use it. */
const parsed = new Map<string, Body>();

const parsedOnce = (text: string): Body => {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const body = parseHcl(text);
  parsed.set(text, body);
  return body;
};

/** The texts of the files of one folder, parsed; mistakes in their syntax are reported. */
export const blocksIn = (folder: string, { tree, report }: PlanContext): readonly FileBlock[] =>
  [...tree].flatMap(([file, text]) => {
    if (!file.endsWith(".tf") || file.slice(0, file.lastIndexOf("/")) !== folder) return [];
    try {
      return parsedOnce(text).blocks.map((block) => ({ file, block }));
    } catch (error) {
      if (!(error instanceof HclSyntaxError)) throw error;
      const { line, message } = error;
      report({
        rule: "syntax",
        file,
        line,
        message,
        fix: "Correct the syntax; `terraform fmt` says the same.",
      });
      return [];
    }
  });

/** A path such as ../x from a folder, without its dots. */
export const joined = (folder: string, path: string): string => {
  const parts = folder.split("/");
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
};

/** An expression that names something, as it was written. */
export const pathOf = (expression: Expression): string => {
  if (expression.kind === "name") return expression.name;
  if (expression.kind === "attribute") return `${pathOf(expression.of)}.${expression.name}`;
  if (expression.kind === "index") {
    const { key } = expression;
    return `${pathOf(expression.of)}[${key.kind === "literal" ? JSON.stringify(key.value) : pathOf(key)}]`;
  }
  return "";
};

const withNames = (scope: Scope, names: Readonly<Record<string, Value>>): Scope => ({
  ...scope,
  root: (name, line) => names[name] ?? scope.root(name, line),
});

interface Instance {
  readonly key: string | null;
  readonly scope: Scope;
}

/** The copies of a block that for_each or count make. */
const instancesOf = (body: Body, scope: Scope): readonly Instance[] => {
  const count = attributeOf(body, "count");
  const forEach = attributeOf(body, "for_each");
  if (count !== undefined) {
    const total = Number(evaluate(count.value, scope));
    return Array.from({ length: total }, (_, index) => ({
      key: String(index),
      scope: withNames(scope, { count: { index } }),
    }));
  }
  if (forEach === undefined) return [{ key: null, scope }];
  const value = evaluate(forEach.value, scope);
  const pairs: readonly (readonly [string, Value])[] = isList(value)
    ? value.map((item) => [textOf(item), item])
    : isObject(value)
      ? Object.entries(value)
      : [];
  if (!isList(value) && !isObject(value)) {
    throw new EvaluationError("for_each needs a map or a set", forEach.line);
  }
  const unknown = pairs.find(([key]) => isUnknown(key));
  if (unknown !== undefined) {
    throw new EvaluationError(
      `for_each has the key ${unknown[0]}, which is known only once it is applied`,
      forEach.line,
    );
  }
  return pairs.map(([key, item]) => ({
    key,
    scope: withNames(scope, { each: { key, value: item } }),
  }));
};

const plannedBlock = (
  body: Body,
  line: number,
  scope: Scope,
  skipped: ReadonlySet<string>,
): PlannedBlock => {
  const blocks: Record<string, PlannedBlock[]> = {};
  const none = new Set<string>();
  for (const { type, labels, body: inner, line: innerLine } of body.blocks) {
    if (type === "dynamic") {
      const [name = ""] = labels;
      const content = inner.blocks.find((block) => block.type === "content");
      const iterator = attributeOf(inner, "iterator");
      const alias = iterator === undefined ? name : pathOf(iterator.value);
      for (const { key, scope: each } of instancesOf(inner, scope)) {
        const value = each.root("each", innerLine) ?? null;
        const item = isObject(value) ? (value["value"] ?? null) : null;
        const named = withNames(scope, { [alias]: { key, value: item } });
        (blocks[name] ??= []).push(
          plannedBlock(content?.body ?? inner, content?.line ?? innerLine, named, none),
        );
      }
    } else if (!skipped.has(type)) {
      (blocks[type] ??= []).push(plannedBlock(inner, innerLine, scope, none));
    }
  }
  const attributes = Object.fromEntries(
    body.attributes.flatMap(({ name, value, line: attributeLine }) => {
      if (skipped.has(name)) return [];
      const found = evaluate(value, scope);
      return found === null ? [] : [[name, { value: found, line: attributeLine }] as const];
    }),
  );
  return { line, attributes, blocks };
};

/** What Terraform itself reads of a resource. */
export const metaArguments = new Set(["for_each", "count", "depends_on", "provider", "lifecycle"]);

const ignoredChangesOf = (body: Body): readonly string[] =>
  body.blocks.flatMap((block) => {
    const ignored =
      block.type === "lifecycle" ? attributeOf(block.body, "ignore_changes") : undefined;
    return ignored?.value.kind === "list" ? ignored.value.items.map(pathOf) : [];
  });

const stringAttribute = (body: Body, name: string): string | undefined => {
  const value = attributeOf(body, name)?.value;
  return value?.kind === "literal" && typeof value.value === "string" ? value.value : undefined;
};

const indexed = (address: string, key: string | null, isCounted: boolean): string =>
  key === null ? address : `${address}[${isCounted ? key : JSON.stringify(key)}]`;

/** Adds the file to whatever is thrown on the way: a line alone says nothing. */
const inFile = <Result>(file: string, work: () => Result): Result => {
  try {
    return work();
  } catch (error) {
    if (error instanceof EvaluationError) throw error.inFile(file);
    throw error;
  }
};

/** Works out the module of a folder with what it is given. */
export const planModule = (
  folder: string,
  prefix: string,
  given: Readonly<Record<string, Placed>>,
  context: PlanContext,
): PlannedModule => {
  const { tree, schema, report } = context;
  const all = blocksIn(folder, context);
  const ofType = (type: string): readonly FileBlock[] =>
    all.filter(({ block }) => block.type === type);
  const memo = new Map<string, { readonly value: Value } | "running">();

  const once = (key: string, line: number, work: () => Value): Value => {
    const known = memo.get(key);
    if (known === "running") throw new EvaluationError(`${key} depends on itself`, line);
    if (known !== undefined) return known.value;
    memo.set(key, "running");
    try {
      const value = work();
      memo.set(key, { value });
      return value;
    } catch (error) {
      memo.delete(key);
      throw error;
    }
  };
  /** Reports what cannot be worked out, and goes on with the rest. */
  const attempt = <Result>(file: string, work: () => Result): Result | undefined => {
    try {
      return inFile(file, work);
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      const isInput = error instanceof InputError;
      report({
        rule: isInput ? "variable" : "reference",
        file: error.file ?? file,
        line: error.line,
        message: error.message,
        fix: isInput ? "Correct the value." : "Name something that exists, or declare it.",
      });
      return undefined;
    }
  };

  const named = (type: string, name: string): FileBlock | undefined =>
    ofType(type).find(({ block }) => block.labels[0] === name);

  const variable = (name: string, line: number): Value =>
    once(`var.${name}`, line, () => {
      const found = named("variable", name);
      if (found === undefined) throw new EvaluationError(`variable ${name} is not declared`, line);
      const input = given[name];
      const type = attributeOf(found.block.body, "type")?.value;
      const otherwise = attributeOf(found.block.body, "default");
      if (input === undefined || (input.value === null && otherwise !== undefined)) {
        if (otherwise === undefined)
          throw new EvaluationError(`variable ${name} was not given`, line);
        return conform(name, type, evaluate(otherwise.value, scope));
      }
      try {
        return conform(name, type, input.value);
      } catch (error) {
        if (!(error instanceof TypeMismatchError)) throw error;
        throw new InputError(error.message, input.line, input.file);
      }
    });

  const local = (name: string, line: number): Value =>
    once(`local.${name}`, line, () => {
      for (const { file, block } of ofType("locals")) {
        const attribute = attributeOf(block.body, name);
        if (attribute !== undefined) return inFile(file, () => evaluate(attribute.value, scope));
      }
      throw new EvaluationError(`local value ${name} is not declared`, line);
    });

  const calls = new Map<string, readonly (readonly [string | null, PlannedModule])[]>();
  const called = (
    name: string,
    line: number,
  ): readonly (readonly [string | null, PlannedModule])[] => {
    const known = calls.get(name);
    if (known !== undefined) return known;
    const found = named("module", name);
    if (found === undefined) throw new EvaluationError(`module ${name} is not declared`, line);
    const { file, block } = found;
    const source = joined(folder, stringAttribute(block.body, "source") ?? "");
    const made = inFile(file, () =>
      instancesOf(block.body, scope).map(({ key, scope: each }) => {
        const inputs = Object.fromEntries(
          block.body.attributes.flatMap(({ name: argument, value, line: at }) => {
            if (metaArguments.has(argument) || argument === "source" || argument === "version")
              return [];
            // A variable that is only handed on is blamed where it was set.
            const path = pathOf(value);
            const origin = path.startsWith("var.") ? given[path.slice(4)] : undefined;
            const placed: Placed = {
              value: evaluate(value, each),
              file: origin?.file ?? file,
              line: origin?.line ?? at,
            };
            return [[argument, placed] as const];
          }),
        );
        const address = indexed(`${prefix}module.${name}`, key, true);
        return [key, planModule(source, `${address}.`, inputs, context)] as const;
      }),
    );
    calls.set(name, made);
    return made;
  };
  const moduleValue = (name: string, line: number): Value => {
    const made = called(name, line);
    const values = made.map(([, planned]) => referenceTo(`module.${name}`, planned.output));
    const isSingle = made.length === 1 && made[0]?.[0] === null;
    return isSingle ? (values[0] ?? null) : values;
  };

  const resourceBlocks = ofType("resource");
  const resourceValue = (type: string, name: string, line: number): Value => {
    const found = resourceBlocks.find(
      ({ block }) => block.labels[0] === type && block.labels[1] === name,
    );
    if (found === undefined)
      throw new EvaluationError(`resource ${type}.${name} is not declared`, line);
    const { file, block } = found;
    const isCounted = attributeOf(block.body, "count") !== undefined;
    const valueOf = ({ key, scope: each }: Instance): Value => {
      const address = indexed(`${prefix}${type}.${name}`, key, isCounted);
      const read = (attribute: string, at: number): Value => {
        const known = knownAttributes[type]?.[attribute];
        if (known !== undefined) return known((other) => read(other, at));
        const set = attributeOf(block.body, attribute);
        if (set !== undefined) return inFile(file, () => evaluate(set.value, each));
        const takes: BlockSchema | undefined = schema.resources[type];
        if (
          takes?.attributes[attribute] === undefined &&
          takes?.blocks?.[attribute] === undefined
        ) {
          throw new EvaluationError(`${type} has no attribute ${attribute}`, at);
        }
        return unknownOf(`${address}.${attribute}`);
      };
      return referenceTo(address, read);
    };
    const instances = once(`${type}.${name}`, line, () =>
      inFile(file, () => {
        const made = instancesOf(block.body, scope);
        if (isCounted) return made.map(valueOf);
        const [only] = made;
        return made.length === 1 && only?.key === null
          ? valueOf(only)
          : Object.fromEntries(made.map((one) => [one.key ?? "", valueOf(one)]));
      }),
    );
    return instances;
  };

  const resourceTypes = new Set(resourceBlocks.map(({ block }) => block.labels[0] ?? ""));
  const scope: Scope = {
    readFile: (path) => {
      const text = tree.get(joined(folder, path));
      if (text === undefined) throw new TypeError(`there is no file ${joined(folder, path)}`);
      return text;
    },
    root: (name, line) => {
      if (name === "var") return referenceTo("var", variable);
      if (name === "local") return referenceTo("local", local);
      if (name === "module") return referenceTo("module", moduleValue);
      if (name === "path") return { module: ".", root: ".", cwd: "." };
      if (resourceTypes.has(name))
        return referenceTo(name, (key, at) => resourceValue(name, key, at));
      if (schema.resources[name] !== undefined) {
        throw new EvaluationError(`no ${name} is declared here`, line);
      }
      return undefined;
    },
  };

  // Variables first: what is wrong with them is said in their own words.
  for (const { file, block } of ofType("variable")) {
    const [name = ""] = block.labels;
    attempt(given[name]?.file ?? file, () => variable(name, given[name]?.line ?? block.line));
    for (const validation of block.body.blocks.filter(({ type }) => type === "validation")) {
      const condition = attributeOf(validation.body, "condition");
      const message = attributeOf(validation.body, "error_message");
      if (condition === undefined || message === undefined) continue;
      attempt(file, () => {
        if (evaluate(condition.value, scope) !== false) return;
        report({
          rule: "variable",
          file: given[name]?.file ?? file,
          line: given[name]?.line ?? validation.line,
          message: `${name} is ${JSON.stringify(given[name]?.value ?? null)?.slice(0, 200) ?? ""}`,
          fix: textOf(evaluate(message.value, scope)),
        });
      });
    }
  }

  const resources: PlannedResource[] = [];
  for (const { file, block } of resourceBlocks) {
    const [type = "", name = ""] = block.labels;
    const isCounted = attributeOf(block.body, "count") !== undefined;
    attempt(file, () => {
      for (const { key, scope: each } of instancesOf(block.body, scope)) {
        attempt(file, () => {
          resources.push({
            ...plannedBlock(block.body, block.line, each, metaArguments),
            address: indexed(`${prefix}${type}.${name}`, key, isCounted),
            type,
            name,
            key,
            file,
            ignoredChanges: ignoredChangesOf(block.body),
          });
        });
      }
    });
  }
  const output = (name: string, line: number): Value => {
    const found = named("output", name);
    const value = found === undefined ? undefined : attributeOf(found.block.body, "value");
    if (found === undefined || value === undefined) {
      throw new EvaluationError(`${prefix.slice(0, -1)} has no output ${name}`, line);
    }
    return inFile(found.file, () => evaluate(value.value, scope));
  };
  for (const { file, block } of ofType("output"))
    attempt(file, () => output(block.labels[0] ?? "", block.line));
  for (const { file, block } of ofType("module")) {
    const [name = ""] = block.labels;
    const made = attempt(file, () => called(name, block.line)) ?? [];
    for (const [, planned] of made) resources.push(...planned.resources);
  }
  return { resources, output };
};
