/** One local cloud per folder. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ConfigError } from "./errors.js";

interface Holder {
  readonly pid: number;
  /** When the process started, in clock ticks since boot: a process id alone may be reused. */
  readonly startedTicks: string;
}

const heldHere = new Set<string>();

function startedTicks(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const ticks = startedTicks(holder.pid);
  return ticks === "" || holder.startedTicks === "" || ticks === holder.startedTicks;
}

function readHolder(file: string): Holder | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const { pid, startedTicks: ticks } = parsed as Record<string, unknown>;
    return typeof pid === "number"
      ? { pid, startedTicks: typeof ticks === "string" ? ticks : "" }
      : undefined;
  } catch {
    return undefined;
  }
}

/** A folder's lock. */
export interface Lock {
  readonly release: () => void;
  /** The process that held the folder and ended without giving it back. */
  readonly deadPid: number | undefined;
}

/** Takes the folder's lock, over from a dead process where need be. */
export function takeLock(folder: string): Lock {
  const file = join(folder, "lock");
  const mine = join(folder, `lock.${process.pid}`);
  const content = JSON.stringify({ pid: process.pid, startedTicks: startedTicks(process.pid) });
  let deadPid: number | undefined;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    writeFileSync(mine, content);
    try {
      // A link appears whole or not at all, and only once.
      linkSync(mine, file);
      heldHere.add(file);
      const release = (): void => {
        heldHere.delete(file);
        if (readHolder(file)?.pid === process.pid) rmSync(file, { force: true });
      };
      return { release, deadPid };
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    } finally {
      rmSync(mine, { force: true });
    }
    const holder = readHolder(file);
    const isOurs = holder?.pid === process.pid;
    if (holder !== undefined && (isOurs ? heldHere.has(file) : isAlive(holder))) {
      throw new ConfigError(
        `A local cloud already runs on ${folder} (process ${holder.pid}). Use it, stop it with \`kill ${holder.pid}\`, or start this one with another --folder.`,
      );
    }
    deadPid ??= holder?.pid;
    const stale = join(folder, `lock.stale.${process.pid}.${attempt}`);
    try {
      renameSync(file, stale);
    } catch {
      // Another starter took the stale lock away first; the next attempt sees whose it is.
    }
    rmSync(stale, { force: true });
  }
  throw new ConfigError(
    `The lock of ${folder} changes hands all the time; remove ${file} by hand.`,
  );
}
