/**
 * The trainer image: reads dataset versions, keeps the newest one's last days for evaluation, trains on the
 * rest and writes model.json and the holdout.
 */
import { join } from "node:path";
import { argv } from "node:process";
import { z } from "zod";
import { parseFlags, parseJson, runImage } from "../arguments.js";
import { configurationSchema } from "../configuration.js";
import { writeLocal } from "../io.js";
import { readTable } from "../table/read-table.js";
import { parquetBytes } from "../table/write-parquet.js";
import { splitHoldout } from "./holdout.js";
import { trainModel } from "./train.js";

const flags = z.object({
  /** JSON list of addresses, oldest first; the last one is the newest version. */
  datasets: z.string(),
  config: z.string(),
  /** Folder for model.json. */
  model: z.string(),
  /** Path of the Parquet file with the rows to evaluate on. */
  holdout: z.string(),
  /** Part of the cache key alone: changes when the objects behind the addresses do. */
  fingerprint: z.string().default(""),
});

await runImage("trainer", async () => {
  const startedMs = performance.now();
  const options = parseFlags(argv.slice(2), flags);
  const datasets = parseJson(options.datasets, "--datasets", z.array(z.string().min(1)).min(1));
  const configuration = parseJson(options.config, "--config", configurationSchema);
  const { timeColumn, holdoutDays, trainer } = configuration;
  const versions = await Promise.all(datasets.map((dataset) => readTable(dataset)));
  const { training, holdout, cutoffMs } = splitHoldout(versions, {
    timeColumn,
    holdoutDays,
    seed: trainer.seed,
  });
  const before = cutoffMs === undefined ? undefined : new Date(cutoffMs).toISOString();
  const readMs = performance.now();
  const model = trainModel(training, configuration, { datasets, before });
  const trainedMs = performance.now();
  await writeLocal(join(options.model, "model.json"), JSON.stringify(model));
  await writeLocal(options.holdout, parquetBytes(holdout));
  console.log(
    JSON.stringify({
      message: "trained",
      rows: training.rows,
      holdoutRows: holdout.rows,
      before,
      ...model.training.metrics,
      readMs: Math.round(readMs - startedMs),
      trainMs: Math.round(trainedMs - readMs),
    }),
  );
});
