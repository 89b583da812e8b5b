/** `continuo status`: the whole at a glance. */
import type { Command } from "commander";
import { z } from "zod";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print } from "../command.js";
import { green, red, yellow } from "../format.js";
import { modelReply, statusReply } from "../replies.js";
import { modelsTable } from "./models.js";

const counts = (values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([word, count]) => `${count} ${word}`)
    .join(", ") || "none yet";

const statusText = (
  status: z.infer<typeof statusReply>,
  models: readonly z.infer<typeof modelReply>[],
): string =>
  [
    `${status.models} models, ${status.champions} with a champion, ${status.liveRuns} live runs, ${status.liveRollouts} live rollouts`,
    `runs      ${counts(status.recentRuns)}`,
    `rollouts  ${counts(status.recentRollouts)}`,
    status.deadLetters === 0
      ? green("no dead letters")
      : red(`${status.deadLetters} dead letters: "continuo dead-letters list"`),
    ...status.waitingForPeople.map(({ model, what }) => yellow(`${model}: ${what}`)),
    "",
    modelsTable(models),
  ].join("\n");

/** Adds the verb. */
export const status = (program: Command): void => {
  examples(
    apiCommand(program, "status", "what runs, what waits for a person, what failed"),
    "continuo status",
    "continuo status --json",
  ).action(async (options: unknown) => {
    const { connection, isJson } = apiVerb(options);
    const [now, { models }] = await Promise.all([
      call(connection, statusReply, { path: "/status" }),
      call(connection, z.object({ models: z.array(modelReply) }), { path: "/models" }),
    ]);
    print(isJson, now, () => statusText(now, models));
  });
};
