/** `continuo schema`: JSON Schemas for editors and publishers. */
import type { Command } from "commander";
import { z } from "zod";
import { catalogue } from "../../../events/index.js";
import type { EventType } from "../../../events/index.js";
import { manifestJsonSchema } from "../../../shared/manifest/json-schema.js";
import { examples } from "../command.js";
import { usage } from "../errors.js";

const isEventType = (word: string): word is EventType => Object.hasOwn(catalogue, word);

/** Adds the verb. */
export const schema = (program: Command): void => {
  examples(
    program
      .command("schema <what>")
      .description('print the JSON Schema of "manifest" or of an event type'),
    "continuo schema manifest > model.schema.json",
    "continuo schema dataset.arrived",
  ).action((what: string) => {
    if (what !== "manifest" && !isEventType(what)) {
      throw usage(`"${what}" is neither manifest nor one of ${Object.keys(catalogue).join(", ")}`);
    }
    const json =
      what === "manifest"
        ? manifestJsonSchema()
        : z.toJSONSchema(catalogue[what].schema, { io: "input", unrepresentable: "any" });
    console.log(JSON.stringify(json, null, 2));
  });
};
