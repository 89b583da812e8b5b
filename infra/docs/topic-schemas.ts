/** Pub/Sub's form of an event's schema: Pub/Sub knows Avro and protocol buffers, and reads JSON by them. */
import { z } from "zod";
import { catalogue, type EventType } from "../../events/index.js";
import { readComments } from "./comments.js";
import { eventJsonSchema } from "./event-schemas.js";

interface Shape {
  readonly type?: string | undefined;
  readonly properties?: Readonly<Record<string, Shape>> | undefined;
  readonly items?: Shape | undefined;
  readonly additionalProperties?: boolean | Shape | undefined;
}

const shape: z.ZodType<Shape> = z.lazy(() =>
  z.object({
    type: z.string().optional(),
    properties: z.record(z.string(), shape).optional(),
    items: shape.optional(),
    additionalProperties: z.union([z.boolean(), shape]).optional(),
  }),
);

const scalars: Readonly<Record<string, string>> = {
  string: "string",
  number: "double",
  integer: "int64",
  boolean: "bool",
};

const scalarOf = (path: string, { type = "" }: Shape): string => {
  const scalar = scalars[type];
  if (scalar !== undefined) return scalar;
  throw new Error(
    `${path} is ${type === "" ? "of several types" : type}: a topic's schema has no such field`,
  );
};

const isMap = ({ type, additionalProperties }: Shape): boolean =>
  type === "object" && typeof additionalProperties === "object";

const typeOf = (path: string, field: Shape): string => {
  if (field.type === "array" && field.items !== undefined) {
    return `repeated ${scalarOf(path, field.items)}`;
  }
  if (isMap(field) && typeof field.additionalProperties === "object") {
    return `map<string, ${scalarOf(path, field.additionalProperties)}>`;
  }
  return scalarOf(path, field);
};

const fieldsOf = (path: string, { properties = {} }: Shape, indent: string): readonly string[] =>
  Object.entries(properties).flatMap(([name, field], index) => {
    const number = String(index + 1);
    if (field.type !== "object" || isMap(field)) {
      return `${indent}${typeOf(`${path}.${name}`, field)} ${name} = ${number};`;
    }
    const message = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    return [
      `${indent}message ${message} {`,
      ...fieldsOf(`${path}.${name}`, field, `${indent}  `),
      `${indent}}`,
      `${indent}${message} ${name} = ${number};`,
    ];
  });

/** The schema of the one event type that a topic carries. */
export const topicSchema = (topic: string): string => {
  const types = Object.entries(catalogue).flatMap(([type, entry]) =>
    entry.topic === topic ? [type] : [],
  );
  const [type] = types.filter((name): name is EventType => name in catalogue);
  if (type === undefined || types.length > 1) {
    throw new Error(
      `topic ${topic} carries ${types.length} types of events: a schema describes one`,
    );
  }
  const event = shape.parse(eventJsonSchema(type, readComments()));
  return [
    `// Generated from the event ${type} by \`npm run generate\`. Messages are its JSON.`,
    'syntax = "proto3";',
    "",
    "message Event {",
    ...fieldsOf(type, event, "  "),
    "}",
    "",
  ].join("\n");
};
