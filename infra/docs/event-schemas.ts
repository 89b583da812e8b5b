/** JSON Schemas of the events, for publishers that are not written in TypeScript. */
import { z } from "zod";
import { catalogue, type EventType } from "../../events/index.js";
import type { Comments } from "./comments.js";

/** The part of a JSON Schema node that is looked at here. */
export interface SchemaNode {
  readonly [key: string]: unknown;
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
}

const described = (
  node: SchemaNode,
  comment: (field: string) => string | undefined,
): SchemaNode => {
  const { properties, items } = node;
  return {
    ...node,
    ...(items === undefined ? {} : { items: described(items, comment) }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, value]) => {
              const description = comment(name);
              const inner = described(value, comment);
              return [name, description === undefined ? inner : { description, ...inner }];
            }),
          ),
        }),
  };
};

/** The JSON Schema (draft 2020-12) of one event type, with the meaning of its fields. */
export const eventJsonSchema = (type: EventType, comments: Comments): SchemaNode => {
  const schema: SchemaNode = JSON.parse(
    JSON.stringify(
      z.toJSONSchema(catalogue[type].schema, {
        io: "input",
        override: ({ jsonSchema }) => {
          // The format says it all; the pattern beside it is unreadable.
          if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
        },
      }),
    ),
  );
  const { properties = {}, ...others } = schema;
  const { data, ...envelope } = properties;
  const own = comments.files.get(type) ?? "";
  const head = described({ properties: envelope }, (name) =>
    comments.fields.get(`envelope.ts/${name}`),
  );
  return {
    $schema: schema["$schema"],
    $id: `https://continuo.dev/schemas/events/${type}.json`,
    title: type,
    description: comments.types.get(type) ?? "",
    ...others,
    properties: {
      ...head.properties,
      ...(data === undefined
        ? {}
        : { data: described(data, (name) => comments.fields.get(`${own}/${name}`)) }),
    },
  };
};
