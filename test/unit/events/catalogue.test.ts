import { readdirSync, readFileSync } from "node:fs";
import { format, resolveConfig } from "prettier";
import { describe, expect, it } from "vitest";
import { anyEvent, catalogue, type EventType } from "../../../events/index.js";
import { exampleOf } from "../../../infra/docs/event-examples.js";
import { generatedFiles } from "../../../infra/docs/generated.js";
import { functions } from "../../../functions/manifest.js";

const root = new URL("../../../", import.meta.url);
const types = Object.keys(catalogue) as EventType[];

describe("the catalogue", () => {
  it.each(types)("the example of %s is valid, alone and among all types", (type) => {
    const example = exampleOf(type);
    expect(catalogue[type].schema.safeParse(example).error).toBeUndefined();
    expect(anyEvent.parse(example)).toEqual(example);
  });

  it.each(types)(
    "%s refuses a field that it does not know, in the envelope and in its data",
    (type) => {
      const example = exampleOf(type);
      const data = example["data"] as object;
      expect(anyEvent.safeParse({ ...example, colour: "red" }).success).toBe(false);
      expect(anyEvent.safeParse({ ...example, data: { ...data, colour: "red" } }).success).toBe(
        false,
      );
    },
  );

  it("every type that travels has a function behind its topic, or is for others to subscribe", () => {
    const served = functions.flatMap(({ trigger }) => ("topic" in trigger ? [trigger.topic] : []));
    const unserved = types.flatMap((type) => {
      const { topic } = catalogue[type];
      return topic === null || served.includes(topic) ? [] : [topic];
    });
    expect([...new Set(unserved)]).toEqual(["promotion"]);
  });

  it("every type has a meaning and a schema that names its fields", () => {
    for (const [path, content] of generatedFiles()) {
      if (!path.endsWith(".json")) continue;
      const schema = JSON.parse(content) as { description: string; required: string[] };
      expect(`${path}: ${schema.description}`).toMatch(/^\S+: [A-Z].*\.$/);
      expect(schema.required).toEqual(
        expect.arrayContaining(["specversion", "id", "source", "time", "type", "data"]),
      );
    }
  });

  it("what is generated is fresh; otherwise run `npm run generate`", async () => {
    const files = generatedFiles();
    for (const [path, content] of files) {
      const url = new URL(path, root);
      const options = await resolveConfig(url.pathname);
      const expected = await format(content, { ...options, filepath: url.pathname });
      expect(readFileSync(url, "utf8")).toBe(expected);
    }
    const schemas = readdirSync(new URL("events/schemas/", root)).map(
      (name) => `events/schemas/${name}`,
    );
    expect(schemas.toSorted()).toEqual(
      [...files.keys()].filter((path) => path.endsWith(".json")).toSorted(),
    );
  });
});
