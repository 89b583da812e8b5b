/** The profiler image, the data gate: statistics of a dataset version and what is wrong with it. */
import { argv } from "node:process";
import { z } from "zod";
import { modelMetadata, profile as profileSchema } from "../../../events/artifacts.js";
import { ImageError, parseFlags, parseJson, runImage } from "../arguments.js";
import { configurationSchema } from "../configuration.js";
import { readText, writeLocal } from "../io.js";
import { findAnomalies } from "./anomalies.js";
import { withSource } from "./duckdb.js";
import { mergeProfiles } from "./merge.js";
import { profileSource } from "./profile.js";

const flags = z.object({
  /** JSON list of addresses; the last one is the newest version, which is profiled. */
  datasets: z.string(),
  config: z.string(),
  /** Address of the previous version's profile.json; empty when there is none. */
  baseline: z.string().default(""),
  /** The champion's folder or model.json, whose training rows are compared with; empty when there is none. */
  champion: z.string().default(""),
  /** Paths of profile.json, anomalies.json and of the verdict alone: go, stop or ask. */
  profile: z.string(),
  anomalies: z.string(),
  verdict: z.string(),
  /** Part of the cache key alone: changes when the objects behind the addresses do. */
  fingerprint: z.string().default(""),
});

const mergeFlags = z.object({
  /** JSON list of addresses of profile.json, one for each part; nothing else is read then. */
  profiles: z.string(),
  /** Path of the profile of all parts together. */
  profile: z.string(),
});

/** One profile from those of parts, which were profiled side by side. */
async function mergeParts(): Promise<void> {
  const options = parseFlags(argv.slice(2), mergeFlags);
  const addresses = parseJson(options.profiles, "--profiles", z.array(z.string().min(1)).min(1));
  const parts = await Promise.all(
    addresses.map(async (address) => parseJson(await readText(address), address, profileSchema)),
  );
  const merged = parts.reduce(mergeProfiles);
  await writeLocal(options.profile, JSON.stringify(merged));
  console.log(JSON.stringify({ message: "merged", parts: parts.length, rows: merged.rows }));
}

/** Distributions that the champion was trained on; undefined for a model that does not tell them. */
async function trainingDistributions(address: string) {
  if (address === "") return undefined;
  const file = address.endsWith(".json") ? address : `${address.replace(/\/+$/, "")}/model.json`;
  try {
    return parseJson(await readText(file), file, modelMetadata).training.distributions;
  } catch (cause) {
    if (!(cause instanceof ImageError)) throw cause;
    // A user's own model has no such file: the gate then has the schema and the previous version.
    console.error(`no training baseline: ${cause.message}`);
    return undefined;
  }
}

/** The newest version's profile, and what is wrong with it. */
async function profileNewest(): Promise<void> {
  const options = parseFlags(argv.slice(2), flags);
  const datasets = parseJson(options.datasets, "--datasets", z.array(z.string().min(1)).min(1));
  const configuration = parseJson(options.config, "--config", configurationSchema);
  const dataset = datasets.at(-1);
  if (dataset === undefined) throw new ImageError("--datasets is empty");
  const previous =
    options.baseline === ""
      ? undefined
      : parseJson(await readText(options.baseline), options.baseline, profileSchema);
  const champion = await trainingDistributions(options.champion);
  const { timeColumn, holdoutDays, evaluation } = configuration;
  const { profile, anomalies } = await withSource(dataset, async (source) => {
    const profiled = await profileSource(source, dataset, {
      sliceColumns: evaluation.slices.map(({ column }) => column),
      ...(timeColumn === undefined ? {} : { isHeldOut: { timeColumn, days: holdoutDays } }),
    });
    const baselines = { previous, champion };
    return {
      profile: profiled.profile,
      anomalies: await findAnomalies(source, profiled, configuration, baselines),
    };
  });
  await writeLocal(options.profile, JSON.stringify(profile));
  await writeLocal(options.anomalies, JSON.stringify(anomalies));
  await writeLocal(options.verdict, anomalies.verdict);
  const reasons = anomalies.anomalies.map(({ message }) => message);
  console.log(
    JSON.stringify({
      message: "profiled",
      rows: profile.rows,
      verdict: anomalies.verdict,
      reasons,
    }),
  );
}

await runImage("profiler", argv.includes("--profiles") ? mergeParts : profileNewest);
