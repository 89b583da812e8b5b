/** The functions' processes: each with its own clock, any of them may die at any moment. */
import type { Random } from "./random.js";

/** One process; a dead one's continuations never run again. */
export interface Process {
  readonly name: string;
  readonly skewMs: number;
  isDead: boolean;
  /** The process skips a tick while it runs another, as the function does. */
  isTicking: boolean;
}

/** One call of a handler, on one process, with draws of its own. */
export interface Invocation {
  readonly label: string;
  readonly process: Process;
  readonly random: Random;
}

/** The running processes. */
export interface Fleet {
  readonly invoke: (label: string, random: Random) => Invocation;
  /** The process dies with everything that it was doing, and another takes its place. */
  readonly crash: (process: Process) => void;
}

const size = 4;

/** Clocks that differ by less are as good as right: messages take as long. */
const wrongMsMin = 60_000;

/** Starts the processes; clocks are wrong by at most `skewMsMax`. */
export const fleetOf = (
  random: Random,
  skewMsMax: () => number,
  count: (fault: string) => void = () => undefined,
): Fleet => {
  let started = 0;
  const start = (): Process => {
    started += 1;
    const skewMs = Math.round(random.between(-skewMsMax(), skewMsMax()));
    if (Math.abs(skewMs) >= wrongMsMin) count("clock wrong by minutes");
    return { name: `p${started}`, skewMs, isDead: false, isTicking: false };
  };
  const processes = Array.from({ length: size }, start);
  return {
    invoke: (label, own) => {
      const process = processes[own.whole(0, size - 1)] ?? start();
      return { label, process, random: own };
    },
    crash: (process) => {
      process.isDead = true;
      const index = processes.indexOf(process);
      if (index >= 0) processes[index] = start();
    },
  };
};
