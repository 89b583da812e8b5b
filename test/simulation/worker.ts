/** One worker thread: plays its share of the seeds and posts what came of each. */
import { parentPort, workerData } from "node:worker_threads";
import type { Mode } from "./play.js";
import { quietly } from "./quietly.js";
import { summaryOf } from "./report.js";
import { runSeed } from "./run-seed.js";

/** A worker's share: every `step`th seed. */
export interface WorkerTask {
  readonly mode: Mode;
  readonly from: number;
  readonly until: number;
  readonly step: number;
}

const { from, until, step } = workerData as WorkerTask;

// Thousands of injected errors are made per second, and nobody looks at where.
Error.stackTraceLimit = 0;

await quietly(async () => {
  for (let seed = from; seed < until; seed += step) {
    parentPort?.postMessage(summaryOf(await runSeed({ seed })));
  }
});
