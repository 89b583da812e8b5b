/** `continuo maturity`: a checklist of what is automated, per model. */
import type { Command } from "commander";
import { z } from "zod";
import { manifestSchema } from "../../../shared/manifest/schema.js";
import { call, type Connection } from "../client.js";
import { apiCommand, apiVerb, examples, print, width } from "../command.js";
import { bold, dim, green, yellow } from "../format.js";
import { maturityOf, type Maturity } from "../maturity.js";
import { modelReply, rolloutReply, runReply } from "../replies.js";
import { wrap } from "../table.js";

const levels = ["by hand", "continuous training", "continuous delivery"] as const;

interface Report extends Maturity {
  readonly model: string;
}

const reportOf = async (
  connection: Connection,
  { model, champion }: z.infer<typeof modelReply>,
): Promise<Report> => {
  const name = encodeURIComponent(model);
  const [{ manifest }, { runs }, { rollouts }] = await Promise.all([
    call(connection, z.object({ manifest: manifestSchema }), { path: `/manifests/${name}` }),
    call(connection, z.object({ runs: z.array(runReply) }), { path: `/runs?model=${name}` }),
    call(connection, z.object({ rollouts: z.array(rolloutReply) }), {
      path: `/rollouts?model=${name}`,
    }),
  ]);
  return { model, ...maturityOf({ manifest, hasChampion: champion !== null, runs, rollouts }) };
};

const reportText = ({ model, level, items }: Report): string =>
  [
    `${bold(model)}  ${level === null ? "below level 0" : `level ${level}, ${levels[level]}`}`,
    ...levels.flatMap((what, number) => [
      dim(`  level ${number}: ${what}`),
      ...items
        .filter((item) => item.level === number)
        .map((item) =>
          item.isDone
            ? `    ${green("done")}  ${item.what}`
            : `    ${yellow("open")}  ${item.what}\n          ${dim("→")} ${wrap(item.advice, width, 12)}`,
        ),
    ]),
  ].join("\n");

/** Adds the verb. */
export const maturity = (program: Command): void => {
  examples(
    apiCommand(
      program,
      "maturity [model]",
      "what is automated, and what to do next: a checklist of the levels 0 to 2, per model",
    ),
    "continuo maturity",
    "continuo maturity flight-delay --json",
  ).action(async (model: string | undefined, options: unknown) => {
    const { connection, isJson } = apiVerb(options);
    const models =
      model === undefined
        ? (await call(connection, z.object({ models: z.array(modelReply) }), { path: "/models" }))
            .models
        : [await call(connection, modelReply, { path: `/models/${encodeURIComponent(model)}` })];
    const reports = await Promise.all(models.map((one) => reportOf(connection, one)));
    print(isJson, { models: reports }, () =>
      reports.length === 0
        ? 'no models yet; bring one with "continuo apply -f model.yaml"'
        : reports.map(reportText).join("\n\n"),
    );
  });
};
