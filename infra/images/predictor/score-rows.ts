/** The scoring task: a file of rows in, a file of scores out. */
import { z } from "zod";
import { parseFlags } from "../arguments.js";
import { writeLocal } from "../io.js";
import { loadModel } from "../model/load.js";
import { scoreTable } from "../model/score.js";
import { readTable } from "../table/read-table.js";

const flags = z.object({
  /** Folder or address of model.json. */
  model: z.string().min(1),
  /** Parquet, CSV or JSON lines with the model's features. */
  rows: z.string().min(1),
  /** Path of the JSON lines file {"row": number, "score": probability of the positive class}. */
  out: z.string().min(1),
});

/** Scores every row of a file in its order. */
export async function scoreRows(argv: readonly string[]): Promise<void> {
  const options = parseFlags(argv, flags);
  const [model, table] = await Promise.all([loadModel(options.model), readTable(options.rows)]);
  const scores = scoreTable(model, table);
  const lines = Array.from(scores, (score, row) => JSON.stringify({ row, score }));
  await writeLocal(options.out, `${lines.join("\n")}\n`);
  console.log(JSON.stringify({ message: "scored", rows: table.rows, model: options.model }));
}
