/** cloudbuild.yaml: the one list of a build's steps, as the dry run walks it and the checks read it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { cloudBuildProblems } from "./check-cloud-build.js";

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

const packageFile = z.object({ scripts: z.record(z.string(), z.string()) });

/** Reads a checkout's file; throws an error that names the line and the fix of all that is wrong with it. */
export const readCloudBuild = (root: string, steps: readonly string[]): CloudBuildFile => {
  const text = readFileSync(join(root, "cloudbuild.yaml"), "utf8");
  const { scripts } = packageFile.parse(
    JSON.parse(readFileSync(join(root, "package.json"), "utf8")),
  );
  const problems = cloudBuildProblems(text, {
    scripts: Object.keys(scripts),
    steps,
    hasFile: (path) => existsSync(join(root, path)),
  });
  if (problems.length > 0) {
    const lines = problems.map(
      ({ line, message, fix }) => `cloudbuild.yaml:${line}: ${message}. ${fix}`,
    );
    throw new Error(lines.join("\n"));
  }
  return file.parse(parse(text));
};

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
