/** The catalogue as a page for people: events/README.md. */
import { catalogue, type EventType } from "../../events/index.js";
import type { Comments } from "./comments.js";
import { exampleOf } from "./event-examples.js";
import { eventJsonSchema, type SchemaNode } from "./event-schemas.js";

const introduction = `# Events

Generated from the schemas in this folder with \`npm run generate\`: edit those, not this page.

An event says what happened. Every event is a [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)
envelope in structured JSON around a \`data\` of its own type. Ids are deterministic: the same occurrence always has the
same \`source\` and \`id\`, whatever carried it and however often, and is acted on once. A job of yours publishes
\`dataset.arrived\` by sending the JSON below as a message's data to topic \`dataset\`:

\`\`\`sh
gcloud pubsub topics publish dataset --message="$(cat event.json)"
\`\`\`

The times in the examples belong to their data: set \`time\` to when it happened. What is older than thirty days is
refused as a replay.

A message that no schema reads is not lost: it becomes a dead letter with the reason
(\`continuo dead-letters list\`). Messages of other systems (Cloud Storage notifications, BigQuery transfers and load jobs,
Cloud Scheduler, Cloud Logging sinks, Cloud Monitoring incidents, Cloud Build, Airflow) are read by [sources/](sources)
and become one of these events. JSON Schemas for other languages are in [schemas/](schemas).
`;

const cell = (text: string): string => text.replaceAll("|", "\\|");

const typeOf = (node: SchemaNode): string => {
  if (Array.isArray(node["enum"])) {
    return node["enum"].map((value) => `\`${String(value)}\``).join(", ");
  }
  if (node["const"] !== undefined) return `\`${JSON.stringify(node["const"])}\``;
  if (node["format"] === "date-time") return "RFC 3339 time";
  if (node.type === "array" && node.items !== undefined) return `list of ${typeOf(node.items)}`;
  return node.type ?? "any";
};

const rowsOf = (node: SchemaNode, prefix = ""): readonly string[] =>
  Object.entries(node.properties ?? {}).flatMap(([name, value]) => {
    const path = `${prefix}${name}`;
    const need = node.required?.includes(name) === true ? "yes" : "no";
    const inner = value.type === "array" ? value.items : value;
    const suffix = value.type === "array" ? "[]." : ".";
    return [
      `| \`${path}\` | ${cell(typeOf(value))} | ${need} | ${cell(value.description ?? "")} |`,
      ...(inner?.properties === undefined ? [] : rowsOf(inner, `${path}${suffix}`)),
    ];
  });

const table = (rows: readonly string[]): string =>
  ["| Field | Type | Required | Meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");

const section = (type: EventType, schema: SchemaNode): string => {
  const { topic } = catalogue[type];
  const data = schema.properties?.["data"] ?? {};
  return [
    `## ${type}`,
    `${schema.description ?? ""} ${topic === null ? "Never travels over Pub/Sub: it is made inside a function and goes straight to the journal." : `Topic \`${topic}\`.`}`,
    table(rowsOf(data)),
    `\`\`\`json\n${JSON.stringify(exampleOf(type), null, 2)}\n\`\`\``,
  ].join("\n\n");
};

/** The whole page in Markdown. */
export const eventPage = (types: readonly EventType[], comments: Comments): string => {
  const schemas = types.map((type) => [type, eventJsonSchema(type, comments)] as const);
  const overview = schemas.map(([type, { description }]) => {
    const { topic } = catalogue[type];
    return `| [${type}](#${type.replaceAll(".", "")}) | ${topic === null ? "none" : `\`${topic}\``} | ${cell(description ?? "")} |`;
  });
  const { data: _, type: __, ...envelope } = schemas[0]?.[1].properties ?? {};
  return [
    introduction,
    ["| Type | Topic | Meaning |", "| --- | --- | --- |", ...overview].join("\n"),
    "## The envelope",
    "Beside its own `type` and `data`, every event has these fields; any other field is refused.",
    table(rowsOf({ properties: envelope, required: schemas[0]?.[1].required ?? [] })),
    ...schemas.map(([type, schema]) => section(type, schema)),
  ].join("\n\n");
};
