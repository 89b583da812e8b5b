/** A function's bundle as one script, so that V8 can keep what it has compiled of it. */
import { readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import { Script } from "node:vm";

/** Names of the files in a function's folder. */
export const bundleFile = "function.cjs";
/** V8's code cache of that file. It fits one version of Node, and the image that has that Node makes it. */
export const cacheFile = "function.cache";

/** Reads the bundle; with a code cache, functions that are in it need not be parsed and compiled again. */
export const readBundle = (folder: string, cachedData?: Buffer): Script => {
  const text = readFileSync(join(folder, bundleFile), "utf8");
  return new Script(Module.wrap(text), {
    filename: join(folder, bundleFile),
    ...(cachedData === undefined ? {} : { cachedData }),
  });
};

/** Runs it as Node runs a CommonJS module. */
export const runBundle = (folder: string, script: Script): void => {
  const file = join(folder, bundleFile);
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file, folder);
};
