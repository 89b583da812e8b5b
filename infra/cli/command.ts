/** What the verbs have in common. */
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Command } from "commander";
import { z } from "zod";
import { connect } from "./client.js";
import type { Connection } from "./client.js";
import { settings } from "./config.js";
import { usage } from "./errors.js";

const apiOptions = z.object({
  json: z.boolean().default(false),
  folder: z.string().optional(),
  address: z.string().optional(),
  token: z.string().optional(),
});

/** What a verb that talks to the api works with. */
export interface ApiVerb {
  readonly connection: Connection;
  readonly isJson: boolean;
}

/** A subcommand with the options of every verb that talks to the api. */
export const apiCommand = (parent: Command, nameAndArguments: string, what: string): Command =>
  parent
    .command(nameAndArguments)
    .description(what)
    .option("--json", "print JSON for programs")
    .option("--folder <folder>", "state folder of the instance to talk to")
    .option("--address <url>", "address of an api (or CONTINUO_ADDRESS)")
    .option("--token <token>", "token of that api (or CONTINUO_TOKEN)");

/** Reads those options. */
export const apiVerb = (options: unknown): ApiVerb => {
  const { json, folder, address, token } = apiOptions.parse(options);
  const connection = connect({
    ...(folder === undefined ? {} : { folder }),
    ...(address === undefined ? {} : { address }),
    ...(token === undefined ? {} : { token }),
  });
  return { connection, isJson: json };
};

/** Examples under a command's help. */
export const examples = (command: Command, ...lines: readonly string[]): Command =>
  command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`);

/** Prints a reply: as JSON for programs, as text for people. */
export const print = (isJson: boolean, reply: unknown, text: () => string): void => {
  console.log(isJson ? JSON.stringify(reply, null, 2) : text());
};

/** Width of a table or a paragraph. */
export const width = settings.columns;

/** A file's text; `-` is standard input. */
export const readText = (file: string): string => {
  if (file === "-" && process.stdin.isTTY) throw usage("nothing was piped in; name a file");
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw usage(
      `${file} cannot be read${code === "ENOENT" ? ": there is no such file" : ` (${code})`}`,
    );
  }
};

/** JSON from --data, from --file, or from standard input. */
export const readJson = (options: {
  readonly data?: string | undefined;
  readonly file?: string | undefined;
}): unknown => {
  const text = options.data ?? readText(options.file ?? "-");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usage(`that is no JSON: ${error instanceof Error ? error.message : "unreadable"}`);
  }
};

/** A query string of the values that are given. */
export const query = (values: Readonly<Record<string, string | undefined>>): string => {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) given.set(name, value);
  }
  return given.size === 0 ? "" : `?${given.toString()}`;
};
