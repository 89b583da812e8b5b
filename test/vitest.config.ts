import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const cores = availableParallelism();

/** How much of the machine a project's files take at once. */
const shares = {
  /** Nothing but a file's own process is at work. */
  all: { maxWorkers: cores, sequence: { groupOrder: 0 } },
  /** Emulators and processes that a file starts need room. */
  most: { maxWorkers: Math.max(1, cores - 1), sequence: { groupOrder: 1 } },
  /** Each instance wants the machine for itself: its analysis looks at latencies. */
  one: { maxWorkers: 1, sequence: { groupOrder: 2 } },
} as const;

const project = (
  name: string,
  options: {
    readonly timeoutMs: number;
    readonly share: keyof typeof shares;
    readonly isolate?: boolean;
    readonly retry?: number;
  },
) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: options.timeoutMs,
    hookTimeout: options.timeoutMs,
    isolate: options.isolate ?? true,
    retry: options.retry ?? 0,
    ...shares[options.share],
  },
});

/** One project per kind of test: by how much world it needs (see test/README.md). */
const config = defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    projects: [
      // Values in, values out: files may share a process.
      project("unit", { timeoutMs: 30_000, share: "all", isolate: false }),
      project("flow", { timeoutMs: 60_000, share: "all" }),
      project("simulation", { timeoutMs: 300_000, share: "all" }),
      // What shares two cores with emulators and processes gets one more try, which the report tells of.
      project("contract", { timeoutMs: 120_000, share: "most", retry: 1 }),
      project("e2e", { timeoutMs: 300_000, share: "one", retry: 1 }),
    ],
  },
});

export default config;
