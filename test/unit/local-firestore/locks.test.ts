import { describe, expect, test } from "vitest";
import { createLocks, type LockOwner, type Locks } from "../../../infra/local/firestore/locks.js";

const owner = (holdMs: number, isTransaction = true): LockOwner => ({
  holdMs,
  isTransaction,
  held: new Set(),
  lastSeenMs: performance.now(),
  doomedAtMicros: undefined,
});
const longMs = 60_000;
const table = (waitMsMax = longMs, silentMsMax = longMs): Locks =>
  createLocks({ waitMsMax, silentMsMax, nowMicros: () => 7 });

describe("locks", () => {
  test("are granted in the order in which they were asked for", async () => {
    const locks = table();
    const owners = [owner(longMs), owner(longMs), owner(longMs)];
    const order: number[] = [];
    const waits = owners.map(async (each, index) => {
      expect(await locks.acquire(each, "a")).toBe(true);
      order.push(index);
      locks.releaseAll(each);
    });
    await Promise.all(waits);
    expect(order).toEqual([0, 1, 2]);
    expect(locks.heldCount()).toBe(0);
  });

  test("are shared with the next transaction when the hold has ended, never with a plain write", async () => {
    const locks = table(30);
    const first = owner(1);
    expect(locks.acquire(first, "a")).toBe(true);
    expect(await locks.acquire(owner(1), "a")).toBe(true);
    expect(await locks.acquire(owner(1, false), "a")).toBe(false);
    expect(first.doomedAtMicros).toBeUndefined();
  });

  test("of a document that changed doom every other holder, and free what these held", async () => {
    const locks = table();
    const [loser, winner] = [owner(0), owner(0)];
    expect(locks.acquire(loser, "b")).toBe(true);
    expect(locks.acquire(loser, "a")).toBe(true);
    await locks.acquire(winner, "a");
    locks.doomOthers("a", winner, 100);
    expect(loser.doomedAtMicros).toBe(99);
    expect(winner.doomedAtMicros).toBeUndefined();
    expect(locks.isFree("b")).toBe(true);
    expect(locks.isAlone(winner, "a")).toBe(true);
  });

  test("of a ring: the youngest loses at once, the others go on", async () => {
    const locks = table();
    const [old, young] = [owner(longMs * 2), owner(longMs)];
    expect(locks.acquire(old, "a")).toBe(true);
    expect(locks.acquire(young, "b")).toBe(true);
    const waiting = locks.acquire(old, "b");
    expect(await locks.acquire(young, "a")).toBe(false);
    expect(await waiting).toBe(true);
    expect(young.doomedAtMicros).toBe(7);
  });

  test("of a holder that fell silent go to a plain write that waits", async () => {
    const locks = table(longMs, 20);
    const dead = owner(longMs);
    expect(locks.acquire(dead, "a")).toBe(true);
    expect(await locks.acquire(owner(0, false), "a")).toBe(true);
    expect(dead.doomedAtMicros).toBe(7);
  });

  test("are given up after the limit, without a trace", async () => {
    const locks = table(10);
    const holder = owner(longMs);
    expect(locks.acquire(holder, "a")).toBe(true);
    expect(await locks.acquire(owner(longMs), "a")).toBe(false);
    locks.releaseAll(holder);
    expect(locks.heldCount()).toBe(0);
  });
});
