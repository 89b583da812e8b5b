/** `continuo pause`, `resume`, `skip`, `promote`, `abort` and `rollback`: an operator's commands on one model. */
import type { Command } from "commander";
import type { z } from "zod";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, width } from "../command.js";
import { dim, telling } from "../format.js";
import { outcomeReply } from "../replies.js";
import { wrap } from "../table.js";

/** What was decided on a person's wish. */
export const outcomeText = ({ decisions }: z.infer<typeof outcomeReply>): string => {
  const told = telling(decisions);
  // A wish that leads to nothing still has its reason.
  const shown = told.length > 0 ? told : decisions.slice(0, 1);
  return shown.length === 0
    ? "recorded; nothing was decided yet"
    : shown.map(({ what, reason }) => `${what}\n  ${dim(wrap(reason, width, 2))}`).join("\n");
};

const verbs = [
  [
    "pause",
    "pause",
    "stop the model's new runs, new rollouts and traffic changes until it is resumed",
  ],
  ["resume", "resume", "let a paused or parked model go on"],
  ["skip", "skip", "let the rollout pass its present step or smoke test without a verdict"],
  ["promote", "promote-now", "make the challenger champion at once, without a verdict"],
  ["abort", "abort", "end the rollout in progress and send all traffic to the champion"],
  ["rollback", "roll-back", "return to the version before: of the rollout, or of the champion"],
] as const;

/** Adds the verbs. */
export const operate = (program: Command): void => {
  for (const [verb, command, what] of verbs) {
    examples(
      apiCommand(program, `${verb} <model>`, what).option(
        "-r, --reason <text>",
        "why, for the journal",
      ),
      `continuo ${verb} flight-delay --reason 'incident 42'`,
    ).action(async (model: string, options: { reason?: string }) => {
      const { connection, isJson } = apiVerb(options);
      const reply = await call(connection, outcomeReply, {
        method: "POST",
        path: `/models/${encodeURIComponent(model)}/commands`,
        body: { command, ...(options.reason === undefined ? {} : { reason: options.reason }) },
      });
      print(isJson, reply, () => outcomeText(reply));
    });
  }
};
