/** Plays many seeds on worker threads and hands their summaries back in the order of the seeds. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import type { SeedSummary } from "./report.js";
import type { WorkerTask } from "./worker.js";

/** What is played: the whole runtime in its world, or the deciders alone. */
export type Mode = "runtime" | "deciders";

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

/** Passes summaries on as soon as all before them have come. */
const inOrder = (first: number, pass: (summary: SeedSummary) => void) => {
  const waiting = new Map<number, SeedSummary>();
  let next = first;
  return (summary: SeedSummary): void => {
    waiting.set(summary.seed, summary);
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
  received: (summary: SeedSummary) => void,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(file, { workerData: task });
    worker.on("message", received);
    worker.on("error", reject);
    worker.on("exit", () => resolve());
  });

/** Plays the seeds; every worker takes its share of each stretch of them. */
export const play = async ({ mode, from, seeds, workers, played }: PlayOptions): Promise<void> => {
  const parent = join(root, ".build");
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, "simulation-"));
  try {
    const file = await bundled(folder);
    const received = inOrder(from, played);
    const shares = Array.from({ length: Math.min(workers, seeds) }, (_, index) => index);
    await Promise.all(
      shares.map((index) =>
        runWorker(
          file,
          { mode, from: from + index, until: from + seeds, step: shares.length },
          received,
        ),
      ),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
