/** What can be said of the files without working them out: names, required fields, and what nobody uses. */
import type { Body, Expression } from "./hcl/syntax.js";
import type { Finding } from "./finding.js";
import {
  attributeOf,
  blocksIn,
  joined,
  metaArguments,
  pathOf,
  type PlanContext,
} from "./plan/module.js";
import type { BlockSchema } from "./schema/schema.js";

type FileBlocks = ReturnType<typeof blocksIn>;

const near = (wanted: string, names: readonly string[]): string => {
  const close = names.filter(
    (name) => name.startsWith(wanted.slice(0, 4)) || name.includes(wanted) || wanted.includes(name),
  );
  return close.length === 0 ? names.slice(0, 12).join(", ") : close.slice(0, 6).join(", ");
};

/** Every expression within, and the expression itself. */
const within = (expression: Expression): readonly Expression[] => {
  const below = ((): readonly Expression[] => {
    switch (expression.kind) {
      case "literal":
      case "name":
        return [];
      case "template":
        return expression.parts;
      case "list":
        return expression.items;
      case "object":
        return expression.entries.flatMap(({ key, value }) => [key, value]);
      case "attribute":
      case "splat":
        return [expression.of];
      case "index":
        return [expression.of, expression.key];
      case "call":
        return expression.args;
      case "unary":
        return [expression.operand];
      case "binary":
        return [expression.left, expression.right];
      case "conditional":
        return [expression.condition, expression.yes, expression.no];
      case "for":
        return [expression.over, expression.key, expression.value, expression.condition].filter(
          (part) => part !== null,
        );
    }
  })();
  return [expression, ...below.flatMap(within)];
};

const expressionsIn = (body: Body): readonly Expression[] => [
  ...body.attributes.flatMap(({ value }) => within(value)),
  ...body.blocks.flatMap((block) => expressionsIn(block.body)),
];

const checkBody = (
  what: string,
  file: string,
  line: number,
  body: Body,
  schema: BlockSchema,
  isResource: boolean,
): readonly Finding[] => {
  const { attributes, blocks = {} } = schema;
  const isMeta = (name: string): boolean => isResource && metaArguments.has(name);
  const findings: Finding[] = [];
  for (const attribute of body.attributes) {
    if (isMeta(attribute.name)) continue;
    const presence = attributes[attribute.name];
    if (presence === undefined) {
      const isBlock = blocks[attribute.name] !== undefined;
      findings.push({
        rule: "unknown-attribute",
        file,
        line: attribute.line,
        message: `${what} has no attribute ${attribute.name}`,
        fix: isBlock
          ? `Write it as a block: ${attribute.name} { ... }.`
          : `It takes ${near(attribute.name, [...Object.keys(attributes), ...Object.keys(blocks)])}.`,
      });
    } else if (presence === "c") {
      findings.push({
        rule: "computed-attribute",
        file,
        line: attribute.line,
        message: `${what} fills in ${attribute.name} itself`,
        fix: "Leave it out.",
      });
    }
  }
  const nested = body.blocks
    .filter(({ type }) => !isMeta(type))
    .map((block) =>
      block.type === "dynamic"
        ? {
            ...block,
            type: block.labels[0] ?? "",
            body: block.body.blocks.find(({ type }) => type === "content")?.body ?? block.body,
          }
        : block,
    );
  for (const block of nested) {
    const inner = blocks[block.type];
    if (inner === undefined) {
      findings.push({
        rule: "unknown-block",
        file,
        line: block.line,
        message: `${what} has no block ${block.type}`,
        fix:
          attributes[block.type] === undefined
            ? `It takes ${near(block.type, Object.keys(blocks))}.`
            : `Write it as an attribute: ${block.type} = ...`,
      });
    } else {
      findings.push(
        ...checkBody(`${what}.${block.type}`, file, block.line, block.body, inner, false),
      );
    }
  }
  for (const [name, presence] of Object.entries(attributes)) {
    if (presence !== "r" || attributeOf(body, name) !== undefined) continue;
    findings.push({
      rule: "missing-attribute",
      file,
      line,
      message: `${what} lacks ${name}`,
      fix: `Set ${name}: the provider requires it.`,
    });
  }
  for (const [name, { isRequired }] of Object.entries(blocks)) {
    if (!isRequired || nested.some(({ type }) => type === name)) continue;
    findings.push({
      rule: "missing-block",
      file,
      line,
      message: `${what} lacks the block ${name}`,
      fix: `Add ${name} { ... }: the provider requires it.`,
    });
  }
  return findings;
};

const checkResources = (blocks: FileBlocks, { schema }: PlanContext): readonly Finding[] =>
  blocks.flatMap(({ file, block }) => {
    if (block.type !== "resource") return [];
    const [type = ""] = block.labels;
    const takes = schema.resources[type];
    if (takes !== undefined) return checkBody(type, file, block.line, block.body, takes, true);
    return [
      {
        rule: "unknown-resource",
        file,
        line: block.line,
        message: `the schema of ${schema.provider} ${schema.version} has no ${type}`,
        fix: `Correct the name (${near(type, Object.keys(schema.resources))}), or run infra/terraform/check/schema/extract.ts if it is new here.`,
      },
    ];
  });

const labelsOf = (blocks: FileBlocks, type: string, index = 0): readonly string[] =>
  blocks.flatMap(({ block }) => (block.type === type ? [block.labels[index] ?? ""] : []));

