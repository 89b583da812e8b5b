/**
 * Makes provider-schema.json again: `npx tsx infra/terraform/check/schema/extract.ts FOLDER`, where FOLDER is an empty
 * folder in which `npm install @cdktf/provider-google@16.12.1` was run. The package is generated from the provider, and
 * its source maps keep the TypeScript that names every attribute as required, optional or computed. Only the resources
 * that our files use are kept.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { z } from "zod";
import { readTree } from "../tree.js";
import { parseHcl } from "../hcl/parse.js";
import type { BlockSchema } from "./schema.js";

const sourceMap = z.object({ sourcesContent: z.array(z.string()) });

interface Field {
  readonly presence: "r" | "o" | "c";
  readonly block: string | null;
}

type Classes = ReadonlyMap<string, ReadonlyMap<string, Field>>;

/** The fields of every class of a generated file: a comment tells the presence, a member the nested class. */
const classesOf = (source: string): Classes => {
  const classes = new Map<string, Map<string, Field>>();
  let fields = new Map<string, Field>();
  let pending: { readonly name: string; readonly presence: Field["presence"] } | null = null;
  for (const line of source.split("\n")) {
    const name = /^export class (\w+)/.exec(line)?.[1];
    if (name !== undefined) {
      fields = new Map();
      classes.set(name, fields);
      pending = null;
    }
    const told = /^ {2}\/\/ ([a-z0-9_]+) - computed: (\w+), optional: (\w+), required: (\w+)/.exec(
      line,
    );
    if (told?.[1] !== undefined) {
      const optional = told[3] === "true" ? "o" : "c";
      pending = { name: told[1], presence: told[4] === "true" ? "r" : optional };
      fields.set(pending.name, { presence: pending.presence, block: null });
    }
    const nested = /new (\w+?)(?:OutputReference|List|Map)\(this, "/.exec(line)?.[1];
    if (pending !== null && nested !== undefined) {
      fields.set(pending.name, { presence: pending.presence, block: nested });
      pending = null;
    }
  }
  return classes;
};

const schemaOf = (classes: Classes, name: string, seen: readonly string[]): BlockSchema => {
  const attributes: Record<string, Field["presence"]> = {};
  const blocks: Record<string, BlockSchema & { readonly isRequired: boolean }> = {};
  for (const [field, { presence, block }] of classes.get(name) ?? []) {
    if (block === null || presence === "c") attributes[field] = presence;
    else if (!seen.includes(block)) {
      const inner = schemaOf(classes, `${block}OutputReference`, [...seen, block]);
      blocks[field] = { isRequired: presence === "r", ...inner };
    }
  }
  return { attributes, ...(Object.keys(blocks).length === 0 ? {} : { blocks }) };
};

const usedTypes = (): ReadonlySet<string> =>
  new Set(
    [...readTree()].flatMap(([path, text]) =>
      path.endsWith(".tf")
        ? parseHcl(text).blocks.flatMap(({ type, labels }) =>
            type === "resource" && labels[0] !== undefined ? [labels[0]] : [],
          )
        : [],
    ),
  );

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write("name the folder in which @cdktf/provider-google is installed\n");
  process.exit(2);
}
const library = join(folder, "node_modules/@cdktf/provider-google/lib");
const used = usedTypes();
const resources: Record<string, BlockSchema> = {};
let version = "";
for (const name of readdirSync(library)) {
  const file = join(library, name, "index.js");
  if (name.startsWith("data-google") || !existsSync(file)) continue;
  const text = readFileSync(file, "utf8");
  const type = /tfResourceType = "([a-z0-9_]+)"/.exec(text)?.[1];
  if (type === undefined || !used.has(type)) continue;
  version = /providerVersion: '([^']+)'/.exec(text)?.[1] ?? version;
  const map =
    /sourceMappingURL=data:application\/json;base64,([A-Za-z0-9+/=]+)/.exec(text)?.[1] ?? "";
  const [source = ""] = sourceMap.parse(
    JSON.parse(Buffer.from(map, "base64").toString("utf8")),
  ).sourcesContent;
  const classes = classesOf(source);
  const main = /export class (\w+) extends cdktf\.TerraformResource/.exec(source)?.[1] ?? "";
  resources[type] = schemaOf(classes, main, []);
}
const missing = [...used].filter((type) => resources[type] === undefined);
if (missing.length > 0) {
  process.stderr.write(`the provider has no ${missing.join(", ")}\n`);
  process.exit(1);
}
const content = {
  description:
    "Names of what the resources used here take: r required, o optional, c computed. Facts read from npm's @cdktf/provider-google 16.12.1 by extract.ts.",
  provider: "hashicorp/google",
  version,
  resources: Object.fromEntries(Object.entries(resources).toSorted(([a], [b]) => (a < b ? -1 : 1))),
};
const target = new URL("provider-schema.json", import.meta.url);
writeFileSync(target, JSON.stringify(content, null, 1));
process.stdout.write(`${Object.keys(resources).length} resources of ${version}\n`);
