/**
 * Group commit: what is committed within one turn of the event loop is written in one transaction of the database, and
 * each is answered when it is there. Members of a group never touch the same document, so that what one of them reads
 * is always stored.
 */
import type { Change } from "./writes.js";

interface Member {
  readonly changes: readonly Change[];
  readonly commitMicros: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Commits that are on their way into the database. */
export interface CommitGroup {
  /** Resolves when the changes are stored. */
  readonly add: (changes: readonly Change[], commitMicros: number) => Promise<void>;
  /** Whether a document's change is on its way. */
  readonly touches: (name: string) => boolean;
  /** Stores what is on its way now; a failure is told to those who wait for it. */
  readonly flush: () => void;
}

/** A group in front of `store`, which writes changes all or none and throws when it cannot. */
export const createCommitGroup = (
  store: (changes: readonly Change[], newestMicros: number) => void,
): CommitGroup => {
  let members: Member[] = [];
  const names = new Set<string>();

  const storeAlone = ({ changes, commitMicros, resolve, reject }: Member): void => {
    try {
      store(changes, commitMicros);
      resolve();
    } catch (error) {
      reject(error);
    }
  };
  const flush = (): void => {
    if (members.length === 0) return;
    const group = members;
    members = [];
    names.clear();
    try {
      store(
        group.flatMap(({ changes }) => changes),
        Math.max(...group.map(({ commitMicros }) => commitMicros)),
      );
      for (const { resolve } of group) resolve();
    } catch {
      // One that is too large for a disk that is nearly full must not take the others with it.
      for (const member of group) storeAlone(member);
    }
  };

  return {
    add: async (changes, commitMicros) => {
      if (members.length === 0) setImmediate(flush);
      for (const { target } of changes) names.add(target.name);
      return new Promise<void>((resolve, reject) => {
        members.push({ changes, commitMicros, resolve, reject });
      });
    },
    touches: (name) => names.has(name),
    flush,
  };
};