/** Names that expressions use but nobody declares; what is worked out later never sees what is not used today. */
const checkNames = (blocks: FileBlocks): readonly Finding[] => {
  const locals = blocks.flatMap(({ block }) =>
    block.type === "locals" ? block.body.attributes.map(({ name }) => name) : [],
  );
  const declared: Readonly<Record<string, readonly string[]>> = {
    var: labelsOf(blocks, "variable"),
    local: locals,
    module: labelsOf(blocks, "module"),
  };
  const resources = blocks.flatMap(({ block }) =>
    block.type === "resource" ? [`${block.labels[0] ?? ""}.${block.labels[1] ?? ""}`] : [],
  );
  return blocks.flatMap(({ file, block }) =>
    expressionsIn(block.body).flatMap((expression) => {
      if (expression.kind !== "attribute" || expression.of.kind !== "name") return [];
      const { name: root } = expression.of;
      const known = declared[root] ?? (root.startsWith("google_") ? resources : undefined);
      const wanted = declared[root] === undefined ? `${root}.${expression.name}` : expression.name;
      if (known === undefined || known.includes(wanted)) return [];
      return {
        rule: "reference",
        file,
        line: expression.line,
        message: `nothing declares ${root}.${expression.name}`,
        fix: `Declared here: ${near(wanted, known)}.`,
      };
    }),
  );
};

/** Arguments of module calls against the variables of the module. */
const checkCalls = (folder: string, blocks: FileBlocks, context: PlanContext): readonly Finding[] =>
  blocks.flatMap(({ file, block }) => {
    if (block.type !== "module") return [];
    const source = attributeOf(block.body, "source")?.value;
    const path = source?.kind === "literal" ? String(source.value) : "";
    const target = blocksIn(joined(folder, path), context);
    const [name = ""] = block.labels;
    if (target.length === 0) {
      return {
        rule: "reference",
        file,
        line: block.line,
        message: `module ${name} has no files at ${path}`,
        fix: "Correct source.",
      };
    }
    const variables = target.filter(({ block: { type } }) => type === "variable");
    const names = labelsOf(target, "variable");
    const unknown = block.body.attributes.filter(
      (attribute) =>
        !metaArguments.has(attribute.name) &&
        attribute.name !== "source" &&
        !names.includes(attribute.name),
    );
    const missing = variables.flatMap(({ block: { labels, body } }) => {
      const [variable = ""] = labels;
      const isGiven = attributeOf(block.body, variable) !== undefined;
      return isGiven || attributeOf(body, "default") !== undefined ? [] : [variable];
    });
    return [
      ...unknown.map((attribute) => ({
        rule: "module-argument",
        file,
        line: attribute.line,
        message: `module ${name} has no variable ${attribute.name}`,
        fix: `It takes ${near(attribute.name, names)}.`,
      })),
      ...missing.map((variable) => ({
        rule: "module-argument",
        file,
        line: block.line,
        message: `module ${name} is not given ${variable}`,
        fix: `Set ${variable} in the call, or give the variable a default.`,
      })),
    ];
  });

/** Variables and local values that nobody reads are leftovers of something. */
const checkUnused = (blocks: FileBlocks): readonly Finding[] => {
  const used = new Set(
    blocks.flatMap(({ block }) => {
      const own = block.type === "variable" ? `var.${block.labels[0] ?? ""}` : "";
      return expressionsIn(block.body)
        .map(pathOf)
        .filter((path) => path !== own);
    }),
  );
  const unusedAt = (kind: string, name: string, file: string, line: number): readonly Finding[] =>
    used.has(`${kind}.${name}`)
      ? []
      : [
          {
            rule: "unused",
            file,
            line,
            message: `nobody reads ${kind}.${name}`,
            fix: "Use it or remove it.",
          },
        ];
  return blocks.flatMap(({ file, block }) => {
    if (block.type === "variable") return unusedAt("var", block.labels[0] ?? "", file, block.line);
    if (block.type !== "locals") return [];
    return block.body.attributes.flatMap(({ name, line }) => unusedAt("local", name, file, line));
  });
};

const checkDescriptions = (blocks: FileBlocks): readonly Finding[] =>
  blocks.flatMap(({ file, block }) => {
    if (block.type !== "variable" && block.type !== "output") return [];
    const lacking = ["description", ...(block.type === "variable" ? ["type"] : [])].filter(
      (name) => attributeOf(block.body, name) === undefined,
    );
    return lacking.map((name) => ({
      rule: "described",
      file,
      line: block.line,
      message: `${block.type} ${block.labels[0] ?? ""} has no ${name}`,
      fix: `Add ${name}.`,
    }));
  });

/** The folders that hold Terraform files. */
export const foldersOf = ({ tree }: PlanContext): readonly string[] => [
  ...new Set(
    [...tree.keys()].flatMap((path) =>
      path.endsWith(".tf") ? [path.slice(0, path.lastIndexOf("/"))] : [],
    ),
  ),
];

/** Everything that can be said without working the files out. */
export const staticFindings = (context: PlanContext): readonly Finding[] =>
  foldersOf(context).flatMap((folder) => {
    const blocks = blocksIn(folder, context);
    return [
      ...checkResources(blocks, context),
      ...checkNames(blocks),
      ...checkCalls(folder, blocks, context),
      ...checkUnused(blocks),
      ...checkDescriptions(blocks),
    ];
  });
