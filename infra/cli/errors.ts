/** What ends a command, with its exit code. */

/** Exit codes of every command. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, notFound: 3, unreachable: 4 } as const;

/** A command that cannot go on; the message says what to do next. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The command failed. */
export const failed = (message: string, options?: ErrorOptions): CommandError =>
  new CommandError(exitCodes.failed, message, options);

/** The command was written wrongly. */
export const usage = (message: string): CommandError => new CommandError(exitCodes.usage, message);
