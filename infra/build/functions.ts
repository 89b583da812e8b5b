/** Each function as a folder of its own that runs with nothing but Node: what is deployed, and measured. */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build, type BuildOptions, type BuildResult } from "esbuild";
import { digestOf } from "./digest.js";
import { dockerfile, functionSource, packageJson, sbomFile } from "./function-files.js";
import { leanClients } from "./lean-clients.js";
import { bundleFile } from "./rehearsal/bundle-script.js";
import { bundleSbom } from "./sbom.js";

/** One built function. */
export interface BuiltFunction {
  readonly name: string;
  readonly folder: string;
  /** Of everything in the folder; the same commit gives the same digest anywhere. */
  readonly digest: string;
  /** The bundle's JavaScript, and what it takes compressed. */
  readonly bytes: number;
  readonly gzipBytes: number;
}

/** A file by its name. */
type Named = readonly [name: string, contents: Buffer];

/** Where the functions are built when nobody says otherwise. */
export const functionsFolder = (root: string): string => join(root, ".build", "functions");

const framework = "node_modules/@google-cloud/functions-framework/build/src/main.js";

/** Paths in the output are relative to this one place, wherever it is then written. */
const outputFolder = (root: string): string => join(root, ".build/functions/one");

const common = {
  bundle: true,
  minifyWhitespace: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  supported: {
    // V8's code cache is of scripts, and where no ES module is loaded, Node does not start its loader of them.
    "dynamic-import": false,
    // Other texts are escaped where they are not ASCII; a single character that is not doubles the bundle in memory.
    "template-literal": false,
  },
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "none",
  write: false,
  logLevel: "silent",
} as const satisfies BuildOptions;

const contentsOf = ({ outputFiles }: BuildResult<typeof common>): readonly Named[] =>
  outputFiles.map(({ path, contents }) => [basename(path), Buffer.from(contents)]);

/** The function and the framework that serves it, in one file: both see one registry of functions, and nothing is installed. */
const bundleFunction = (root: string, name: string) =>
  build({
    ...common,
    absWorkingDir: root,
    stdin: {
      contents: `import "./functions/${name}/index.ts"; import "./${framework}";`,
      resolveDir: root,
    },
    outfile: join(outputFolder(root), bundleFile),
    metafile: true,
    plugins: [leanClients],
  });

/** What starts any function, and what makes its code cache while its image is built. */
const bundleStarters = (root: string) =>
  build({
    ...common,
    absWorkingDir: root,
    entryPoints: {
      main: "infra/build/rehearsal/start.ts",
      rehearse: "infra/build/rehearsal/rehearse.ts",
    },
    outdir: outputFolder(root),
    outExtension: { ".js": ".cjs" },
  });

const buildFunction = async (
  root: string,
  out: string,
  name: string,
  starters: readonly Named[],
): Promise<BuiltFunction> => {
  const result = await bundleFunction(root, name);
  const bundle = contentsOf(result);
  const code = bundle.flatMap(([path, contents]) => (path === bundleFile ? [contents] : []));
  const files = new Map([
    ...bundle,
    ...starters,
    ["index.cjs", Buffer.from(functionSource)],
    ["package.json", Buffer.from(packageJson(name))],
    ["Dockerfile", Buffer.from(dockerfile(name))],
    [sbomFile, Buffer.from(bundleSbom(root, name, result.metafile))],
  ]);
  const folder = join(out, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [path, contents] of files) writeFileSync(join(folder, path), contents);
  return {
    name,
    folder,
    digest: digestOf(files),
    bytes: code.reduce((sum, { length }) => sum + length, 0),
    gzipBytes: code.reduce((sum, contents) => sum + gzipSync(contents).length, 0),
  };
};

/** Builds functions one after another into `<out>/<name>`. */
export const buildFunctions = async (
  root: string,
  names: readonly string[],
  out: string = functionsFolder(root),
): Promise<readonly BuiltFunction[]> => {
  const starters = contentsOf(await bundleStarters(root));
  const built: BuiltFunction[] = [];
  for (const name of names) built.push(await buildFunction(root, out, name, starters));
  return built;
};

/** Makes a built function's code cache with a Node, as its Dockerfile does with the Node of its image. */
export const rehearse = async (
  { folder, name }: Pick<BuiltFunction, "folder" | "name">,
  node: string,
): Promise<void> => {
  await promisify(execFile)(node, [join(folder, "rehearse.cjs")], {
    env: { PATH: process.env["PATH"] ?? "", FUNCTION_TARGET: name },
  });
};
