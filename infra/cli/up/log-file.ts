/** The file that takes what a child process prints. */
import { createWriteStream } from "node:fs";
import type { WriteStream } from "node:fs";

/** A log that loses lines rather than failing. */
export interface LogFile {
  readonly line: (text: string) => void;
  readonly end: () => void;
}

const reopenAfterMs = 10_000;

/** Opens it; when it cannot be written that is told once, and it is tried again later. */
export const logFile = (file: string, tell: (line: string) => void): LogFile => {
  let stream: WriteStream | undefined;
  let closedUntilMs = 0;
  let isToldOf = false;

  const open = (): WriteStream => {
    const opened = createWriteStream(file, { flags: "a", mode: 0o600 });
    opened.on("error", (error) => {
      stream = undefined;
      closedUntilMs = performance.now() + reopenAfterMs;
      if (!isToldOf) tell(`${file} cannot be written (${error.message}); free some space`);
      isToldOf = true;
    });
    return opened;
  };
  return {
    line: (text) => {
      if (performance.now() < closedUntilMs) return;
      stream ??= open();
      stream.write(`${text}\n`);
    },
    end: () => {
      stream?.end();
    },
  };
};
