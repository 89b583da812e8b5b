/** `continuo approve`: says yes or no to what waits for a person. */
import type { Command } from "commander";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print } from "../command.js";
import { outcomeReply } from "../replies.js";
import { outcomeText } from "./operate.js";

/** A run's id, as opposed to a rollout's. */
const isRun = (id: string): boolean => /-r[0-9a-f]{10}$/.test(id);

/** Adds the verb. */
export const approve = (program: Command): void => {
  examples(
    apiCommand(
      program,
      "approve <model> [id]",
      "approve the rollout or the run that waits, or refuse it",
    )
      .option("--refuse", "refuse instead")
      .option("-c, --comment <text>", "why, for the journal"),
    "continuo approve flight-delay",
    "continuo approve flight-delay --refuse --comment 'wait for the holidays to end'",
  ).action(
    async (
      model: string,
      about: string | undefined,
      options: { refuse?: boolean; comment?: string },
    ) => {
      const { connection, isJson } = apiVerb(options);
      const reply = await call(connection, outcomeReply, {
        method: "POST",
        path: "/approvals",
        body: {
          model,
          decision: options.refuse === true ? "refuse" : "approve",
          ...(about === undefined ? {} : isRun(about) ? { run: about } : { rollout: about }),
          ...(options.comment === undefined ? {} : { comment: options.comment }),
        },
      });
      print(isJson, reply, () => outcomeText(reply));
    },
  );
};
