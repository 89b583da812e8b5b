import { defineConfig } from "vitest/config";

const project = (
  name: string,
  options: {
    readonly timeoutMs: number;
    readonly fileParallelism?: boolean;
    readonly retry?: number;
  },
) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: options.timeoutMs,
    hookTimeout: options.timeoutMs,
    fileParallelism: options.fileParallelism ?? true,
    retry: options.retry ?? 0,
  },
});

/** One project per kind of test: by how much world it needs (see test/README.md). */
const config = defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    projects: [
      project("unit", { timeoutMs: 30_000 }),
      // Emulators and real processes share two cores with everything else: one more try, which the report tells of.
      project("contract", { timeoutMs: 120_000, retry: 1 }),
      project("flow", { timeoutMs: 60_000 }),
      project("simulation", { timeoutMs: 300_000 }),
      // Each instance wants the machine for itself: its analysis looks at latencies.
      project("e2e", { timeoutMs: 300_000, fileParallelism: false, retry: 1 }),
    ],
  },
});

export default config;
