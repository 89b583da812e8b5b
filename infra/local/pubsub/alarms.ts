/** Many deadlines behind one timer. */

/** A set deadline. */
export interface Alarm {
  readonly cancel: () => void;
}

/** Runs callbacks at their times. */
export interface Alarms {
  readonly at: (timeMs: number, run: () => void) => Alarm;
  readonly stop: () => void;
}

interface Entry {
  readonly timeMs: number;
  run: (() => void) | undefined;
}

const cancelledMax = 10_000;
const timerMsMax = 2 ** 31 - 1;

/** A binary heap of deadlines on the given clock. */
export function makeAlarms(now: () => number, log: (line: string) => void): Alarms {
  const heap: Entry[] = [];
  let timer: NodeJS.Timeout | undefined;
  let timerAtMs = Number.POSITIVE_INFINITY;
  let isStopped = false;
  let cancelled = 0;

  const before = (a: number, b: number): boolean =>
    (heap[a]?.timeMs ?? Number.POSITIVE_INFINITY) < (heap[b]?.timeMs ?? Number.POSITIVE_INFINITY);
  const swap = (a: number, b: number): void => {
    const left = heap[a];
    const right = heap[b];
    if (left === undefined || right === undefined) return;
    heap[a] = right;
    heap[b] = left;
  };
  const push = (entry: Entry): void => {
    heap.push(entry);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(at, parent)) break;
      swap(at, parent);
      at = parent;
    }
  };
  const pop = (): Entry | undefined => {
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    let at = 0;
    for (;;) {
      const left = at * 2 + 1;
      const smaller = before(left + 1, left) ? left + 1 : left;
      if (!before(smaller, at)) return first;
      swap(smaller, at);
      at = smaller;
    }
  };
  const compact = (): void => {
    const kept = heap.filter((entry) => entry.run !== undefined);
    kept.sort((a, b) => a.timeMs - b.timeMs);
    heap.length = 0;
    // A sorted list is a heap.
    for (const entry of kept) heap.push(entry);
    cancelled = 0;
  };
  const arm = (): void => {
    while (heap.length > 0 && heap[0]?.run === undefined) {
      pop();
      cancelled = Math.max(0, cancelled - 1);
    }
    const first = heap[0];
    if (first === undefined || isStopped || first.timeMs >= timerAtMs) return;
    clearTimeout(timer);
    timerAtMs = first.timeMs;
    timer = setTimeout(ring, Math.min(Math.max(first.timeMs - now(), 0), timerMsMax));
  };
  const ring = (): void => {
    timerAtMs = Number.POSITIVE_INFINITY;
    const time = now();
    while ((heap[0]?.timeMs ?? Number.POSITIVE_INFINITY) <= time) {
      const entry = pop();
      const run = entry?.run;
      if (entry !== undefined) entry.run = undefined;
      if (run === undefined) cancelled = Math.max(0, cancelled - 1);
      try {
        run?.();
      } catch (error) {
        log(
          `a deadline's work failed: ${error instanceof Error ? (error.stack ?? "") : String(error)}`,
        );
      }
    }
    arm();
  };

  return {
    at: (timeMs, run) => {
      const entry: Entry = { timeMs, run };
      push(entry);
      arm();
      return {
        // The entry stays until its time, or until most entries are such.
        cancel: () => {
          if (entry.run === undefined) return;
          entry.run = undefined;
          cancelled += 1;
          if (cancelled > cancelledMax && cancelled * 2 > heap.length) compact();
        },
      };
    },
    stop: () => {
      isStopped = true;
      heap.length = 0;
      clearTimeout(timer);
    },
  };
}
