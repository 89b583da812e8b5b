import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  buildFunctions,
  namelessImports,
  type BuiltFunction,
} from "../../../infra/build/functions.js";

const root = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");
const folder = mkdtempSync(join(tmpdir(), "continuo-build-"));
const built: BuiltFunction[] = [];

beforeAll(async () => {
  for (const place of ["one", "a/longer/other"]) {
    built.push(...(await buildFunctions(root, ["notify"], join(folder, place))));
  }
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const first = (): BuiltFunction => {
  const [one] = built;
  if (one === undefined) throw new Error("nothing was built");
  return one;
};

describe("a package that is loaded when it is needed", () => {
  const lazily = async (target: string) => {
    const place = mkdtempSync(join(folder, "lazily-"));
    mkdirSync(join(place, "node_modules/common"), { recursive: true });
    writeFileSync(join(place, "node_modules/common/index.js"), "exports.named = () => 1;");
    writeFileSync(join(place, "named.ts"), 'export { named } from "common";');
    writeFileSync(join(place, "index.ts"), `export const load = () => import("${target}");`);
    const { metafile } = await build({
      absWorkingDir: place,
      entryPoints: ["index.ts"],
      outdir: "out",
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      metafile: true,
      write: false,
    });
    return namelessImports(metafile);
  };

  it("keeps its names where a module of ours hands them on, and is refused where it loses them", async () => {
    expect(await lazily("./named")).toEqual([]);
    expect(await lazily("common")).toEqual(["index.ts imports common when it needs it"]);
  });
});

describe("a built function", () => {
  it("has the same digest wherever and whenever it is built", () => {
    expect(new Set(built.map(({ digest }) => digest)).size).toBe(1);
    expect(first().digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it("holds neither the machine's paths nor its sources' text", () => {
    const texts = new Map(
      readdirSync(first().folder).map((name) => [
        name,
        readFileSync(join(first().folder, name), "utf8"),
      ]),
    );
    const holding = (part: string): readonly string[] =>
      [...texts].flatMap(([name, text]) => (text.includes(part) ? [name] : []));
    expect(holding(root)).toEqual([]);
    expect(holding(folder)).toEqual([]);
    expect(holding('"sourcesContent"')).toEqual([]);
  });

  it("has a source map for every file of code, and needs no package beside it", () => {
    const files = readdirSync(first().folder);
    const code = files.filter((name) => name.endsWith(".mjs"));
    expect(code).toEqual(expect.arrayContaining(["main.mjs", "index.mjs"]));
    for (const name of code) {
      expect(files).toContain(`${name}.map`);
      const text = readFileSync(join(first().folder, name), "utf8");
      const foreign = [...text.matchAll(/(?:^|[;}\n])import\s*(?:[^"';]*from\s*)?"([^"]+)"/g)]
        .map(([, path]) => path ?? "")
        .filter((path) => !path.startsWith("./") && !path.startsWith("node:"));
      expect(foreign.filter((path) => existsSync(join(root, "node_modules", path)))).toEqual([]);
    }
  });

  it("loads no client of Google before it is asked for something", () => {
    expect(first().startBytes).toBeLessThan(0.5 * first().bytes);
    const index = readFileSync(join(first().folder, "index.mjs"), "utf8");
    expect(index).not.toContain("google.firestore.v1");
    expect(index).toMatch(/import\("\.\/firestore-\w+\.mjs"\)/);
  });

  it("is carried by an image that installs nothing and names its function", () => {
    const dockerfile = readFileSync(join(first().folder, "Dockerfile"), "utf8");
    expect(dockerfile).toContain("FUNCTION_TARGET=notify");
    expect(dockerfile).not.toMatch(/npm|RUN/);
  });
});
