/** Whether everything that lists the functions lists the same ones. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { functions } from "../../functions/manifest.js";
import { bakeFile, otherImages } from "./images.js";

/** Names of functions by who lists them. */
export type FunctionLists = Readonly<Record<string, readonly string[]>>;

const generated = z.object({ functions: z.record(z.string(), z.unknown()) });

/** The lists of a checkout: the one that people write, what is deployed by it, and the code itself. */
export const functionLists = (root: string): FunctionLists => {
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  const { target } = bakeFile({ folder: ".build", repository: "", commit: "" });
  return {
    "functions/manifest.ts": functions.map(({ name }) => name),
    "functions/manifest.json (Terraform; npm run generate)": Object.keys(
      generated.parse(JSON.parse(read("functions/manifest.json"))).functions,
    ),
    "the images of cloudbuild.yaml (infra/build/images.ts)": Object.keys(target).filter(
      (name) => !otherImages.includes(name),
    ),
    "functions/<name>/index.ts": readdirSync(join(root, "functions")).filter((name) =>
      existsSync(join(root, "functions", name, "index.ts")),
    ),
  };
};

/** Every function that one lists and another does not, with who lacks it. */
export const parityProblems = (lists: FunctionLists): readonly string[] => {
  const names = [...new Set(Object.values(lists).flat())].toSorted();
  return names.flatMap((name) => {
    const lacking = Object.entries(lists).flatMap(([place, listed]) =>
      listed.includes(name) ? [] : [place],
    );
    return lacking.length === 0
      ? []
      : [`function ${name} is missing from ${lacking.join(" and ")}`];
  });
};

/** Throws where the lists differ: half a release is none. */
export const checkParity = (root: string): void => {
  const problems = parityProblems(functionLists(root));
  if (problems.length > 0) throw new Error(problems.join("\n"));
};
