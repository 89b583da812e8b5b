/** One digest for a set of files. */
import { createHash } from "node:crypto";

const sha256 = (contents: Buffer | string): string =>
  createHash("sha256").update(contents).digest("hex");

/** SHA-256 over the sorted names and contents: neither times nor the order of writing count. */
export const digestOf = (files: ReadonlyMap<string, Buffer>): string => {
  const lines = [...files]
    .map(([path, contents]) => `${sha256(contents)}  ${path}\n`)
    .toSorted((a, b) => (a.slice(64) < b.slice(64) ? -1 : 1));
  return `sha256:${sha256(lines.join(""))}`;
};
