/**
 * What documents were before they changed, kept in memory for an hour: reads at a past time and read-only
 * transactions see the past through it. After a restart the past begins anew.
 */
import { RpcError } from "../protocol/service.js";
import type { StoredDocument } from "./documents.js";
import type { DocumentName } from "./names.js";
import type { Change } from "./writes.js";

/** A document as it was at the time that was asked for; undefined where there was none. */
export interface PastVersion {
  readonly target: DocumentName;
  readonly document: StoredDocument | undefined;
}

/** The recent past. */
export interface History {
  readonly record: (changes: readonly Change[], commitMicros: number) => void;
  /** The documents that changed after a time, as they were at that time, by name. */
  readonly since: (micros: number) => ReadonlyMap<string, PastVersion>;
  /** Whether anything changed after a time. */
  readonly hasChangedSince: (micros: number) => boolean;
  /** Refuses a time that is no longer or not yet known. */
  readonly check: (micros: number) => void;
}

interface Entry extends PastVersion {
  readonly untilMicros: number;
  readonly bytes: number;
}

const ageMicrosMax = 3_600_000_000;
const entriesMax = 20_000;
const bytesMax = 64 * 1_048_576;

const nothing: ReadonlyMap<string, PastVersion> = new Map();

/** A history that begins now. */
export const createHistory = (nowMicros: () => number): History => {
  let entries: Entry[] = [];
  let first = 0;
  let bytes = 0;
  let beginMicros = nowMicros();

  const forget = (): void => {
    const oldest = entries[first];
    if (oldest === undefined) return;
    beginMicros = oldest.untilMicros;
    bytes -= oldest.bytes;
    first += 1;
    if (first > 1024 && first * 2 > entries.length) {
      entries = entries.slice(first);
      first = 0;
    }
  };
  const isOver = (): boolean => {
    const oldest = entries[first];
    if (oldest === undefined) return false;
    if (entries.length - first > entriesMax || bytes > bytesMax) return true;
    return oldest.untilMicros < nowMicros() - ageMicrosMax;
  };

  return {
    record: (changes, commitMicros) => {
      for (const { target, before } of changes) {
        const size = 200 + (before?.storedBytes ?? 0);
        entries.push({ target, document: before, untilMicros: commitMicros, bytes: size });
        bytes += size;
      }
      while (isOver()) forget();
    },
    hasChangedSince: (micros) => (entries.at(-1)?.untilMicros ?? 0) > micros,
    since: (micros) => {
      if ((entries.at(-1)?.untilMicros ?? 0) <= micros) return nothing;
      const past = new Map<string, PastVersion>();
      for (let index = entries.length - 1; index >= first; index -= 1) {
        const entry = entries[index];
        if (entry === undefined || entry.untilMicros <= micros) break;
        past.set(entry.target.name, entry);
      }
      return past;
    },
    check: (micros) => {
      const now = nowMicros();
      if (micros > now) {
        throw new RpcError(
          "INVALID_ARGUMENT",
          "The requested 'read_time' cannot be in the future.",
        );
      }
      if (micros < beginMicros || micros < now - ageMicrosMax) {
        throw new RpcError("FAILED_PRECONDITION", "The requested snapshot version is too old.");
      }
    },
  };
};
