/** `continuo verify`: walks the hash chains of the decision log. */
import process from "node:process";
import type { Command } from "commander";
import { z } from "zod";
import { call, type Connection } from "../client.js";
import { apiCommand, apiVerb, examples, print, width } from "../command.js";
import { exitCodes } from "../errors.js";
import { bold, dim, green, red } from "../format.js";
import { chainReply, modelReply } from "../replies.js";
import { wrap } from "../table.js";

type Chain = z.infer<typeof chainReply>;

const chainText = ({
  model,
  isIntact,
  records,
  since,
  head,
  anchors,
  expired,
  problems,
}: Chain) => {
  const kept = since === null || since === 1 ? "" : `, the oldest kept is ${since}`;
  const ended = head === null ? "the model was forgotten" : `head ${head.sequence}`;
  const gone = expired === 0 ? "" : `, ${expired} more whose records have expired`;
  return [
    `${isIntact ? green("intact ") : red("BROKEN ")} ${bold(model)}  ${dim(`${records} records${kept}, ${ended}, passes through ${anchors} anchored heads${gone}`)}`,
    ...problems.map(
      ({ kind, event, what }) =>
        `  ${red(kind)}  ${wrap(`${what}${event === null ? "" : `  (event ${event})`}`, width, 4)}`,
    ),
  ].join("\n");
};

const namesOf = async (connection: Connection): Promise<readonly string[]> => {
  const { models } = await call(connection, z.object({ models: z.array(modelReply) }), {
    path: "/models",
  });
  return models.map(({ model }) => model);
};

/** Adds the verb. */
export const verify = (program: Command): void => {
  examples(
    apiCommand(
      program,
      "verify",
      "check that no record of the decision log was changed, removed or put in; exit code 1 when one was",
    ).option("--model <model>", "one model, also one that was forgotten; all models when absent"),
    "continuo verify",
    "continuo verify --model flight-delay --json",
  ).action(async (options: unknown) => {
    const { connection, isJson } = apiVerb(options);
    const { model } = z.object({ model: z.string().optional() }).parse(options);
    const chains: Chain[] = [];
    for (const name of model === undefined ? await namesOf(connection) : [model]) {
      const path = `/models/${encodeURIComponent(name)}/chain`;
      chains.push(await call(connection, chainReply, { path }));
    }
    print(isJson, { isIntact: chains.every(({ isIntact }) => isIntact), models: chains }, () =>
      chains.length === 0 ? dim("there is no model yet") : chains.map(chainText).join("\n"),
    );
    if (chains.some(({ isIntact }) => !isIntact)) process.exitCode = exitCodes.failed;
  });
};
