/** The local cloud as a process of its own, for tests that kill it or look at its memory. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";

const main = new URL("../../infra/local/main.ts", import.meta.url).pathname;
const readyLine = z.object({ address: z.string(), pid: z.number() });

/** A running process. */
export interface CloudProcess {
  readonly address: string;
  readonly port: number;
  readonly pid: number;
  /** What it wrote to its log so far. */
  readonly log: () => string;
  /** Ends it in either way; resolves when it is gone. */
  readonly end: (signal: "SIGTERM" | "SIGKILL") => Promise<void>;
}

/** Starts it on a folder; rejects with its log when it does not become ready. */
export const startCloudProcess = async (
  folder: string,
  ...flags: readonly string[]
): Promise<CloudProcess> => {
  const child = spawn(
    process.execPath,
    [
      "--import",
      "tsx",
      main,
      "--folder",
      folder,
      "--port",
      "0",
      "--project",
      "demo-project",
      ...flags,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let log = "";
  child.stderr.on("data", (part: Buffer) => (log += part.toString()));
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([
    once(lines, "line").then(([text]) => String(text)),
    exited.then(() => {
      throw new Error(`The local cloud never became ready: ${log}`);
    }),
  ]);
  const { address, pid } = readyLine.parse(JSON.parse(line));
  return {
    address,
    port: Number(new URL(address).port),
    pid,
    log: () => log,
    end: async (signal) => {
      child.kill(signal);
      await exited;
    },
  };
};

/** Memory of a process in MB; undefined where there is no /proc. */
export const residentMb = (pid: number): number | undefined => {
  try {
    const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kb === undefined ? undefined : Number(kb) / 1024;
  } catch {
    return undefined;
  }
};
