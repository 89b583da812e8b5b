/** `continuo publish`: an event of ours, checked first, or any message to a topic. */
import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { z } from "zod";
import { anyEvent, catalogue } from "../../../events/index.js";
import type { EventType } from "../../../events/index.js";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, readJson } from "../command.js";
import { usage } from "../errors.js";

const isEventType = (word: string): word is EventType => Object.hasOwn(catalogue, word);

const record = z.record(z.string(), z.unknown());

const published = z.object({ topic: z.string(), id: z.string().nullable() });

/** The whole event: what was given, when it has an envelope, or what was given as its data. */
export const envelopeOf = (
  type: EventType,
  given: unknown,
  options: { readonly id: string; readonly nowMs: number },
): unknown => {
  const parsed = record.safeParse(given);
  if (!parsed.success) throw usage("an event's data is a JSON object");
  if ("specversion" in parsed.data) return parsed.data;
  return {
    specversion: "1.0",
    type,
    id: options.id,
    source: "continuo/cli",
    time: new Date(options.nowMs).toISOString(),
    data: parsed.data,
  };
};

const checked = (type: EventType, given: unknown, id: string): unknown => {
  const event = anyEvent.safeParse(envelopeOf(type, given, { id, nowMs: Date.now() }));
  if (!event.success) {
    throw usage(`that is no ${type} event:\n${z.prettifyError(event.error)}`);
  }
  if (event.data.type !== type)
    throw usage(`that event says it is ${event.data.type}, not ${type}`);
  return event.data;
};

const attribute = (
  text: string,
  attributes: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> => {
  const at = text.indexOf("=");
  if (at < 1) throw usage(`an attribute is written name=value, not "${text}"`);
  return { ...attributes, [text.slice(0, at)]: text.slice(at + 1) };
};

/** Adds the verb. */
export const publish = (program: Command): void => {
  examples(
    apiCommand(program, "publish <what>", "publish an event by its type, or a message to a topic")
      .option("-d, --data <json>", "the event's data, or the whole event")
      .option("-f, --file <file>", "read it from a file; without both, from standard input")
      .option("--id <id>", "the event's id; the same id is the same event")
      .option(
        "-a, --attribute <name=value>",
        "a Pub/Sub attribute; may be repeated",
        attribute,
        {},
      ),
    `continuo publish dataset.arrived -d '{"dataset":"flights","uris":["gs://bucket/flights/2001-02.parquet"]}'`,
    "continuo publish alert --file anomaly.json",
    `types: ${Object.entries(catalogue)
      .flatMap(([type, { topic }]) => (topic === null ? [] : [type]))
      .join(", ")}`,
  ).action(
    async (
      what: string,
      options: {
        data?: string;
        file?: string;
        id?: string;
        attribute: Readonly<Record<string, string>>;
      },
    ) => {
      const given = readJson(options);
      const body = isEventType(what)
        ? { data: checked(what, given, options.id ?? `cli/${randomUUID()}`) }
        : { topic: what, data: typeof given === "string" ? given : record.parse(given) };
      const { connection, isJson } = apiVerb(options);
      const reply = await call(connection, published, {
        method: "POST",
        path: "/publish",
        body: { ...body, attributes: options.attribute },
      });
      print(isJson, reply, () => reply.id ?? `published to ${reply.topic}`);
    },
  );
};
