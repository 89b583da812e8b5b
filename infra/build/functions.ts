/** Each function as a folder of its own that runs with nothing but Node: what is deployed, and measured. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";
import { digestOf } from "./digest.js";
import { commonJsBanner, dockerfile, packageJson } from "./function-files.js";
import { leanClients } from "./lean-clients.js";

/** One built function. */
export interface BuiltFunction {
  readonly name: string;
  readonly folder: string;
  /** Of everything in the folder; the same commit gives the same digest anywhere. */
  readonly digest: string;
  /** JavaScript that is there, compressed, and what is loaded before the first request. */
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly startBytes: number;
}

/** Where the functions are built when nobody says otherwise. */
export const functionsFolder = (root: string): string => join(root, ".build", "functions");

const framework = "node_modules/@google-cloud/functions-framework/build/src/main.js";

/** Paths in the output are relative to this one place, wherever it is then written. */
const outputFolder = (root: string, name: string): string => join(root, ".build/functions", name);

const bundle = async (root: string, name: string) => {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    // The framework lies in the same bundle, so that both see one registry of functions and nothing is installed.
    entryPoints: { main: framework, index: `functions/${name}/index.ts` },
    outdir: outputFolder(root, name),
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    minifyWhitespace: true,
    platform: "node",
    format: "esm",
    target: "node20",
    banner: { js: commonJsBanner },
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "silent",
    plugins: [leanClients],
  });
  const base = outputFolder(root, name);
  const files = new Map(
    outputFiles.map(({ path, contents }) => [path.slice(base.length + 1), Buffer.from(contents)]),
  );
  return { files, metafile };
};

/** The files that the entry points import before anything is asked of them. */
const startFiles = (
  outputs: Readonly<
    Record<
      string,
      {
        readonly entryPoint?: string;
        readonly imports: readonly { readonly path: string; readonly kind: string }[];
      }
    >
  >,
  entries: readonly string[],
): ReadonlySet<string> => {
  const found = new Set<string>();
  const open = Object.keys(outputs).filter((path) =>
    entries.includes(outputs[path]?.entryPoint ?? ""),
  );
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (found.has(path)) continue;
    found.add(path);
    const imports = outputs[path]?.imports ?? [];
    open.push(
      ...imports.filter(({ kind }) => kind === "import-statement").map((other) => other.path),
    );
  }
  return new Set([...found].map((path) => path.slice(path.lastIndexOf("/") + 1)));
};

/**
 * CommonJS packages that code of ours imports when it needs them: their chunk exports nothing but a default, so that the
 * names which the code asks for are undefined, in bundles alone.
 */
export const namelessImports = ({ inputs, outputs }: Metafile): readonly string[] => {
  const nameless = new Set(
    Object.values(outputs).flatMap(({ entryPoint, exports }) =>
      entryPoint !== undefined && exports.join() === "default" ? [entryPoint] : [],
    ),
  );
  return Object.entries(inputs).flatMap(([path, { imports }]) =>
    path.includes("node_modules/")
      ? []
      : imports.flatMap((found) =>
          found.kind === "dynamic-import" &&
          found.path.includes("node_modules/") &&
          nameless.has(found.path)
            ? [`${path} imports ${found.original ?? found.path} when it needs it`]
            : [],
        ),
  );
};

const buildFunction = async (root: string, out: string, name: string): Promise<BuiltFunction> => {
  const { files, metafile } = await bundle(root, name);
  const nameless = namelessImports(metafile);
  if (nameless.length > 0) {
    throw new Error(
      `${nameless.join("\n")}: a CommonJS package has no names in a bundle then. Re-export them from a module of ours and import that.`,
    );
  }
  files.set("package.json", Buffer.from(packageJson(name)));
  files.set("Dockerfile", Buffer.from(dockerfile(name)));
  const folder = join(out, name);
  rmSync(folder, { recursive: true, force: true });
  for (const [path, contents] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), contents);
  }
  const code = [...files].filter(([path]) => path.endsWith(".mjs"));
  const start = startFiles(metafile.outputs, [framework, `functions/${name}/index.ts`]);
  const size = (some: typeof code): number => some.reduce((sum, [, { length }]) => sum + length, 0);
  return {
    name,
    folder,
    digest: digestOf(files),
    bytes: size(code),
    gzipBytes: code.reduce((sum, [, contents]) => sum + gzipSync(contents).length, 0),
    startBytes: size(code.filter(([path]) => start.has(path))),
  };
};

/** Builds functions one after another into `<out>/<name>`. */
export const buildFunctions = async (
  root: string,
  names: readonly string[],
  out: string = functionsFolder(root),
): Promise<readonly BuiltFunction[]> => {
  const built: BuiltFunction[] = [];
  for (const name of names) built.push(await buildFunction(root, out, name));
  return built;
};
