/** The demo's process: plays the acts and reports in lines of JSON, so that what it loads is gone when it ends. */
import process from "node:process";
import { createInterface } from "node:readline";
import { playDemo } from "../demo/main.js";
import { playOptions, type PlayReport } from "./play-report.js";

const report = (line: PlayReport): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const abort = new AbortController();
const lines = createInterface({ input: process.stdin });
// The pipe ends when the command stops the demo, or died.
lines.once("close", () => {
  abort.abort(new Error("stopped"));
});

lines.once("line", (line) => {
  playDemo({
    ...playOptions.parse(JSON.parse(line)),
    say: (text) => {
      report({ kind: "said", text });
    },
    signal: abort.signal,
  }).then(
    (results) => {
      report({ kind: "played", results });
      process.exit(0);
    },
    (error: unknown) => {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      report({ kind: "failed", message });
      process.exit(1);
    },
  );
});
