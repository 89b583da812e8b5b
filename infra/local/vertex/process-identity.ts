/** Telling a process from a later one with the same number. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** When a process started, in whatever words this machine has for it; undefined when there is none. */
export const processStartTime = (pid: number): string | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces, so count fields after its end: the start time is the 22nd of all.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended; only its parent has not asked about it yet.
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return processStartTimeFromPs(pid);
  }
};

const processStartTimeFromPs = (pid: number): string | undefined => {
  if (process.platform === "linux") return undefined;
  try {
    return (
      execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() ||
      undefined
    );
  } catch {
    return undefined;
  }
};

/** Sends a signal to a whole process group; a group that is gone is no error. */
export const signalGroup = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended meanwhile, which is what was wanted.
  }
};
