/** The time of commits: microseconds, strictly increasing, across restarts too. */

/** Gives commit times. */
export interface CommitClock {
  /** A time later than every time given before. */
  readonly next: () => number;
  /** The latest time at which everything committed is visible. */
  readonly now: () => number;
}

/** A clock that starts after the newest stored change. */
export const createCommitClock = (now: () => number, newestMicros: number): CommitClock => {
  let last = newestMicros;
  return {
    next: () => {
      last = Math.max(Math.floor(now() * 1000), last + 1);
      return last;
    },
    now: () => {
      last = Math.max(Math.floor(now() * 1000), last);
      return last;
    },
  };
};
