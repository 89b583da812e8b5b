/** The manifest as JSON Schema, for editors, and as a tree of field names, for hints. */
import { z } from "zod";
import { manifestSchema } from "./schema.js";

/** The part of a JSON Schema node that is looked at here. */
const nodeSchema = z.looseObject({
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  additionalProperties: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
  oneOf: z.array(z.unknown()).optional(),
});

/** JSON Schema (draft 2020-12) of a manifest as people write it: fields with a default are optional. */
export const manifestJsonSchema = (): Readonly<Record<string, unknown>> => ({
  ...z.toJSONSchema(manifestSchema, { io: "input", unrepresentable: "any" }),
  $id: "https://continuo.dev/schemas/model-v1.json",
  title: "Continuo model manifest",
});

const children = (node: unknown, step: PropertyKey): readonly unknown[] => {
  const parsed = nodeSchema.safeParse(node);
  if (!parsed.success) return [];
  const { properties, items, additionalProperties, anyOf = [], oneOf = [] } = parsed.data;
  const direct =
    typeof step === "number" ? items : (properties?.[String(step)] ?? additionalProperties);
  return [
    ...(direct === undefined ? [] : [direct]),
    ...[...anyOf, ...oneOf].flatMap((option) => children(option, step)),
  ];
};

const names = (node: unknown): readonly string[] => {
  const parsed = nodeSchema.safeParse(node);
  if (!parsed.success) return [];
  const { properties = {}, anyOf = [], oneOf = [] } = parsed.data;
  return [...Object.keys(properties), ...[...anyOf, ...oneOf].flatMap(names)];
};

/** The field names that a manifest may hold at a path. */
export const fieldNames = (path: readonly PropertyKey[]): readonly string[] => {
  const nodes = path.reduce<readonly unknown[]>(
    (found, step) => found.flatMap((node) => children(node, step)),
    [manifestJsonSchema()],
  );
  return [...new Set(nodes.flatMap(names))];
};
