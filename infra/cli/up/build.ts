/** TypeScript to what the child processes run. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { failed } from "../errors.js";
import { holderOf } from "./folder.js";

/** The files that `up` starts. */
export interface Processes {
  readonly cloud: string;
  readonly functions: string;
  /** Serves each function from its own bundle. */
  readonly bundles: string;
  readonly provision: string;
  readonly stopWithParent: string;
}

const buildsFolder = (root: string): string => join(root, ".build", "up");

/** Says whose bundles they are. */
const ownerFile = (folder: string): string => join(folder, "state-folder");

/** Where an instance's bundles lie: each has its own, so that none changes under another's feet. */
export const buildFolder = (root: string, stateFolder: string): string => {
  const name = createHash("sha256").update(stateFolder).digest("hex").slice(0, 8);
  return join(buildsFolder(root), name);
};

const isAbandoned = (folder: string): boolean => {
  try {
    return holderOf(readFileSync(ownerFile(folder), "utf8")) === null;
  } catch {
    return false;
  }
};

/** Makes an empty folder for the bundles of a state folder that we hold; those of instances that were killed go. */
const takeBuildFolder = (root: string, folder: string, stateFolder: string): void => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(ownerFile(folder), stateFolder);
  for (const name of readdirSync(buildsFolder(root))) {
    const other = join(buildsFolder(root), name);
    if (isAbandoned(other)) rmSync(other, { recursive: true, force: true });
  }
};

/** Removes an instance's bundles: each start makes them anew. */
export const removeBuild = (folder: string): void => {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // What cannot be removed now is removed by a later start.
  }
};

/** Bundles the child processes' code; packages stay where they are. */
export const buildProcesses = async (
  root: string,
  folder: string,
  stateFolder: string,
): Promise<Processes> => {
  try {
    takeBuildFolder(root, folder, stateFolder);
    await build({
      absWorkingDir: root,
      entryPoints: {
        cloud: "infra/local/main.ts",
        functions: "infra/cli/serve-functions.ts",
        bundles: "infra/cli/serve-bundles.ts",
        provision: "infra/cli/up/provision.ts",
        "stop-with-parent": "infra/cli/up/stop-with-parent.ts",
      },
      outdir: folder,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      splitting: true,
      platform: "node",
      format: "esm",
      target: "node20",
      packages: "external",
      sourcemap: "linked",
      logLevel: "silent",
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw failed(
      /permission denied|read-only file system|EACCES|EROFS/.test(text)
        ? `the folder ${join(root, ".build")} may not be written to: change its owner or rights, or use a checkout of your own`
        : `the code could not be bundled into ${folder}: ${text}`,
      { cause: error },
    );
  }
  return {
    cloud: join(folder, "cloud.mjs"),
    functions: join(folder, "functions.mjs"),
    bundles: join(folder, "bundles.mjs"),
    provision: join(folder, "provision.mjs"),
    stopWithParent: join(folder, "stop-with-parent.mjs"),
  };
};
