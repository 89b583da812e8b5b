/** `continuo runs`: training runs; start one, cancel one. */
import type { Command } from "commander";
import { z } from "zod";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, query, width } from "../command.js";
import { ago, bold, colored, dim, duration, numbers } from "../format.js";
import { outcomeReply, runReply } from "../replies.js";
import { table, wrap } from "../table.js";
import { outcomeText } from "./operate.js";

type Run = z.infer<typeof runReply>;

const took = ({ requestedAt, endedAt }: Run): string =>
  endedAt === null ? "-" : duration(Date.parse(endedAt) - Date.parse(requestedAt));

/** Runs as a table. */
const runsTable = (runs: readonly Run[]): string =>
  runs.length === 0
    ? 'no runs yet; publish a dataset.arrived event, or "continuo runs start <model>"'
    : table(
        runs,
        [
          { title: "run", cell: ({ run }) => run },
          { title: "trigger", cell: ({ trigger }) => trigger },
          { title: "state", cell: ({ outcome, phase }) => outcome ?? phase },
          {
            title: "version",
            cell: ({ versionId }) => (versionId === null ? "-" : `v${versionId}`),
          },
          { title: "asked", cell: ({ requestedAt }) => ago(requestedAt) },
          { title: "took", cell: took },
          { title: "why", cell: ({ reasons, reason }) => reasons[0] ?? reason, isFlexible: true },
        ],
        { width, heading: dim },
      );

const detail = (run: Run): string =>
  [
    `${bold(run.run)}  ${colored(run.outcome ?? run.phase)}  model ${run.model}, asked for ${ago(run.requestedAt)}`,
    wrap(`trigger     ${run.trigger}: ${run.reason}`, width, 12),
    wrap(`dataset     ${run.datasetUris.join(" ")}`, width, 12),
    ...run.reasons.map((reason) => wrap(`because     ${reason}`, width, 12)),
    ...(run.evaluation === null
      ? []
      : [
          wrap(
            `evaluation  ${run.evaluation.outcome}: ${run.evaluation.reasons.join("; ")}`,
            width,
            12,
          ),
          wrap(`numbers     ${numbers(run.evaluation.numbers)}`, width, 12),
          `report      ${run.evaluation.report}`,
        ]),
    dim(`"continuo why ${run.run}" tells the whole story`),
  ].join("\n");

/** Adds the verb. */
export const runs = (program: Command): void => {
  const command = examples(
    apiCommand(program, "runs [run]", "list training runs, or show one")
      .option("-m, --model <model>", "only of this model")
      .option("-n, --limit <count>", "at most so many", "20"),
    "continuo runs --model flight-delay",
    "continuo runs flight-delay-r0a1b2c3d4e",
    "continuo runs start flight-delay --reason 'new feature'",
    "continuo runs cancel flight-delay",
  );
  command.action(async (run: string | undefined, options: { model?: string; limit: string }) => {
    const { connection, isJson } = apiVerb(options);
    if (run === undefined) {
      const path = `/runs${query({ model: options.model, limit: options.limit })}`;
      const reply = await call(connection, z.object({ runs: z.array(runReply) }), { path });
      print(isJson, reply.runs, () => runsTable(reply.runs));
      return;
    }
    const reply = await call(connection, runReply, { path: `/runs/${encodeURIComponent(run)}` });
    print(isJson, reply, () => detail(reply));
  });
  apiCommand(command, "start <model>", "ask for a run, through the same policy as every other")
    .option("-r, --reason <text>", "why, for the journal")
    .action(async (model: string, options: { reason?: string }) => {
      const { connection, isJson } = apiVerb(options);
      const reply = await call(connection, outcomeReply, {
        method: "POST",
        path: `/models/${encodeURIComponent(model)}/runs`,
        body: options.reason === undefined ? {} : { reason: options.reason },
      });
      print(isJson, reply, () => outcomeText(reply));
    });
  apiCommand(command, "cancel <model>", "cancel the model's live run")
    .option("-r, --reason <text>", "why, for the journal")
    .action(async (model: string, options: { reason?: string }) => {
      const { connection, isJson } = apiVerb(options);
      const reply = await call(connection, outcomeReply, {
        method: "POST",
        path: `/models/${encodeURIComponent(model)}/commands`,
        body: {
          command: "cancel-run",
          ...(options.reason === undefined ? {} : { reason: options.reason }),
        },
      });
      print(isJson, reply, () => outcomeText(reply));
    });
};
