/** Keeps the runtime's log lines off standard output while seeds are played. */

/** Runs a task; what it logs goes nowhere, what others write goes through. */
export const quietly = async <Result>(task: () => Promise<Result>): Promise<Result> => {
  const { stdout } = process;
  const write = stdout.write.bind(stdout);
  const isLogLine = (chunk: unknown): boolean =>
    typeof chunk === "string" && chunk.startsWith('{"severity":');
  stdout.write = ((...args: Parameters<typeof write>) =>
    isLogLine(args[0]) || write(...args)) as typeof stdout.write;
  try {
    return await task();
  } finally {
    stdout.write = write;
  }
};
