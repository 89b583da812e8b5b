/** What a process and its children use, where the kernel tells (/proc of Linux). */
import { readFileSync } from "node:fs";

/** Usage of a process so far. */
export interface ProcessUsage {
  readonly cpuMs: number;
  readonly residentBytes: number;
}

// Linux has reported times in hundredths of a second to every program for decades, whatever its own tick is.
const msPerTick = 10;
const pageBytes = 4_096;

/** Reads a process's usage; undefined where that cannot be known. */
export const processUsage = (pid: number): ProcessUsage | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command stands in parentheses and may hold spaces and parentheses itself.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [userTicks, systemTicks, pages] = [fields[11], fields[12], fields[21]].map(Number);
    if (userTicks === undefined || systemTicks === undefined || pages === undefined) {
      return undefined;
    }
    return { cpuMs: (userTicks + systemTicks) * msPerTick, residentBytes: pages * pageBytes };
  } catch {
    return undefined;
  }
};
