/** Doc comments of the event schemas: what the catalogue's page and the JSON Schemas say about types and fields. */
import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("../../events/", import.meta.url);

const sentence = (comment: string): string =>
  comment
    .replaceAll(/^\s*\* ?/gm, "")
    .replaceAll(/\s+/g, " ")
    .trim();

/** What the files of events/ say. */
export interface Comments {
  /** By event type. */
  readonly types: ReadonlyMap<string, string>;
  /** The file of each event type. */
  readonly files: ReadonlyMap<string, string>;
  /** By `file/field`. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Reads the comments above every event schema and every field of one. */
export const readComments = (): Comments => {
  const types = new Map<string, string>();
  const files = new Map<string, string>();
  const fields = new Map<string, string>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".ts"))) {
    const source = readFileSync(new URL(file, folder), "utf8");
    const declared =
      /\/\*\*(?<comment>(?:(?!\*\/)[^])*)\*\/\s*export const \w+ = eventSchema\(\s*"(?<type>[\w.-]+)"/g;
    for (const { groups } of source.matchAll(declared)) {
      const type = groups?.["type"] ?? "";
      types.set(type, sentence(groups?.["comment"] ?? ""));
      files.set(type, file);
    }
    const field = /\/\*\*(?<comment>(?:(?!\*\/)[^])*)\*\/\s*(?<field>\w+):/g;
    for (const { groups } of source.matchAll(field)) {
      fields.set(`${file}/${groups?.["field"] ?? ""}`, sentence(groups?.["comment"] ?? ""));
    }
  }
  return { types, files, fields };
};
