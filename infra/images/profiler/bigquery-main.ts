/** Prints the BigQuery SQL of a table's profile: `--table project.dataset.table --profile earlier/profile.json`. */
import { argv } from "node:process";
import { z } from "zod";
import { profile as profileSchema } from "../../../events/artifacts.js";
import { parseFlags, parseJson, runImage } from "../arguments.js";
import { readText } from "../io.js";
import { bigqueryProfile, scriptOf } from "./bigquery.js";

const flags = z.object({
  table: z.string().min(1),
  /** Address of an earlier version's profile.json: its columns, and the edges that numbers are counted over. */
  profile: z.string().min(1),
  /** JSON list of columns to group by. */
  slices: z.string().default("[]"),
});

await runImage("profiler", async () => {
  const { table, profile, slices } = parseFlags(argv.slice(2), flags);
  const earlier = parseJson(await readText(profile), profile, profileSchema);
  const columns = parseJson(slices, "--slices", z.array(z.string().min(1)));
  console.log(scriptOf(bigqueryProfile(table, earlier, columns)));
});
