/** cloudbuild.yaml: the one list of a build's steps, as the dry run walks it and the checks read it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

const step = z.object({
  id: z.string(),
  name: z.string(),
  entrypoint: z.string(),
  args: z.array(z.string()).default([]),
  waitFor: z.array(z.string()).default([]),
});

/** One step. */
export type CloudBuildStep = z.infer<typeof step>;

const file = z.object({
  substitutions: z.record(z.string(), z.string()).default({}),
  steps: z.array(step).min(1),
});

/** What of the file a walk through its steps needs. */
export type CloudBuildFile = z.infer<typeof file>;

/** Reads a file of this form. */
export const readCloudBuild = (root: string): CloudBuildFile =>
  file.parse(parse(readFileSync(join(root, "cloudbuild.yaml"), "utf8")));

/** A text with its substitutions, of which some stand in others. */
export const substituted = (
  text: string,
  values: Readonly<Record<string, string>>,
  depth = 3,
): string => {
  const next = text.replaceAll(
    /\$(?:\{([A-Z_]+)\}|([A-Z_]+))/g,
    (whole: string, braced?: string, bare?: string) => values[braced ?? bare ?? ""] ?? whole,
  );
  return next === text || depth === 0 ? next : substituted(next, values, depth - 1);
};
