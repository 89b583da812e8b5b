/**
 * Slots spread what is indexed by time over so many ranges of an index, because one range takes 500 writes a second. Work
 * keeps the slot that it was given: their number may be raised at any time, and lowered only while nothing is open.
 */
import { createHash } from "node:crypto";
import type { Partition } from "../ports/state.js";

/** The most slots there can be. */
export const slotsMax = 64;

/** Enough for a few thousand writes a second; every query then is one query. */
export const slotsDefault = 8;

/** The one partition of those who scan alone. */
export const everything: Partition = { index: 0, count: 1 };

/** Firestore takes at most 30 values in one `in`. */
const slotsPerQueryMax = 30;

/** The slot of a key: always the same one. */
export const slotOf = (key: string, count: number): number =>
  (createHash("sha256").update(key).digest()[0] ?? 0) % count;

/** The slots of a partition, as lists that one query takes. */
export const slotsOf = (
  { index, count }: Partition,
  slots: number,
): readonly (readonly number[])[] => {
  const first = Math.ceil((index * slots) / count);
  const end = Math.ceil(((index + 1) * slots) / count);
  const all = Array.from({ length: end - first }, (_, offset) => first + offset);
  return Array.from({ length: Math.ceil(all.length / slotsPerQueryMax) }, (_, part) =>
    all.slice(part * slotsPerQueryMax, (part + 1) * slotsPerQueryMax),
  );
};
