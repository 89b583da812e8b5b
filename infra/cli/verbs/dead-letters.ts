/** `continuo dead-letters`: what no function could take; look at it, send it again. */
import type { Command } from "commander";
import { z } from "zod";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, query, width } from "../command.js";
import { ago, bold, dim } from "../format.js";
import { deadLetterReply } from "../replies.js";
import { table, wrap } from "../table.js";

const letterDetail = deadLetterReply.extend({ body: z.string().nullable() });

const redriven = z.object({ id: z.string(), topic: z.string() });

type Letter = z.infer<typeof deadLetterReply>;

const listText = (letters: readonly Letter[]): string =>
  letters.length === 0
    ? "no dead letters"
    : table(
        letters,
        [
          { title: "id", cell: ({ id }) => id },
          { title: "function", cell: (letter) => letter.function },
          { title: "came", cell: ({ receivedAt }) => ago(receivedAt) },
          { title: "redriven", cell: ({ redrivenAt }) => ago(redrivenAt) },
          { title: "reason", cell: ({ reason }) => reason, isFlexible: true },
        ],
        { width, heading: dim },
      );

const detailText = (letter: z.infer<typeof letterDetail>): string =>
  [
    `${bold(letter.id)}  topic ${letter.topic}, function ${letter.function}, came ${ago(letter.receivedAt)}`,
    wrap(`reason  ${letter.reason}`, width, 8),
    "",
    letter.body ?? `(${letter.bytes} bytes that are no text; --json shows them as base64)`,
  ].join("\n");

/** Adds the verb. */
export const deadLetters = (program: Command): void => {
  const command = examples(
    program.command("dead-letters").description("messages that no function could take"),
    "continuo dead-letters list",
    "continuo dead-letters show 4c1d9a",
    "continuo dead-letters redrive 4c1d9a",
  );
  apiCommand(command, "list", "list them, newest first")
    .option("-n, --limit <count>", "at most so many", "20")
    .action(async (options: { limit: string }) => {
      const { connection, isJson } = apiVerb(options);
      const path = `/dead-letters${query({ limit: options.limit })}`;
      const reply = await call(connection, z.object({ deadLetters: z.array(deadLetterReply) }), {
        path,
      });
      print(isJson, reply.deadLetters, () => listText(reply.deadLetters));
    });
  apiCommand(command, "show <id>", "show one with its body").action(
    async (id: string, options: unknown) => {
      const { connection, isJson } = apiVerb(options);
      const path = `/dead-letters/${encodeURIComponent(id)}`;
      const reply = await call(connection, letterDetail, { path });
      print(isJson, reply, () => detailText(reply));
    },
  );
  apiCommand(command, "redrive <id...>", "publish them to their topic once more").action(
    async (ids: readonly string[], options: unknown) => {
      const { connection, isJson } = apiVerb(options);
      for (const id of ids) {
        const path = `/dead-letters/${encodeURIComponent(id)}/redrive`;
        const reply = await call(connection, redriven, { method: "POST", path });
        print(isJson, reply, () => `${reply.id} was published to ${reply.topic} again`);
      }
    },
  );
};
