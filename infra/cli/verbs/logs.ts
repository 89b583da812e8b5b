/** `continuo logs`: the timeline of events and decisions, live. */
import type { Command } from "commander";
import { z } from "zod";
import { call, open } from "../client.js";
import type { Connection } from "../client.js";
import { apiCommand, apiVerb, examples, query, width } from "../command.js";
import { clockTime, cyan, dim, telling, yellow } from "../format.js";
import { entryReply } from "../replies.js";
import { wrap } from "../table.js";

type Entry = z.infer<typeof entryReply>;

/** One entry for people: what happened, and what was decided on it. */
const entryText = (entry: Entry): string => {
  const told = telling(entry.decisions);
  return [
    `${dim(clockTime(entry.at))}  ${cyan((entry.model ?? "-").padEnd(14))} ${wrap(entry.what, width, 25)}${entry.isPending ? yellow("  (effects pending)") : ""}`,
    ...told.map(
      ({ what, reason }) => `${" ".repeat(25)}${wrap(`-> ${what}: ${reason}`, width, 28)}`,
    ),
  ].join("\n");
};

/** Calls `take` with each entry that a stream of server-sent events brings. */
const follow = async (
  connection: Connection,
  path: string,
  take: (entry: Entry) => void,
  signal?: AbortSignal,
): Promise<void> => {
  const response = await open(connection, path, signal === undefined ? {} : { signal });
  if (response.body === null) return;
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    rest += decoder.decode(chunk, { stream: true });
    const messages = rest.split("\n\n");
    rest = messages.pop() ?? "";
    for (const message of messages) {
      const data = /^data: (?<data>.*)$/m.exec(message)?.groups?.["data"];
      if (data !== undefined) take(entryReply.parse(JSON.parse(data)));
    }
  }
};

/** Adds the verb. */
export const logs = (program: Command): void => {
  examples(
    apiCommand(program, "logs", "events and decisions as they happen; Ctrl-C ends it")
      .option("-m, --model <model>", "only of this model")
      .option("-n, --limit <count>", "so many past entries first", "20")
      .option("-a, --all", "also entries on which nothing was decided")
      .option("--no-follow", "print the past ones and end"),
    "continuo logs --model flight-delay",
    "continuo logs --no-follow --json --limit 100",
  ).action(async (options: { model?: string; limit: string; all?: boolean; follow: boolean }) => {
    const { connection, isJson } = apiVerb(options);
    const show = (entry: Entry): void => {
      const isIdle = entry.decisions.every((decision) => decision.do === "ignore");
      if (isIdle && options.all !== true) return;
      console.log(isJson ? JSON.stringify(entry) : entryText(entry));
    };
    const past = await call(connection, z.object({ entries: z.array(entryReply) }), {
      path: `/timeline${query({ model: options.model, limit: options.limit })}`,
    });
    past.entries.toReversed().forEach(show);
    if (!options.follow) return;
    const path = `/timeline/stream${query({ model: options.model })}`;
    const shown = new Set(past.entries.map(({ key }) => key));
    await follow(connection, path, (entry) => {
      if (!shown.has(entry.key)) show(entry);
      shown.add(entry.key);
    });
  });
};
