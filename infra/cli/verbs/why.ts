/** `continuo why`: the story of a run, a rollout, an event, a dataset or a model, with its numbers. */
import type { Command } from "commander";
import type { z } from "zod";
import { call } from "../client.js";
import { apiCommand, apiVerb, examples, print, width } from "../command.js";
import { bold, clockTime, colored, cyan, dim, number, numbers } from "../format.js";
import { explanationReply } from "../replies.js";
import { table, wrap } from "../table.js";

type Explanation = z.infer<typeof explanationReply>;

const line = (title: string, text: string): readonly string[] =>
  text === "" ? [] : [`  ${dim(title.padEnd(8))} ${wrap(text, width, 11)}`];

/** One verdict, with all that it rests on. */
const verdictText = (card: Explanation["verdicts"][number]): string => {
  const policy =
    card.policyVersion === null ? "" : dim(`  (manifest version ${card.policyVersion})`);
  return [
    `${bold(card.about)}  ${colored(card.result)}${policy}`,
    ...line("of", card.inputs.join("; ")),
    ...line("by", card.method),
    ...card.findings.flatMap((finding) => line("found", finding)),
    ...line("numbers", numbers(card.numbers)),
    ...line("limits", numbers(card.thresholds)),
  ].join("\n");
};

/** The story for people: the answer, its reasons and numbers, every verdict, and how it came to this. */
export const explanationText = (explanation: Explanation): string => {
  const named = Object.entries(explanation.numbers);
  let lastWhat = "";
  const steps = explanation.steps.flatMap(({ when, what, decision, reason, numbers: values }) => {
    const heading = `${dim(clockTime(when))}  ${cyan(wrap(what, width, 10))}`;
    const isSame = `${when}${what}` === lastWhat;
    lastWhat = `${when}${what}`;
    return [
      ...(isSame ? [] : [heading]),
      `          ${wrap(`-> ${decision}: ${reason}`, width, 13)}`,
      ...(Object.keys(values).length === 0
        ? []
        : [`             ${dim(wrap(numbers(values), width, 13))}`]),
    ];
  });
  return [
    bold(wrap(explanation.answer, width)),
    ...explanation.reasons.map((reason) => `  - ${wrap(reason, width, 4)}`),
    ...(named.length === 0
      ? []
      : [
          "",
          table(
            named,
            [
              { title: "number", cell: ([name]) => name },
              { title: "value", cell: ([, value]) => number(value), align: "right" },
            ],
            { width, heading: dim },
          ),
        ]),
    ...explanation.verdicts.flatMap((card) => ["", verdictText(card)]),
    ...(steps.length === 0 ? [] : ["", ...steps]),
  ].join("\n");
};

/** Adds the verb. */
export const why = (program: Command): void => {
  examples(
    apiCommand(program, "why <id>", "explain a run, a rollout, a model, an event or a dataset"),
    "continuo why flight-delay-r0a1b2c3d4e",
    "continuo why gs://bucket/flights/2001-02.parquet",
  ).action(async (id: string, options: unknown) => {
    const { connection, isJson } = apiVerb(options);
    const path = `/why/${encodeURIComponent(id)}`;
    const reply = await call(connection, explanationReply, { path });
    print(isJson, reply, () => explanationText(reply));
  });
};
