import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { containersOf } from "../../infra/local/vertex/containers.js";
import {
  expandEnvironment,
  expandVariables,
  parseImage,
  resolveImage,
} from "../../infra/local/vertex/images.js";
import { processStartTime } from "../../infra/local/vertex/process-identity.js";
import { memoryCloud } from "./vertex-jobs-memory-cloud.js";

const folder = mkdtempSync(join(tmpdir(), "continuo-containers-"));
const imagesFile = join(folder, "images.json");
writeFileSync(
  imagesFile,
  JSON.stringify({
    images: {
      "registry.local:5000/shell": { entrypoint: ["sh", "-c"], hostCommands: true },
      fixed: { entrypoint: ["sh", "-c", "echo fixed $0 $FLAVOUR"], env: { FLAVOUR: "plain" } },
      missing: { entrypoint: ["/nowhere/at-all"] },
    },
  }),
);
const cloud = memoryCloud(folder, imagesFile);
const containers = containersOf(cloud.context);
afterAll(async () => {
  await containers.stopAll(100);
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  ["alpine", { name: "alpine" }],
  ["alpine:3.19", { name: "alpine", tag: "3.19" }],
  ["localhost:5000/a/b", { name: "localhost:5000/a/b" }],
  ["localhost:5000/a/b:1@sha256:ab", { name: "localhost:5000/a/b", tag: "1", digest: "sha256:ab" }],
])("an image reference %s falls into its parts", (image, parts) => {
  expect(parseImage(image)).toEqual(parts);
});

test("an image that is not listed is refused, and the error names the file", () => {
  expect(() => resolveImage(imagesFile, { image: "unknown:1" })).toThrow(imagesFile);
  expect(() => resolveImage(imagesFile, { image: "constructor" })).toThrow(/not in/);
});

test("a command of the task's own is refused unless the image allows it", () => {
  expect(() => resolveImage(imagesFile, { image: "fixed", command: ["rm"] })).toThrow(
    /hostCommands/,
  );
  expect(
    resolveImage(imagesFile, {
      image: "registry.local:5000/shell:2",
      command: ["env"],
      args: ["-i"],
    }),
  ).toEqual({
    program: "env",
    args: ["-i"],
    env: {},
  });
});

test("variables expand in the container's words, a shell's own do not", () => {
  const env = { PORT: "8080" };
  expect(expandVariables("--port=$(PORT) $$(PORT) $(dirname x) $(OTHER) $$", env)).toBe(
    "--port=8080 $(PORT) $(dirname x) $(OTHER) $$",
  );
});

test("a variable may refer to the ones before it", () => {
  const env = expandEnvironment([
    ["A", "1"],
    ["B", "$(A)2 $(C)"],
    ["C", "3"],
  ]);
  expect(env).toEqual({ A: "1", B: "12 $(C)", C: "3" });
});

test("a container sees its arguments and only its own environment", async () => {
  const lines: string[] = [];
  const container = await containers.startContainer({
    image: "registry.local:5000/shell",
    args: ["env; echo out; echo err >&2; exit 3"],
    env: { GIVEN: "yes" },
    onLog: (line, stream) => lines.push(`${stream} ${line}`),
  });
  expect(await container.exited).toEqual({ code: 3, signal: null });
  expect(lines).toContain("stdout GIVEN=yes");
  expect(lines).toContain("stdout STORAGE_EMULATOR_HOST=http://127.0.0.1:1");
  expect(lines).toContain("stdout CONTINUO_LOCAL=1");
  expect(lines).toContain("stderr err");
  const names = lines.flatMap((line) => /^stdout ([A-Z_]+)=/.exec(line)?.[1] ?? []);
  expect(names.toSorted()).toEqual(
    expect.not.arrayContaining(["VITEST", "NODE_ENV", "npm_config_cache"]),
  );
});

test("stopping a container ends the whole process group", async () => {
  const lines: string[] = [];
  const container = await containers.startContainer({
    image: "registry.local:5000/shell",
    args: ["trap '' TERM; sleep 600 & echo $!; wait; wait; wait"],
    onLog: (line) => lines.push(line),
  });
  await expect.poll(() => lines.length).toBe(1);
  await container.stop(50);
  await expect.poll(() => processStartTime(Number(lines[0]))).toBeUndefined();
});

test("a program that does not exist is a clear error and not a hanging container", async () => {
  await expect(containers.startContainer({ image: "missing" })).rejects.toThrow(/nowhere\/at-all/);
});

test("a container left by a crashed cloud is ended by the next one", async () => {
  const container = await containers.startContainer({
    image: "registry.local:5000/shell",
    args: ["sleep 600"],
  });
  const next = memoryCloud(folder, imagesFile);
  next.context.db.exec(
    "CREATE TABLE IF NOT EXISTS vertex_containers (pid INTEGER PRIMARY KEY, started TEXT NOT NULL, image TEXT NOT NULL)",
  );
  const remember = next.context.db.prepare("INSERT INTO vertex_containers VALUES (?, ?, 'shell')");
  remember.run(container.pid, processStartTime(container.pid));
  remember.run(process.pid, "another time");
  containersOf(next.context).endOrphans();
  expect(await container.exited).toEqual({ code: null, signal: "SIGKILL" });
});
