/**
 * Locks on documents. A transaction that reads a document holds it; others queue for it in turn. A holder keeps a
 * document to itself for `holdMs` and then shares it with the next in the queue: the first of them to commit wins and
 * the others are doomed. Those that wait for each other in a ring lose their youngest at once. So nothing waits for
 * ever and no update is lost. A writer outside of transactions shares with nobody.
 */
import { ringOf } from "./lock-rings.js";

/** Who may hold documents. */
export interface LockOwner {
  /** How long this owner keeps a document to itself while others wait; grows with each retry. */
  readonly holdMs: number;
  /** A transaction shares with others whose hold has ended, and can be doomed; a plain write neither. */
  readonly isTransaction: boolean;
  /** Names of the documents it holds. */
  readonly held: Set<string>;
  /** When it was last heard of, on the clock of `performance.now()`. */
  lastSeenMs: number;
  /**
   * The last moment at which all it had read was true, in microseconds; set when another commit changed some of it, or
   * when it lost its locks. It may read on as of then, and its commit is refused: it has to begin again.
   */
  doomedAtMicros: number | undefined;
}

interface Waiter {
  readonly owner: LockOwner;
  readonly name: string;
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
  /** Dooms every other holder of a document that a commit has changed. */
  readonly doomOthers: (name: string, winner: LockOwner | undefined, commitMicros: number) => void;
  /** Dooms one owner: it gave up waiting. */
  readonly doom: (owner: LockOwner) => void;
  readonly release: (owner: LockOwner, name: string) => void;
  /** Lets go of everything it holds and waits for. */
  readonly releaseAll: (owner: LockOwner) => void;
  /** Whether nobody holds it or waits for it. */
  readonly isFree: (name: string) => boolean;
  /** Whether nobody else holds it. */
  readonly isAlone: (owner: LockOwner, name: string) => boolean;
  readonly heldCount: () => number;
}

/** Limits of waiting for locks, and the time of commits. */
export interface LockSettings {
  readonly nowMicros: () => number;
  readonly waitMsMax: number;
  /** A holder that was silent for this long loses a document that a plain write waits for: its client may be dead. */
  readonly silentMsMax: number;
}

/** A lock table of its own. */
export const createLocks = ({ waitMsMax, silentMsMax, nowMicros }: LockSettings): Locks => {
  const entries = new Map<string, Entry>();
  const waits = new Map<LockOwner, Set<Waiter>>();

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
    entry.holders.size === 0 || (owner.isTransaction && performance.now() >= entry.sharesAtMs);
  /** When the head of the queue may have what it waits for, even if no holder lets go. */
  const turnMs = (entry: Entry, head: LockOwner): number =>
    head.isTransaction
      ? entry.sharesAtMs
      : Math.max(...[...entry.holders].map((holder) => holder.lastSeenMs + silentMsMax));

  /** Takes a waiter out of its queue and answers it. */
  const settle = (waiter: Waiter, granted: boolean): void => {
    const entry = entries.get(waiter.name);
    const place = entry?.queue.indexOf(waiter) ?? -1;
    if (place >= 0) entry?.queue.splice(place, 1);
    const own = waits.get(waiter.owner);
    own?.delete(waiter);
    if (own?.size === 0) waits.delete(waiter.owner);
    waiter.settle(granted);
  };
  const advance = (name: string): void => {
    const entry = entries.get(name);
    if (entry === undefined) return;
    clearTimeout(entry.timer);
    entry.timer = undefined;
    if (entry.queue[0]?.owner.isTransaction === false) dropSilent(entry);
    for (
      let head = entry.queue[0];
      head !== undefined && mayGrant(entry, head.owner);
      head = entry.queue[0]
    ) {
      grant(name, entry, head.owner);
      settle(head, true);
    }
    if (entry.holders.size === 0 && entry.queue.length === 0) entries.delete(name);
    else if (entry.queue[0] !== undefined) {
      const delayMs = Math.max(1, turnMs(entry, entry.queue[0].owner) - performance.now());
      entry.timer = setTimeout(() => advance(name), delayMs).unref();
    }
  };
  const dropSilent = (entry: Entry): void => {
    const limitMs = performance.now() - silentMsMax;
    for (const holder of Array.from(entry.holders))
      if (holder.lastSeenMs <= limitMs) doom(holder, nowMicros());
  };
  const releaseAll = (owner: LockOwner): void => {
    for (const waiter of Array.from(waits.get(owner) ?? [])) {
      settle(waiter, false);
      advance(waiter.name);
    }
    const held = [...owner.held];
    owner.held.clear();
    for (const name of held) {
      entries.get(name)?.holders.delete(owner);
      advance(name);
    }
  };
  /** A plain write has read nothing, so that nothing can doom it. */
  const doom = (owner: LockOwner, micros: number): void => {
    if (!owner.isTransaction) return;
    owner.doomedAtMicros ??= micros;
    releaseAll(owner);
  };

  /** Those that must let go before an owner gets all it waits for. */
  const blockersOf = (owner: LockOwner): readonly LockOwner[] =>
    [...(waits.get(owner) ?? [])].flatMap((waiter) => {
      const entry = entries.get(waiter.name);
      if (entry === undefined) return [];
      const ahead = entry.queue.slice(0, entry.queue.indexOf(waiter)).map((other) => other.owner);
      return [...entry.holders, ...ahead].filter((other) => other !== owner);
    });
  /** Breaks the ring that a new wait has closed: who has retried least and was heard of last begins again. */
  const breakRing = (owner: LockOwner): void => {
    const ring = ringOf(owner, blockersOf).filter((member) => member.isTransaction);
    const [victim] = ring.toSorted((a, b) => a.holdMs - b.holdMs || b.lastSeenMs - a.lastSeenMs);
    if (victim !== undefined) doom(victim, nowMicros());
  };
  const wait = async (name: string, entry: Entry, owner: LockOwner): Promise<boolean> => {
    const granted = new Promise<boolean>((resolve) => {
      const limit = setTimeout(() => {
        settle(waiter, false);
        advance(name);
      }, waitMsMax).unref();
      const waiter: Waiter = {
        owner,
        name,
        settle: (isGranted) => {
          clearTimeout(limit);
          resolve(isGranted);
        },
      };
      entry.queue.push(waiter);
      waits.set(owner, (waits.get(owner) ?? new Set()).add(waiter));
    });
    advance(name);
    breakRing(owner);
    return granted;
  };

  return {
    acquire: (owner, name) => {
      const entry = entryOf(name);
      if (entry.holders.has(owner)) return true;
      if (entry.queue.length > 0 || !mayGrant(entry, owner)) return wait(name, entry, owner);
      grant(name, entry, owner);
      return true;
    },
    doomOthers: (name, winner, commitMicros) => {
      for (const holder of Array.from(entries.get(name)?.holders ?? [])) {
        if (holder !== winner) doom(holder, commitMicros - 1);
      }
    },
    doom: (owner) => doom(owner, nowMicros()),
    release: (owner, name) => {
      owner.held.delete(name);
      entries.get(name)?.holders.delete(owner);
      advance(name);
    },
    releaseAll,
    isFree: (name) => !entries.has(name),
    isAlone: (owner, name) =>
      [...(entries.get(name)?.holders ?? [])].every((holder) => holder === owner),
    heldCount: () => entries.size,
  };
};
