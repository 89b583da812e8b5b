/** `npm run build [-- --json] [-- --out folder] [-- name ...]`: every function as a folder that can be deployed. */
import { relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { functions } from "../../functions/manifest.js";
import { checkParity } from "./parity.js";
import { buildFunctions, functionsFolder, type BuiltFunction } from "./functions.js";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    out: { type: "string", default: functionsFolder(root) },
  },
});

const known = functions.map(({ name }) => name);
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  process.stderr.write(
    `there is no function ${unknown.join(", ")}; functions/manifest.ts lists: ${known.join(", ")}\n`,
  );
  process.exit(2);
}

const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(0).padStart(8);

const table = (built: readonly BuiltFunction[], seconds: number): string =>
  [
    `${"function".padEnd(30)}${"kB".padStart(8)}${"gzip".padStart(8)}  digest`,
    ...built.map(
      ({ name, bytes, gzipBytes, digest }) =>
        `${name.padEnd(30)}${kilobytes(bytes)}${kilobytes(gzipBytes)}  ${digest.slice(0, 19)}`,
    ),
    `${built.length} functions in ${seconds.toFixed(1)} s, in ${relative(process.cwd(), values.out) || "."}`,
  ].join("\n");

checkParity(root);
const startedAt = performance.now();
const built = await buildFunctions(root, positionals.length > 0 ? positionals : known, values.out);
const seconds = (performance.now() - startedAt) / 1000;
const report = values.json
  ? JSON.stringify({ seconds: Number(seconds.toFixed(2)), functions: built }, null, 2)
  : table(built, seconds);
process.stdout.write(`${report}\n`);
