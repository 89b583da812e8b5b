/** The folder of run-time state, `.continuo/`: made, locked, described, removed. */
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  closeSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { z } from "zod";
import { failed } from "../errors.js";

/** What a running instance tells the other commands. */
export const instanceSchema = z.object({
  pid: z.int(),
  cloud: z.url(),
  functions: z.url(),
  console: z.url(),
  token: z.string(),
  project: z.string(),
  region: z.string(),
  bucket: z.string(),
  pids: z.record(z.string(), z.int()),
});

/** A running instance: addresses, token and process ids. */
export type Instance = z.infer<typeof instanceSchema>;

/** Files of an instance, by purpose. */
export const filesIn = (folder: string) => ({
  instance: join(folder, "continuo.json"),
  lock: join(folder, "lock"),
  token: join(folder, "token"),
  cloud: join(folder, "cloud"),
  cloudLog: join(folder, "cloud.log"),
  functionsLog: join(folder, "functions.log"),
  images: join(folder, "images.json"),
  demo: join(folder, "demo.json"),
});

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";

const reasons: Readonly<Record<string, string>> = {
  EACCES: "it may not be written to: change its owner or rights",
  EPERM: "it may not be written to: change its owner or rights",
  EROFS: "it lies on a read-only file system: choose another with --folder",
  ENOSPC: "the disk is full: free some space",
  EDQUOT: "the disk quota is used up: free some space",
  // Node reports a read-only file system like this when it makes a folder with its parents.
  ENOENT: "it cannot be made there: the place is read-only or gone; choose another with --folder",
  ENOTDIR: "a part of its path is a file: choose another with --folder",
  EEXIST: "it is a file: choose another with --folder",
};

/** Runs a change of the folder; what the file system refuses is told with what to do. */
const inFolder = <Result>(folder: string, change: () => Result): Result => {
  try {
    return change();
  } catch (error) {
    const reason = reasons[codeOf(error)];
    if (reason === undefined) throw error;
    throw failed(`the state folder ${folder} cannot be used: ${reason} (${codeOf(error)})`, {
      cause: error,
    });
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) !== "EPERM") return false;
  }
  try {
    // Process ids are used again: where the system tells, the process must be one of ours.
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("continuo");
  } catch {
    return true;
  }
};

/** The process that holds the folder; null when none does. */
export const holderOf = (folder: string): number | null => {
  try {
    const pid = Number(readFileSync(filesIn(folder).lock, "utf8"));
    return Number.isInteger(pid) && pid > 0 && isAlive(pid) ? pid : null;
  } catch {
    return null;
  }
};

const refuseSecond = (folder: string, pid: number): Error =>
  failed(
    `continuo already runs on ${folder} as process ${pid}; use it, stop it with "kill ${pid}", or choose another folder with --folder`,
  );

/** Removes the folder and nothing else; refuses when it is in use or holds what is not ours. */
export const removeFolder = (folder: string): void => {
  if (!existsSync(folder)) return;
  const holder = holderOf(folder);
  if (holder !== null) throw refuseSecond(folder, holder);
  const ours = new Set(Object.values(filesIn(folder)));
  const isOurs = (name: string): boolean => ours.has(join(folder, name));
  const names = statSync(folder).isDirectory() ? readdirSync(folder) : [folder];
  if (names.length > 0 && !names.some(isOurs)) {
    throw failed(
      `${folder} holds nothing that continuo wrote, so it is not removed; remove it by hand`,
    );
  }
  inFolder(folder, () => {
    rmSync(folder, { recursive: true, force: true });
  });
};

/** Makes the folder and takes its lock; returns how to give it back. */
export const takeFolder = (folder: string): (() => void) =>
  inFolder(folder, () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { lock, instance } = filesIn(folder);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      try {
        const file = openSync(lock, "wx", 0o600);
        writeFileSync(file, String(process.pid));
        closeSync(file);
        return () => {
          rmSync(instance, { force: true });
          rmSync(lock, { force: true });
        };
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        const holder = holderOf(folder);
        if (holder !== null) throw refuseSecond(folder, holder);
        // Its holder died without giving it back.
        rmSync(lock, { force: true });
      }
    }
    throw failed(`the lock of ${folder} changes hands all the time; remove ${lock} by hand`);
  });

/** The instance's token, made once and kept so that open pages survive a restart. */
export const tokenIn = (folder: string): string => {
  const { token } = filesIn(folder);
  if (existsSync(token)) {
    const known = readFileSync(token, "utf8").trim();
    if (known.length >= 32) return known;
  }
  const made = randomBytes(24).toString("base64url");
  inFolder(folder, () => {
    writeFileSync(token, made, { mode: 0o600 });
  });
  return made;
};

/** Writes a file whole or not at all. */
export const writeWhole = (folder: string, file: string, content: string): void => {
  inFolder(folder, () => {
    writeFileSync(`${file}.new`, content, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  });
};

/** The running instance of a folder; null when nothing was started there. */
export const readInstance = (folder: string): Instance | null => {
  let text: string;
  try {
    text = readFileSync(filesIn(folder).instance, "utf8");
  } catch {
    return null;
  }
  const parsed = instanceSchema.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : null;
};
