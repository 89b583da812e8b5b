/** The processes that the local cloud's measurements compare: the local cloud, bundled as it is started, and Google's emulators. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { z } from "zod";
import { emulatorJar, startEmulator } from "../contract/firestore-targets.js";
import { pubsubEmulatorJar, startPubsubEmulator } from "../contract/pubsub-targets.js";

const root = new URL("../..", import.meta.url).pathname;
const readyLine = z.object({ address: z.string() });

/** A server under measurement. */
export interface Server {
  readonly port: number;
  readonly pid: number | undefined;
  readonly stop: () => Promise<void>;
}

/** Bundles the local cloud as `continuo cloud` does; packages stay where they are. */
export const bundleCloud = async (): Promise<string> => {
  const outfile = join(root, ".build/bench/cloud.mjs");
  await build({
    absWorkingDir: root,
    entryPoints: ["infra/local/main.ts"],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    logLevel: "silent",
  });
  return outfile;
};

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once("exit", () => {
      resolve();
    });
  });

/** Starts the local cloud; resolves when it says that it is ready. */
export const startCloud = async (
  nodeArguments: readonly string[],
  flags: readonly string[] = [],
): Promise<Server> => {
  const folder = mkdtempSync(join(tmpdir(), "continuo-bench-"));
  const child = spawn(
    process.execPath,
    [...nodeArguments, "--folder", folder, "--port", "0", ...flags],
    { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout });
  const line = await new Promise<string>((resolve, reject) => {
    lines.once("line", resolve);
    child.once("exit", (code) => {
      reject(new Error(`The local cloud ended with ${code} before it was ready`));
    });
  });
  const { address } = readyLine.parse(JSON.parse(line));
  return {
    port: Number(new URL(address).port),
    pid: child.pid,
    stop: async () => {
      const over = ended(child);
      child.kill("SIGTERM");
      await over;
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

const portOf = (host: string): number => Number(new URL(`http://${host}`).port);

/** Google's Pub/Sub emulator, where this machine has it. */
export const startGooglePubsub = async (): Promise<Server | undefined> => {
  const jar = pubsubEmulatorJar();
  if (jar === undefined) return undefined;
  const { port, stop } = await startPubsubEmulator(jar);
  return { port, pid: undefined, stop };
};

/** Google's Firestore emulator, where this machine has it. */
export const startGoogleFirestore = async (): Promise<Server | undefined> => {
  const jar = emulatorJar();
  if (jar === undefined) return undefined;
  const { host, stop } = await startEmulator(jar);
  return { port: portOf(host), pid: undefined, stop };
};

/** The kernel counts a process's time in hundredths of a second, on every machine that Node supports. */
const ticksPerSecond = 100;

const childrenOf = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);

/** Processor time that a process and those it started have taken so far, in seconds. */
export const processorSeconds = (pid: number | undefined): number => {
  if (pid === undefined) return Number.NaN;
  // The second field is the command in parentheses, which may hold anything.
  const [, fields = ""] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
  const [user, system] = fields.split(" ").slice(11, 13);
  const own = (Number(user) + Number(system)) / ticksPerSecond;
  return childrenOf(pid).reduce((sum, child) => sum + processorSeconds(child), own);
};

/** Memory of a process in MB. */
export const residentMb = (pid: number): number => {
  const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kb ?? 0) / 1024;
};
