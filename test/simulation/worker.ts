/** One worker thread: does its share of the work and posts what came of each piece. */
import { parentPort, workerData } from "node:worker_threads";
import { walkSeed } from "./deciders/walk.js";
import { hunt, type Caught } from "./hunt.js";
import { quietly } from "./quietly.js";
import { summaryOf, type SeedSummary } from "./report.js";
import { runSeed, type CrashPoint, type Violation } from "./run-seed.js";

/** What is played: the whole runtime in its world, or the deciders alone. */
export type Mode = "runtime" | "deciders";

/** A worker's share: every `step`th piece from the `first` on. */
export type WorkerTask = { readonly first: number; readonly step: number } & (
  | {
      readonly do: "play";
      readonly mode: Mode;
      readonly from: number;
      readonly seeds: number;
    }
  | {
      readonly do: "crash";
      readonly seed: number;
      readonly calls: number;
      readonly stride: number;
    }
  | { readonly do: "hunt"; readonly bugs: readonly string[]; readonly seedsMax: number }
);

/** What came of the piece with this index. */
export type WorkerReply = { readonly index: number } & (
  | { readonly summary: SeedSummary }
  | { readonly crash: CrashPoint; readonly violation: Violation | null }
  | { readonly caught: Caught }
);

const task = workerData as WorkerTask;

const summary = async (seed: number): Promise<SeedSummary> =>
  summaryOf(
    task.do === "play" && task.mode === "deciders" ? walkSeed(seed) : await runSeed({ seed }),
  );

const replyTo = async (index: number): Promise<WorkerReply | null> => {
  switch (task.do) {
    case "play":
      return index < task.seeds ? { index, summary: await summary(task.from + index) } : null;
    case "crash": {
      // Even pieces die before a call takes effect, odd ones after it.
      const call = 1 + Math.floor(index / 2) * task.stride;
      if (call > task.calls) return null;
      const crash: CrashPoint = { call, when: index % 2 === 0 ? "before" : "after" };
      const { violation } = await runSeed({ seed: task.seed, isCalm: true, crashAt: crash });
      return { index, crash, violation };
    }
    case "hunt": {
      const bug = task.bugs[index];
      return bug === undefined ? null : { index, caught: await hunt(bug, task.seedsMax) };
    }
  }
};

// Thousands of injected errors are made per second, and nobody looks at where.
Error.stackTraceLimit = 0;

await quietly(async () => {
  for (let index = task.first; ; index += task.step) {
    const reply = await replyTo(index);
    if (reply === null) return;
    parentPort?.postMessage(reply, []);
  }
});
