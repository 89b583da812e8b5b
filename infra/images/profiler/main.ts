/** The profiler image, the data gate: statistics of a dataset version and what is wrong with it. */
import { argv } from "node:process";
import { z } from "zod";
import { profile as profileSchema } from "../../../events/artifacts.js";
import { ImageError, parseFlags, parseJson, runImage } from "../arguments.js";
import { configurationSchema } from "../configuration.js";
import { readText, writeLocal } from "../io.js";
import { readTable } from "../table/read-table.js";
import { findAnomalies } from "./anomalies.js";
import { profileTable } from "./profile.js";

const flags = z.object({
  /** JSON list of addresses; the last one is the newest version, which is profiled. */
  datasets: z.string(),
  config: z.string(),
  /** Address of the previous version's profile.json; empty when there is none. */
  baseline: z.string().default(""),
  /** Paths of profile.json, anomalies.json and of the verdict alone: go, stop or ask. */
  profile: z.string(),
  anomalies: z.string(),
  verdict: z.string(),
  /** Part of the cache key alone: changes when the objects behind the addresses do. */
  fingerprint: z.string().default(""),
});

await runImage("profiler", async () => {
  const options = parseFlags(argv.slice(2), flags);
  const datasets = parseJson(options.datasets, "--datasets", z.array(z.string().min(1)).min(1));
  const configuration = parseJson(options.config, "--config", configurationSchema);
  const dataset = datasets.at(-1);
  if (dataset === undefined) throw new ImageError("--datasets is empty");
  const table = await readTable(dataset);
  const profile = profileTable(table, dataset);
  const previous =
    options.baseline === ""
      ? undefined
      : parseJson(await readText(options.baseline), options.baseline, profileSchema);
  const anomalies = findAnomalies(table, profile, configuration, previous);
  await writeLocal(options.profile, JSON.stringify(profile));
  await writeLocal(options.anomalies, JSON.stringify(anomalies));
  await writeLocal(options.verdict, anomalies.verdict);
  const reasons = anomalies.anomalies.map(({ message }) => message);
  console.log(
    JSON.stringify({ message: "profiled", rows: table.rows, verdict: anomalies.verdict, reasons }),
  );
});
