/** Reading a process's output by line, with a limit on what one line may cost. */
import type { Readable } from "node:stream";

const lineBytesMax = 16_384;

/** Calls back for each line; an endless line is cut into pieces. Resolves when the stream has ended, however it did. */
export const linesOf = (stream: Readable, onLine: (line: string) => void): Promise<void> =>
  new Promise((resolve) => {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      const pieces = (rest + chunk).split("\n");
      rest = pieces.pop() ?? "";
      for (const piece of pieces) onLine(piece.endsWith("\r") ? piece.slice(0, -1) : piece);
      while (rest.length >= lineBytesMax) {
        onLine(rest.slice(0, lineBytesMax));
        rest = rest.slice(lineBytesMax);
      }
    });
    stream.on("error", () => undefined);
    stream.on("close", () => {
      if (rest !== "") onLine(rest);
      resolve();
    });
  });
