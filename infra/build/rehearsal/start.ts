/** Starts a function: with the code cache of its image, or, where there is none, as any module. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { bundleFile, cacheFile, readBundle, runBundle } from "./bundle-script.js";

const folder = __dirname;
const cache = join(folder, cacheFile);

if (existsSync(cache)) {
  const script = readBundle(folder, readFileSync(cache));
  if (script.cachedDataRejected === true) {
    const message = `${cacheFile} was made by another Node, or with other flags, and is not used: build the image again`;
    process.stdout.write(`${JSON.stringify({ severity: "WARNING", message })}\n`);
  }
  runBundle(folder, script);
} else {
  createRequire(join(folder, bundleFile))(`./${bundleFile}`);
}
