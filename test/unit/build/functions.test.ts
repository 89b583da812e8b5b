import { spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { buildFunctions, rehearse, type BuiltFunction } from "../../../infra/build/functions.js";

/** Starting a process takes long on a busy machine. */
const startLimitMs = 120_000;
const root = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");
const folder = mkdtempSync(join(tmpdir(), "continuo-build-"));
const built: BuiltFunction[] = [];

beforeAll(async () => {
  for (const place of ["one", "a/longer/other"]) {
    built.push(...(await buildFunctions(root, ["notify"], join(folder, place))));
  }
}, startLimitMs);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const first = (): BuiltFunction => {
  const [one] = built;
  if (one === undefined) throw new Error("nothing was built");
  return one;
};

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
    for (const name of ["function.cjs", "main.cjs", "rehearse.cjs"]) {
      expect(files).toEqual(expect.arrayContaining([name, `${name}.map`]));
      const text = readFileSync(join(first().folder, name), "utf8");
      const required = [...text.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, path]) => path ?? "");
      expect(required.length).toBeGreaterThan(0);
      const foreign = required.filter((path) => !isBuiltin(path) && !path.startsWith("."));
      expect(foreign.filter((path) => existsSync(join(root, "node_modules", path)))).toEqual([]);
    }
  });

  it("lists the packages in its bundle in the versions of the lockfile", () => {
    const read = (name: string): unknown =>
      JSON.parse(readFileSync(join(first().folder, name), "utf8"));
    const { components } = z
      .object({
        bomFormat: z.literal("CycloneDX"),
        components: z.array(z.object({ name: z.string(), version: z.string(), purl: z.string() })),
      })
      .parse(read("sbom.cdx.json"));
    const { packages } = z
      .object({ packages: z.record(z.string(), z.object({ version: z.string().optional() })) })
      .parse(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
    const locked = Object.entries(packages).map(
      ([path, { version }]) => `${path.replace(/^.*node_modules\//, "")}@${version ?? ""}`,
    );
    expect(
      components.filter(({ name, version }) => !locked.includes(`${name}@${version}`)),
    ).toEqual([]);
    // The map of the bundle names its sources too; those of a few packages lead to places that are not shipped.
    const { sources } = z.object({ sources: z.array(z.string()) }).parse(read("function.cjs.map"));
    const folders = sources.flatMap(
      (path) =>
        /node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? [],
    );
    const named = new Set(
      [...new Set(folders)].flatMap((path) => {
        const file = join(root, path, "package.json");
        return existsSync(file)
          ? [z.object({ name: z.string() }).parse(JSON.parse(readFileSync(file, "utf8"))).name]
          : [];
      }),
    );
    const listed = components.map(({ name }) => name);
    expect(listed).toContain("@google-cloud/functions-framework");
    expect([...named].filter((name) => !listed.includes(name))).toEqual([]);
  });

  it("loads no client of Google before it is asked for something, and takes one byte a character in memory", () => {
    const code = readFileSync(join(first().folder, "function.cjs"));
    expect(code.toString()).toMatch(
      /=__esm\(\{"node_modules\/firebase-admin\/lib\/esm\/firestore\/index\.js"\(/,
    );
    expect(code.every((byte) => byte < 0x80)).toBe(true);
  });

  it("is carried by an image that installs nothing, names its function and makes its code cache", () => {
    const dockerfile = readFileSync(join(first().folder, "Dockerfile"), "utf8");
    expect(dockerfile).toContain("FUNCTION_TARGET=notify");
    expect(dockerfile).not.toContain("npm");
    expect(dockerfile.match(/^RUN.*$/gm)).toEqual(['RUN ["node", "rehearse.cjs"]']);
  });
});

describe("a function's code cache", () => {
  const cache = (): string => join(first().folder, "function.cache");

  /** What a start prints until it refuses a request that has no token. */
  const printedUntilServing = async (): Promise<string> => {
    const socket = join(folder, "notify.sock");
    rmSync(socket, { force: true });
    const child = spawn(process.execPath, [join(first().folder, "main.cjs")], {
      env: {
        ...Object.fromEntries(
          ["PROJECT", "BUCKET"].map((name) => [`CONTINUO_${name}`, "some-project"]),
        ),
        CONTINUO_IDENTITY: "continuo@some-project.iam.gserviceaccount.com",
        CONTINUO_PUSH_IDENTITY: "push@some-project.iam.gserviceaccount.com",
        CONTINUO_PUSH_AUDIENCE: "https://functions.example.com",
        FUNCTION_TARGET: "notify",
        FUNCTION_SOURCE: join(first().folder, "index.cjs"),
        PORT: socket,
      },
    });
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
    const ask = (): Promise<number> =>
      new Promise((resolve) => {
        const sent = request({ socketPath: socket, method: "POST", path: "/" }, (reply) => {
          resolve(reply.resume().statusCode ?? 0);
        });
        sent.once("error", () => resolve(0)).end();
      });
    try {
      await expect.poll(ask, { timeout: startLimitMs / 2 }).toBe(401);
      return printed;
    } finally {
      child.kill("SIGKILL");
    }
  };

  it(
    "is made by a rehearsal and taken by every start",
    async () => {
      await rehearse(first(), process.execPath);
      expect(statSync(cache()).size).toBeGreaterThan(500_000);
      expect(await printedUntilServing()).not.toContain("function.cache");
    },
    startLimitMs,
  );

  it(
    "is refused, and said so, when another Node made it; the function serves without it",
    async () => {
      writeFileSync(cache(), readFileSync(cache()).fill(0, 0, 64));
      expect(await printedUntilServing()).toContain("function.cache was made by another Node");
    },
    startLimitMs,
  );

  it(
    "fails the build of an image whose function does not answer",
    async () => {
      const broken = { ...first(), name: "no-such-function" };
      await expect(rehearse(broken, process.execPath)).rejects.toThrow(
        "Function 'no-such-function' is not defined",
      );
    },
    startLimitMs,
  );
});
