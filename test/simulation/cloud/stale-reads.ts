/** Reads that lag: a value as it was some time ago. */
import { randomOf } from "../random.js";
import type { CloudContext } from "./context.js";

interface Version<Value> {
  readonly sinceMs: number;
  readonly value: Value;
}

/** A store whose reads may be old. */
export interface StaleReads<Key, Value> {
  readonly changed: (key: Key, value: Value) => void;
  readonly read: (key: Key) => Value | undefined;
}

const lagMsMax = 60_000;
const versionsMax = 12;

/** Keeps the last versions of each value; a read is sometimes answered with an earlier one. */
export const staleReads = <Key extends string, Value>(
  { seed, scheduler, trace, profile }: CloudContext,
  name: string,
): StaleReads<Key, Value> => {
  const versions = new Map<Key, Version<Value>[]>();
  const random = randomOf(seed, `stale/${name}`);
  return {
    changed: (key, value) => {
      const kept = versions.get(key) ?? [];
      versions.set(key, [...kept, { sinceMs: scheduler.nowMs(), value }].slice(-versionsMax));
    },
    read: (key) => {
      const kept = versions.get(key);
      if (kept === undefined) return undefined;
      if (!random.chance(profile().stale)) return kept.at(-1)?.value;
      const atMs = scheduler.nowMs() - random.between(0, lagMsMax);
      const found = kept.findLast(({ sinceMs }) => sinceMs <= atMs)?.value;
      if (found !== kept.at(-1)?.value) trace.count(`stale read of ${name}`);
      return found;
    },
  };
};
