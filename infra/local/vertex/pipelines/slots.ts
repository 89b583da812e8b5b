/** A bound on how many containers run at once, first come first served. */
import { InterruptedError } from "./container-task.js";

/** Places to run in. */
export interface Slots {
  /** Waits for a free place and returns what frees it again; throws InterruptedError when aborted first. */
  readonly acquire: (signal: AbortSignal) => Promise<() => void>;
}

/** Makes `count` places. */
export const slotsOf = (count: number): Slots => {
  let free = count;
  const waiting = new Set<() => void>();
  const release = (): void => {
    free += 1;
    const [next] = waiting;
    next?.();
  };
  const take = (): (() => void) => {
    free -= 1;
    let isHeld = true;
    return () => {
      if (isHeld) release();
      isHeld = false;
    };
  };
  return {
    acquire: (signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(new InterruptedError("the task was ended before it started"));
          return;
        }
        if (free > 0) {
          resolve(take());
          return;
        }
        const wake = (): void => {
          waiting.delete(wake);
          signal.removeEventListener("abort", giveUp);
          resolve(take());
        };
        const giveUp = (): void => {
          waiting.delete(wake);
          reject(new InterruptedError("the task was ended before it started"));
        };
        waiting.add(wake);
        signal.addEventListener("abort", giveUp, { once: true });
      }),
  };
};

/** Waits, or throws InterruptedError when aborted. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const giveUp = (): void => {
      clearTimeout(timer);
      reject(new InterruptedError("the task was ended while it waited for its retry"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", giveUp);
      resolve();
    }, ms);
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
  });
