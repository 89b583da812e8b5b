/** The evaluator image: scores both versions on the same holdout and judges the challenger. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { argv } from "node:process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { ImageError, parseFlags, parseJson, runImage } from "../arguments.js";
import { configurationSchema, type Configuration } from "../configuration.js";
import { readText, writeLocal } from "../io.js";
import { readLabels } from "../labels.js";
import { loadModel } from "../model/load.js";
import type { Model } from "../model/schema.js";
import { scoreTable } from "../model/score.js";
import { readTable } from "../table/read-table.js";
import { asText, type Table } from "../table/table.js";
import { assess, type AssessmentContext } from "./assess.js";
import { championScores } from "./champion-scores.js";
import { measureScoring } from "./resources.js";
import { sampleInstances } from "./sample.js";
import { formatScores, parseScores, type ScoredRows } from "./scored-rows.js";

const flags = z.object({
  /** The challenger's folder or model.json. */
  model: z.string().default(""),
  /** The champion's; empty for a model's first version. */
  champion: z.string().default(""),
  /** Rows that neither version was trained on. */
  rows: z.string().default(""),
  /** Folder where the champion's scores are kept for the next run on the same rows; empty to keep none. */
  kept: z.string().default(""),
  /** In place of the three: rows that other containers have scored, in the form of scores.jsonl. */
  scored: z.string().default(""),
  config: z.string(),
  /** Paths of evaluation.json, scores.jsonl and of the verdict alone: accept or reject. */
  evaluation: z.string(),
  scores: z.string(),
  verdict: z.string(),
});
type Flags = z.infer<typeof flags>;

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

/** Rows to judge, and what is known beside their scores. */
interface Input {
  readonly scored: ScoredRows;
  readonly context: Pick<AssessmentContext, "constantScore" | "models" | "resources">;
  readonly sample: readonly Readonly<Record<string, unknown>>[];
  /** Whether an earlier run had scored these rows with this champion. */
  readonly isChampionKept: boolean;
}

/** Scores that somebody else's container made. */
async function readScored(options: Flags, configuration: Configuration): Promise<Input> {
  const scored = parseScores(await readText(options.scored), configuration.evaluation.task);
  return {
    scored,
    context: { models: { challenger: options.scored } },
    sample: [],
    isChampionKept: false,
  };
}

/** A version that predicts something else cannot be judged by these labels, however well it scores. */
function requireSameQuestion(
  { label, classes: [, positive] }: Model,
  asked: Pick<Configuration, "label" | "positiveClass">,
  who: string,
): void {
  if (label === asked.label && positive === asked.positiveClass) return;
  throw new ImageError(
    `the ${who} predicts whether ${label} is ${JSON.stringify(positive)}, and the manifest asks whether ${asked.label} is ${JSON.stringify(asked.positiveClass)}: another question is another model, so apply the manifest under another name`,
  );
}

/** Scores both versions on the holdout. */
async function scoreBoth(options: Flags, configuration: Configuration): Promise<Input> {
  const { evaluation: settings, label, positiveClass } = configuration;
  if (settings.task !== "binary-classification") {
    throw new ImageError(
      `models of Continuo's own trainer are binary classifiers; for ${settings.task} give rows that your container has scored (--scored)`,
    );
  }
  const [challenger, champion] = await Promise.all([
    loadModel(options.model),
    options.champion === "" ? undefined : loadModel(options.champion),
  ]);
  requireSameQuestion(challenger, configuration, "challenger");
  if (champion !== undefined) requireSameQuestion(champion, configuration, "champion");
  const wanted = [challenger, champion].flatMap((model) => model?.features ?? []);
  const table = await readTable(options.rows, [
    label,
    ...wanted.map(({ name }) => name),
    ...settings.slices.map(({ column }) => column),
  ]);
  const before =
    champion === undefined
      ? undefined
      : await championScores(
          { folder: options.kept, champion: options.champion, rows: options.rows },
          table.rows,
          () => scoreTable(champion, table),
        );
  return {
    scored: {
      task: settings.task,
      labels: readLabels(table, label, positiveClass).labels,
      classes: [],
      challenger: scoreTable(challenger, table),
      champion: before?.scores,
      slices: sliceValues(
        table,
        settings.slices.map(({ column }) => column),
      ),
    },
    context: {
      constantScore: challenger.training.positiveRate,
      models: {
        challenger: options.model,
        ...(options.champion === "" ? {} : { champion: options.champion }),
      },
      resources: measureScoring(table, { challenger, champion }, configuration.serving),
    },
    isChampionKept: before?.isKept ?? false,
    sample: sampleInstances(table, challenger.features),
  };
}

/** Writes the scores as they are formatted and answers with their digest. */
async function writeScores(path: string, scored: ScoredRows): Promise<string> {
  const hash = createHash("sha256");
  const chunks = function* (): Generator<string> {
    for (const chunk of formatScores(scored)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  await mkdir(dirname(path), { recursive: true });
  await pipeline(Readable.from(chunks()), createWriteStream(path));
  return hash.digest("hex");
}

await runImage("evaluator", async () => {
  const options = parseFlags(argv.slice(2), flags);
  const configuration = parseJson(options.config, "--config", configurationSchema);
  if ((options.scored === "") === (options.rows === "" || options.model === "")) {
    throw new ImageError("give either --scored, or --model and --rows");
  }
  const read = options.scored === "" ? scoreBoth : readScored;
  const { scored, context, sample, isChampionKept } = await read(options, configuration);
  const digest = await writeScores(options.scores, scored);
  const settings = configuration.evaluation;
  const evaluation = assess(scored, { ...context, settings, digest });
  await writeLocal(options.evaluation, JSON.stringify({ ...evaluation, sample }));
  await writeLocal(options.verdict, evaluation.verdict.outcome);
  const { rows, verdict } = evaluation;
  console.log(JSON.stringify({ message: "evaluated", rows, isChampionKept, ...verdict }));
});
