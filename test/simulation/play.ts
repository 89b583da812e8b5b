/** Plays many seeds, or hunts many bugs, on worker threads; what comes back is in the order of what was asked. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import type { SeedSummary } from "./report.js";
import type { Caught } from "./hunt.js";
import type { CrashPoint, Violation } from "./run-seed.js";
import type { Mode, WorkerReply, WorkerTask } from "./worker.js";

/** Which seeds to play, and how. */
export interface PlayOptions {
  readonly mode: Mode;
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
  /** Called for each seed, in the order of the seeds. */
  readonly played: (summary: SeedSummary) => void;
}

const root = new URL("../../", import.meta.url).pathname;

/** Workers run one bundle: loading each source file through a compiler in each thread takes longer than playing. */
const bundled = async (folder: string): Promise<string> => {
  const outfile = join(folder, "worker.mjs");
  await build({
    entryPoints: [new URL("worker.ts", import.meta.url).pathname],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    sourcemap: "inline",
    logLevel: "error",
  });
  return outfile;
};

/** Passes replies on as soon as all before them have come. */
const inOrder = (pass: (reply: WorkerReply) => void) => {
  const waiting = new Map<number, WorkerReply>();
  let next = 0;
  return (reply: WorkerReply): void => {
    waiting.set(reply.index, reply);
    for (let ready = waiting.get(next); ready !== undefined; ready = waiting.get(next)) {
      waiting.delete(next);
      next += 1;
      pass(ready);
    }
  };
};

const runWorker = (
  file: string,
  task: WorkerTask,
  received: (reply: WorkerReply) => void,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(file, { workerData: task });
    worker.on("message", received);
    worker.on("error", reject);
    worker.on("exit", () => resolve());
  });

/** Splits work among threads: each takes every nth piece. */
const onThreads = async (
  threads: number,
  taskOf: (first: number, step: number) => WorkerTask,
  pass: (reply: WorkerReply) => void,
): Promise<void> => {
  const parent = join(root, ".build");
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, "simulation-"));
  try {
    const file = await bundled(folder);
    const received = inOrder(pass);
    const indices = Array.from({ length: threads }, (_, index) => index);
    await Promise.all(indices.map((index) => runWorker(file, taskOf(index, threads), received)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** Plays the seeds. */
export const play = ({ mode, from, seeds, workers, played }: PlayOptions): Promise<void> =>
  onThreads(
    Math.min(workers, seeds),
    (first, step) => ({ do: "play", mode, from, seeds, first, step }),
    (reply) => {
      if ("summary" in reply) played(reply.summary);
    },
  );

/** Plays one seed without other faults, once for each call of a port at which the process dies. */
export const crashEverywhere = (options: {
  readonly seed: number;
  readonly calls: number;
  /** Only every so many calls; 1 for each. */
  readonly stride: number;
  readonly workers: number;
  readonly played: (crash: CrashPoint, violation: Violation | null) => void;
}): Promise<void> => {
  const { seed, calls, stride, workers, played } = options;
  return onThreads(
    workers,
    (first, step) => ({ do: "crash", seed, calls, stride, first, step }),
    (reply) => {
      if ("crash" in reply) played(reply.crash, reply.violation);
    },
  );
};

/** Hunts each of the bugs. */
export const huntOnThreads = (options: {
  readonly bugs: readonly string[];
  readonly seedsMax: number;
  readonly workers: number;
  readonly hunted: (caught: Caught) => void;
}): Promise<void> => {
  const { bugs, seedsMax, workers, hunted } = options;
  return onThreads(
    Math.min(workers, bugs.length),
    (first, step) => ({ do: "hunt", bugs, seedsMax, first, step }),
    (reply) => {
      if ("caught" in reply) hunted(reply.caught);
    },
  );
};
