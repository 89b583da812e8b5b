/**
 * Locks on documents. A transaction that reads a document holds it; others queue for it in turn. A holder keeps a
 * document to itself for `holdMs` and then shares it with the next in the queue: the first of them to commit wins and
 * the others are doomed, so nothing deadlocks and no update is lost. A writer outside of transactions shares with nobody.
 */

/** Who may hold documents. */
export interface LockOwner {
  /** How long this owner keeps a document to itself while others wait; grows with each retry. */
  readonly holdMs: number;
  /** Shares with transactions whose hold has ended; a plain write does not. */
  readonly mayShare: boolean;
  /** Names of the documents it holds. */
  readonly held: Set<string>;
  /** When it was last heard of, on the clock of `performance.now()`. */
  lastSeenMs: number;
  /** Set when another commit changed what it read: all it can do is to start again. */
  isDoomed: boolean;
}

interface Waiter {
  readonly owner: LockOwner;
  readonly settle: (granted: boolean) => void;
}

interface Entry {
  readonly holders: Set<LockOwner>;
  readonly queue: Waiter[];
  timer: ReturnType<typeof setTimeout> | undefined;
  sharesAtMs: number;
}

/** The lock table. */
export interface Locks {
  /** True at once when free; otherwise false when it was not granted within the limit. */
  readonly acquire: (owner: LockOwner, name: string) => true | Promise<boolean>;
  /** Dooms every other holder of a document that has changed. */
  readonly doomOthers: (name: string, winner: LockOwner | undefined) => void;
  readonly release: (owner: LockOwner, name: string) => void;
  readonly releaseAll: (owner: LockOwner) => void;
  /** Whether nobody holds it or waits for it. */
  readonly isFree: (name: string) => boolean;
  /** Whether nobody else holds it. */
  readonly isAlone: (owner: LockOwner, name: string) => boolean;
  readonly heldCount: () => number;
}

/** Limits of waiting for locks. */
export interface LockLimits {
  readonly waitMsMax: number;
  /** A holder that was silent for this long loses a document that a plain write waits for: its client may be dead. */
  readonly silentMsMax: number;
}

/** A lock table of its own. */
export const createLocks = ({ waitMsMax, silentMsMax }: LockLimits): Locks => {
  const entries = new Map<string, Entry>();

  const entryOf = (name: string): Entry => {
    const known = entries.get(name);
    if (known !== undefined) return known;
    const entry: Entry = { holders: new Set(), queue: [], timer: undefined, sharesAtMs: 0 };
    entries.set(name, entry);
    return entry;
  };
  const grant = (name: string, entry: Entry, owner: LockOwner): void => {
    entry.holders.add(owner);
    owner.held.add(name);
    entry.sharesAtMs = performance.now() + owner.holdMs;
  };
  const mayGrant = (entry: Entry, owner: LockOwner): boolean =>
    entry.holders.size === 0 || (owner.mayShare && performance.now() >= entry.sharesAtMs);

  /** When the head of the queue may have what it waits for, even if no holder lets go. */
  const turnMs = (entry: Entry, head: LockOwner): number => {
    if (head.mayShare) return entry.sharesAtMs;
    return Math.max(...[...entry.holders].map((holder) => holder.lastSeenMs + silentMsMax));
  };
  const dropSilent = (name: string, entry: Entry): void => {
    const limitMs = performance.now() - silentMsMax;
    for (const holder of [...entry.holders])
      if (holder.lastSeenMs <= limitMs) doom(name, entry, holder);
  };
  /** A plain write has read nothing, so that nothing can doom it. */
  const doom = (name: string, entry: Entry, holder: LockOwner): void => {
    if (!holder.mayShare) return;
    holder.isDoomed = true;
    entry.holders.delete(holder);
    holder.held.delete(name);
    for (const held of [...holder.held]) release(held, holder);
  };

  const advance = (name: string, entry: Entry): void => {
    clearTimeout(entry.timer);
    entry.timer = undefined;
    if (entry.queue[0]?.owner.mayShare === false) dropSilent(name, entry);
    for (
      let head = entry.queue[0];
      head !== undefined && mayGrant(entry, head.owner);
      head = entry.queue[0]
    ) {
      entry.queue.shift();
      grant(name, entry, head.owner);
      head.settle(true);
    }
    if (entry.holders.size === 0 && entry.queue.length === 0) entries.delete(name);
    else if (entry.queue[0] !== undefined) {
      const delayMs = Math.max(1, turnMs(entry, entry.queue[0].owner) - performance.now());
      entry.timer = setTimeout(() => advance(name, entry), delayMs).unref();
    }
  };
  const wait = async (name: string, entry: Entry, owner: LockOwner): Promise<boolean> => {
    const { promise, resolve } = withResolvers();
    const waiter: Waiter = { owner, settle: resolve };
    entry.queue.push(waiter);
    const limit = setTimeout(() => {
      entry.queue.splice(entry.queue.indexOf(waiter), 1);
      resolve(false);
      advance(name, entry);
    }, waitMsMax).unref();
    advance(name, entry);
    const granted = await promise;
    clearTimeout(limit);
    return granted;
  };
  const release = (name: string, owner: LockOwner): void => {
    const entry = entries.get(name);
    owner.held.delete(name);
    if (entry?.holders.delete(owner) === true) advance(name, entry);
  };

  return {
    acquire: (owner, name) => {
      const entry = entryOf(name);
      if (entry.holders.has(owner)) return true;
      if (entry.queue.length > 0 || !mayGrant(entry, owner)) return wait(name, entry, owner);
      grant(name, entry, owner);
      return true;
    },
    doomOthers: (name, winner) => {
      const entry = entries.get(name);
      if (entry === undefined) return;
      for (const holder of [...entry.holders]) if (holder !== winner) doom(name, entry, holder);
      advance(name, entry);
    },
    releaseAll: (owner) => {
      for (const name of [...owner.held]) release(name, owner);
    },
    release: (owner, name) => release(name, owner),
    isFree: (name) => !entries.has(name),
    isAlone: (owner, name) =>
      [...(entries.get(name)?.holders ?? [])].every((holder) => holder === owner),
    heldCount: () => entries.size,
  };
};

/** A promise with its resolver, which Node 20 does not have built in. */
const withResolvers = (): { promise: Promise<boolean>; resolve: (granted: boolean) => void } => {
  let resolve: (granted: boolean) => void = () => undefined;
  const promise = new Promise<boolean>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
};
