/** The files of infra/terraform, with what they read. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = "infra/terraform";
const ignored = new Set([".terraform", "check"]);
const wanted = /\.(tf|tfvars|tfvars\.json|json|proto|hcl)$/;

/** Contents by path in the repository: a plain map, so that a test may plant a mistake in it. */
export type Tree = ReadonlyMap<string, string>;

const filesIn = (path: string): readonly string[] =>
  readdirSync(join(root, path), { withFileTypes: true })
    .filter(({ name }) => !ignored.has(name))
    .flatMap((entry) => {
      const child = `${path}/${entry.name}`;
      if (entry.isDirectory()) return filesIn(child);
      return wanted.test(entry.name) ? [child] : [];
    });

/** Reads the tree. */
export const readTree = (): Tree =>
  new Map(
    [
      ...filesIn(folder),
      "functions/manifest.json",
      "functions/permissions.ts",
      ...(existsSync(join(root, "cloudbuild.yaml")) ? ["cloudbuild.yaml"] : []),
    ].map((path) => [path, readFileSync(join(root, path), "utf8")]),
  );

/** Where the repository lies, for tools that want real files. */
export const repositoryRoot = root;
