/** Every generated file that deployment reads, by its path in the repository. */
import { manifestJson } from "./manifest-json.js";

/** Paths and contents; the formatter has the last word on line breaks. */
export const deploymentFiles = (): ReadonlyMap<string, string> =>
  new Map([["functions/manifest.json", manifestJson()]]);
