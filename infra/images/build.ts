/** Bundles every image's entrypoint into one file that runs with plain Node. */
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { bundleSbom } from "../build/sbom.js";

/** The images, each a folder here with main.ts and Dockerfile. */
const imageNames = [
  "trainer",
  "predictor",
  "faulty-predictor",
  "profiler",
  "evaluator",
  "launcher",
] as const;

/** Name of an image, without registry and tag. */
export type ImageName = (typeof imageNames)[number];

const here = dirname(fileURLToPath(import.meta.url));

/** CommonJS packages inside an ES module bundle still ask for `require`. */
const banner = {
  js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
};

/**
 * DuckDB is a native module, which no bundle can hold: it is loaded when the profiler runs, here from this checkout
 * wherever the bundle lies, in a container from the packages beside it.
 */
const nativeModule = (isPortable: boolean): Plugin => ({
  name: "native-module",
  setup: (bundling) => {
    bundling.onResolve({ filter: /^@duckdb\/node-api$/ }, () => ({
      path: isPortable
        ? "@duckdb/node-api"
        : pathToFileURL(createRequire(import.meta.url).resolve("@duckdb/node-api")).href,
      external: true,
    }));
  },
});

/**
 * Bundles all images into `<directory>/<name>.mjs`, each complete in itself, and answers with name -> absolute path; for
 * containers with the list of its packages beside it.
 */
export async function buildImages(
  directory: string = join(here, "../../.build/images"),
  options: { readonly isPortable?: boolean } = {},
): Promise<Readonly<Record<ImageName, string>>> {
  const names = imageNames.filter((name) => existsSync(join(here, name, "main.ts")));
  const root = join(here, "../..");
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: names.map((name) => ({ in: join(here, name, "main.ts"), out: name })),
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    banner,
    plugins: [nativeModule(options.isPortable ?? false)],
    metafile: true,
    logLevel: "error",
  });
  if (options.isPortable === true) {
    for (const name of names) {
      const outputs = Object.entries(metafile.outputs).filter(([path]) =>
        path.endsWith(`/${name}.mjs`),
      );
      const own = { ...metafile, outputs: Object.fromEntries(outputs) };
      writeFileSync(join(directory, `${name}.cdx.json`), bundleSbom(root, name, own));
    }
  }
  const path = (name: ImageName): string => join(directory, `${name}.mjs`);
  return {
    trainer: path("trainer"),
    predictor: path("predictor"),
    "faulty-predictor": path("faulty-predictor"),
    profiler: path("profiler"),
    evaluator: path("evaluator"),
    launcher: path("launcher"),
  };
}
