/** The evaluator image: scores both versions on the same holdout and judges the challenger. */
import { argv } from "node:process";
import { z } from "zod";
import { parseFlags, parseJson, runImage } from "../arguments.js";
import { configurationSchema } from "../configuration.js";
import { writeLocal } from "../io.js";
import { readLabels } from "../labels.js";
import { loadModel } from "../model/load.js";
import { scoreTable } from "../model/score.js";
import { readTable } from "../table/read-table.js";
import { asText, type Table } from "../table/table.js";
import { assess } from "./assess.js";
import { sampleInstances } from "./sample.js";
import { formatScores, type ScoredRows } from "./scored-rows.js";

const flags = z.object({
  /** The challenger's folder or model.json. */
  model: z.string().min(1),
  /** The champion's; empty for a model's first version. */
  champion: z.string().default(""),
  /** Rows that neither version was trained on. */
  rows: z.string().min(1),
  config: z.string(),
  /** Paths of evaluation.json, scores.jsonl and of the verdict alone: accept or reject. */
  evaluation: z.string(),
  scores: z.string(),
  verdict: z.string(),
});

/** Values of the slice columns that the rows have. */
function sliceValues(table: Table, columns: readonly string[]): ScoredRows["slices"] {
  const found = columns.flatMap((name) => {
    const column = table.columns.get(name);
    if (column === undefined) return [];
    const { codes, dictionary } = asText(column);
    return [[name, Array.from(codes, (code) => dictionary[code] ?? "")] as const];
  });
  return new Map(found);
}

await runImage("evaluator", async () => {
  const options = parseFlags(argv.slice(2), flags);
  const configuration = parseJson(options.config, "--config", configurationSchema);
  const settings = configuration.evaluation;
  const [challenger, champion, table] = await Promise.all([
    loadModel(options.model),
    options.champion === "" ? undefined : loadModel(options.champion),
    readTable(options.rows),
  ]);
  const scored: ScoredRows = {
    labels: readLabels(table, configuration.label, configuration.positiveClass).labels,
    challenger: scoreTable(challenger, table),
    champion: champion === undefined ? undefined : scoreTable(champion, table),
    slices: sliceValues(
      table,
      settings.slices.map(({ column }) => column),
    ),
  };
  const evaluation = assess(scored, {
    settings,
    constantScore: challenger.training.positiveRate,
    models: {
      challenger: options.model,
      ...(options.champion === "" ? {} : { champion: options.champion }),
    },
  });
  const sample = sampleInstances(table, challenger.features);
  await writeLocal(options.evaluation, JSON.stringify({ ...evaluation, sample }));
  await writeLocal(options.scores, formatScores(scored));
  await writeLocal(options.verdict, evaluation.verdict.outcome);
  console.log(JSON.stringify({ message: "evaluated", rows: table.rows, ...evaluation.verdict }));
});
