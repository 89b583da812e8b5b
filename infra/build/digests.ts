/** The list of images' digests that the docker steps leave behind: a name and a digest a line. */
import { existsSync, readFileSync } from "node:fs";

/** Digest of each of these images; throws an error that names those that have none. */
export const readDigests = (
  file: string,
  names: readonly string[],
): ReadonlyMap<string, string> => {
  if (!existsSync(file)) throw new Error(`${file} is not there: run the step "digests" first`);
  const found = new Map(
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line): [string, string] => {
        const [name = "", digest = ""] = line.split(" ");
        return [name, digest];
      }),
  );
  const missing = names.filter((name) => !/^sha256:[0-9a-f]{64}$/.test(found.get(name) ?? ""));
  if (missing.length > 0) throw new Error(`${file} has no digest of ${missing.join(", ")}`);
  return found;
};
