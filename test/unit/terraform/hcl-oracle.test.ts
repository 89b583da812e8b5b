/** The reader of HCL against HashiCorp's own parser, compiled to WebAssembly: both must see the same files. */
import { parse } from "@cdktf/hcl2json";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseHcl } from "../../../infra/terraform/check/hcl/parse.js";
import type { Body, Expression } from "../../../infra/terraform/check/hcl/syntax.js";

const root = new URL("../../../infra/terraform/", import.meta.url);
const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
  /\.(?:tf|tfvars|hcl)$/.test(file),
);

/** Where something has to be worked out; the oracle keeps the text, we the tree. */
const computed = "${}";
type Tree = string | number | boolean | null | readonly Tree[] | { readonly [name: string]: Tree };

const valueOf = (expression: Expression): Tree => {
  if (expression.kind === "literal") return expression.value;
  if (expression.kind === "list") return expression.items.map(valueOf);
  if (expression.kind !== "object") return computed;
  const entries = expression.entries.map(({ key, value }): readonly [string, Tree] | null => {
    if (key.kind === "literal") return [String(key.value), valueOf(value)];
    return key.kind === "name" ? [key.name, valueOf(value)] : null;
  });
  // An object with a key that is worked out stays text with the oracle.
  return entries.includes(null)
    ? computed
    : Object.fromEntries(entries.flatMap((entry) => (entry === null ? [] : [entry])));
};

const bodyOf = ({ attributes, blocks }: Body): Tree => {
  const tree: Record<string, unknown> = Object.fromEntries(
    attributes.map(({ name, value }) => [name, valueOf(value)]),
  );
  for (const { type, labels, body } of blocks) {
    let place: Record<string, unknown> = tree;
    const path = [type, ...labels];
    for (const name of path.slice(0, -1)) {
      place[name] ??= {};
      place = place[name] as Record<string, unknown>;
    }
    const last = path.at(-1) ?? type;
    place[last] = [...((place[last] as readonly unknown[] | undefined) ?? []), bodyOf(body)];
  }
  return tree as Tree;
};

const withoutTexts = (value: unknown): unknown => {
  if (typeof value === "string") return value.includes("${") ? computed : value;
  if (Array.isArray(value)) return value.map(withoutTexts);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, withoutTexts(inner)]),
  );
};

describe("the reader of HCL", () => {
  it("finds files to read", () => {
    expect(files.length).toBeGreaterThan(40);
  });

  it.each(files)("sees in %s what HashiCorp's parser sees", async (file) => {
    const text = readFileSync(new URL(file, root), "utf8");
    expect(withoutTexts(bodyOf(parseHcl(text)))).toEqual(withoutTexts(await parse(file, text)));
  });
});
