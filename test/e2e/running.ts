/** `continuo up` as a child process, on its own folder and on free ports. */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { instanceSchema, type Instance } from "../../infra/cli/up/folder.js";
import { exampleManifest } from "../unit/manifest/example.js";

const program = fileURLToPath(new URL("../../infra/cli/continuo.mjs", import.meta.url));
const startTimeoutMs = 90_000;

/** A manifest whose runs start at once. */
export const promptManifest = exampleManifest.replace(
  "triggers:\n",
  "triggers:\n  debounceSeconds: 0\n",
);

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A running instance and its command line. */
export interface RunningInstance {
  readonly folder: string;
  /** Read anew each time: process ids change when a child is started again. */
  readonly instance: () => Instance;
  readonly continuo: (...args: readonly string[]) => Promise<Ended>;
  /** What it printed so far. */
  readonly output: () => string;
  /** Ctrl-C; resolves with the exit code and how long it took. */
  readonly interrupt: () => Promise<{ readonly code: number | null; readonly ms: number }>;
  readonly stop: () => Promise<void>;
}

/** Runs the command on a folder. */
export const continuoOn =
  (folder: string) =>
  (...args: readonly string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const env = { ...process.env, CONTINUO_FOLDER: folder, NO_COLOR: "1" };
      execFile(process.execPath, [program, ...args], { env }, (error, out, err) => {
        resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
      });
    });

/** Starts it on a new folder, or again on a given one. */
export const startContinuo = async (
  folder = mkdtempSync(join(tmpdir(), "continuo-up-")),
): Promise<RunningInstance> => {
  // Far from the default ports, so that an instance of the machine's owner is left alone.
  const port = 20_000 + (process.pid % 20_000);
  const child = spawn(
    process.execPath,
    [program, "up", "--folder", folder, "--port", String(port), "--cloud-port", String(port + 100)],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" } },
  );
  let text = "";
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const ready = new Promise<void>((resolve) => {
    const take = (chunk: Buffer): void => {
      text += chunk.toString();
      if (text.includes("local cloud  http")) resolve();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
  });
  const timeout = new Promise<"late">((resolve) => {
    setTimeout(() => resolve("late"), startTimeoutMs).unref();
  });
  const first = await Promise.race([ready.then(() => "ready" as const), exited, timeout]);
  if (first !== "ready") {
    child.kill("SIGKILL");
    throw new Error(`continuo up did not start (${String(first)}):\n${text}`);
  }
  const interrupt = async (): Promise<{ readonly code: number | null; readonly ms: number }> => {
    const startedAt = performance.now();
    child.kill("SIGINT");
    return { code: await exited, ms: performance.now() - startedAt };
  };
  return {
    folder,
    instance: () =>
      instanceSchema.parse(JSON.parse(readFileSync(join(folder, "continuo.json"), "utf8"))),
    continuo: continuoOn(folder),
    output: () => text,
    interrupt,
    stop: async () => {
      if (child.exitCode === null) await interrupt();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
