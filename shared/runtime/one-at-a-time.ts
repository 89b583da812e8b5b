/** Work that must not overlap itself within one process. */

/** Wraps a task: while one call runs, further calls do nothing and report that they were skipped. */
export const oneAtATime = <Args extends readonly unknown[]>(
  task: (...args: Args) => Promise<void>,
): ((...args: Args) => Promise<"done" | "skipped">) => {
  let isRunning = false;
  return async (...args) => {
    if (isRunning) return "skipped";
    isRunning = true;
    try {
      await task(...args);
      return "done";
    } finally {
      isRunning = false;
    }
  };
};
