/** What identifies a manifest's content. */
import { createHash } from "node:crypto";
import type { Manifest } from "./schema.js";

const canonical = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, item]) => [key, canonical(item)]),
  );
};

/** SHA-256 of the manifest with its fields in alphabetical order. */
export const manifestDigest = (manifest: Manifest): string =>
  `sha256:${createHash("sha256")
    .update(JSON.stringify(canonical(manifest)))
    .digest("hex")}`;
