/** One child process that must keep running: started, watched, started again, stopped. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import process from "node:process";
import { z } from "zod";
import { failed } from "../errors.js";
import { logFile } from "./log-file.js";

/** What is started. */
export interface ChildSpec {
  readonly name: string;
  /** Arguments of node; asked again at each start. */
  readonly args: () => readonly string[];
  readonly env: () => Readonly<Record<string, string | undefined>>;
  /** Takes everything that the child prints. */
  readonly logFile: string;
  /** The longest wait before it is started again, however often it died. */
  readonly restartDelayMsMax: number;
  /** Called whenever it was started again. */
  readonly onRestart: () => void;
}

/** A child process that is kept running. */
export interface Child {
  /** Where it serves. */
  readonly address: string;
  readonly pid: () => number;
  /** Ends it and everything that it started; resolves when it is gone. */
  readonly stop: () => Promise<void>;
}

const readyTimeoutMs = 30_000;
const restartDelayMs = 500;
/** A child that lived this long had a good start. */
const goodLifeMs = 30_000;
/** From the polite to the certain end. */
const stopTimeoutMs = 2200;
const tailLinesMax = 12;

const readyLine = z.object({ ready: z.literal(true), address: z.url() });

const readyAddress = (line: string): string | null => {
  if (!line.startsWith('{"ready"')) return null;
  const parsed = readyLine.safeParse(JSON.parse(line));
  return parsed.success ? parsed.data.address : null;
};

interface Started {
  readonly process: ChildProcess;
  readonly address: string;
  readonly exited: Promise<string>;
}

const signalGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already, which is what was wanted.
  }
};

const exitText = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`;

const advice: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: free some space",
  // The words of SQLite.
  "disk is full": "the disk is full: free some space",
  "readonly database": "the state folder may not be written to: change its owner or rights",
  EROFS: "the state folder is read-only: choose another with --folder",
  EACCES: "the state folder may not be written to: change its owner or rights",
};

/** What to do about a child's last words, where that is known. */
const adviceOn = (tail: readonly string[]): string => {
  const text = tail.join("\n");
  const known = Object.entries(advice).find(([code]) => text.includes(code));
  return known === undefined ? ":" : `; ${known[1]}:`;
};

/** Starts it once; resolves when it says that it is ready. */
const startOnce = async (spec: ChildSpec, tell: (line: string) => void): Promise<Started> => {
  const log = logFile(spec.logFile, (line) => {
    tell(`${spec.name}: ${line}`);
  });
  const child = spawn(process.execPath, [...spec.args()], {
    env: spec.env(),
    // Its own process group, so that Ctrl-C reaches it through us and takes its children along.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const tail: string[] = [];
  const keep = (line: string): void => {
    log.line(line);
    tail.push(line);
    if (tail.length > tailLinesMax) tail.shift();
  };
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => {
      resolve(error.message);
    });
    child.once("exit", (code, signal) => {
      log.end();
      resolve(exitText(code, signal));
    });
  });
  createInterface({ input: child.stderr }).on("line", keep);
  const output = createInterface({ input: child.stdout });
  const ready = new Promise<string>((resolve) => {
    output.on("line", (line) => {
      const address = readyAddress(line);
      if (address === null) keep(line);
      else resolve(address);
    });
  });
  const timeout = new Promise<null>((resolve) => {
    setTimeout(() => {
      resolve(null);
    }, readyTimeoutMs).unref();
  });
  const first = await Promise.race([
    ready.then((address) => ({ address })),
    exited.then((how) => ({ how })),
    timeout.then(() => ({ how: `no sign of life within ${readyTimeoutMs / 1000} s` })),
  ]);
  if ("address" in first) return { process: child, address: first.address, exited };
  signalGroup(child, "SIGKILL");
  throw failed(
    [
      `${spec.name}: did not start (${first.how})${adviceOn(tail)}`,
      ...tail.map((line) => `  ${line}`),
    ].join("\n"),
  );
};

/** Starts a child and keeps it running until it is stopped; throws when it does not start the first time. */
export const keepRunning = async (
  spec: ChildSpec,
  tell: (line: string) => void,
): Promise<Child> => {
  let current = await startOnce(spec, tell);
  const { address } = current;
  const { restartDelayMsMax } = spec;
  let isStopping = false;
  let wait: NodeJS.Timeout | undefined;
  let restart: Promise<void> = Promise.resolve();

  const watch = (startedAtMs: number, delayMs: number): void => {
    const watched = current;
    void watched.exited.then((how) => {
      if (isStopping) return;
      // What the dead process had started must not live on beside what its successor starts.
      signalGroup(watched.process, "SIGKILL");
      const nextDelayMs =
        Date.now() - startedAtMs > goodLifeMs
          ? restartDelayMs
          : Math.min(delayMs * 2, restartDelayMsMax);
      tell(`${spec.name}: stopped (${how}), starting again in ${delayMs / 1000} s`);
      again(delayMs, nextDelayMs);
    });
  };

  const again = (delayMs: number, nextDelayMs: number): void => {
    wait = setTimeout(() => {
      restart = startOnce(spec, tell).then(
        (started) => {
          current = started;
          if (isStopping) signalGroup(started.process, "SIGKILL");
          else {
            tell(`${spec.name}: up again`);
            spec.onRestart();
          }
          watch(Date.now(), nextDelayMs);
        },
        (error: unknown) => {
          if (isStopping) return;
          const message = error instanceof Error ? error.message : String(error);
          tell(`${message}\ntrying again in ${nextDelayMs / 1000} s`);
          again(nextDelayMs, Math.min(nextDelayMs * 2, restartDelayMsMax));
        },
      );
    }, delayMs);
  };
  watch(Date.now(), restartDelayMs);

  return {
    address,
    pid: () => current.process.pid ?? 0,
    stop: async () => {
      isStopping = true;
      clearTimeout(wait);
      await restart;
      const { process: child, exited } = current;
      if (child.exitCode !== null || child.signalCode !== null) return;
      signalGroup(child, "SIGTERM");
      const kill = setTimeout(() => {
        signalGroup(child, "SIGKILL");
      }, stopTimeoutMs);
      await exited;
      clearTimeout(kill);
      signalGroup(child, "SIGKILL");
    },
  };
};
