/** Starts and stops the demo's process. */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { demoEnvironment, root } from "./config.js";
import { failed } from "./errors.js";
import { playReport, type ActResults, type PlayOptions } from "./play-report.js";

/** The demo's process. */
export interface Player {
  /** Plays the acts; what it says goes to `say`. Throws when it fails or is stopped. */
  readonly play: (options: PlayOptions, say: (line: string) => void) => Promise<ActResults>;
  /** Ends it and what it started. */
  readonly stop: () => Promise<void>;
}

const stopTimeoutMs = 1500;

/** Starts the process; it loads what it needs while the rest of the system starts. */
export const startPlayer = (): Player => {
  const program = fileURLToPath(new URL("play-demo.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), program], {
    cwd: root,
    env: demoEnvironment,
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
  });
  // Writing to a process that died is told by its exit.
  child.stdin.on("error", () => undefined);
  const exited = new Promise<void>((resolve) => {
    child.once("error", () => {
      resolve();
    });
    child.once("exit", () => {
      resolve();
    });
  });
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group is gone already, which is what was wanted.
    }
  };
  return {
    play: (options, say) =>
      new Promise((resolve, reject) => {
        createInterface({ input: child.stdout }).on("line", (line) => {
          if (!line.startsWith('{"kind"')) {
            say(line);
            return;
          }
          const report = playReport.parse(JSON.parse(line));
          if (report.kind === "said") say(report.text);
          else if (report.kind === "played") resolve(report.results);
          else reject(failed(`the demo stopped: ${report.message}`));
        });
        void exited.then(() => {
          reject(failed("the demo's process died before its last act"));
        });
        child.stdin.write(`${JSON.stringify(options)}\n`);
      }),
    stop: async () => {
      child.stdin.end();
      const kill = setTimeout(killGroup, stopTimeoutMs);
      await exited;
      clearTimeout(kill);
      killGroup();
    },
  };
};
