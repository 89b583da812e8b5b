/**
 * Whether a model's journal is what was written: its records form a chain of hashes that ends at the model's head and
 * passes through every head that was anchored where nobody can change it. The hashes alone show a record that was
 * changed; the anchors show a chain that was made anew.
 */
import type { ContinuoEvent } from "../../events/index.js";
import type { Decision } from "./decision.js";
import { linkHash, type ChainLink } from "./evolve.js";

/** A journal entry that changed a model's state. */
export interface ChainRecord {
  readonly event: ContinuoEvent;
  readonly receivedAtMs: number;
  readonly decisions: readonly { readonly decision: Decision }[];
  readonly chain: ChainLink;
}

/** The end of a chain: how many changes there were, and the hash of the last. */
export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
}

/** A head as it was once, kept where it cannot be changed. */
export interface AnchoredHead extends ChainHead {
  readonly anchoredAtMs: number;
}

/** Something that is not as it was written. */
export interface ChainProblem {
  readonly kind: "tampered" | "reordered" | "missing" | "truncated" | "rewritten" | "stray";
  readonly sequence: number;
  /** The event of the record, or of the one that shows it. */
  readonly event: string | null;
  readonly what: string;
}

/** What a walk along the chain found. */
export interface ChainReport {
  readonly problems: readonly ChainProblem[];
  /** Records that are in their place. */
  readonly records: number;
  /** The oldest record that is still kept; null without one. */
  readonly since: number | null;
  readonly head: ChainHead | null;
  /** Anchored heads that the chain passes through. */
  readonly anchors: number;
  /** Anchored heads whose records have expired. */
  readonly expired: number;
}

/** All that is known of one model's chain. */
export interface ChainEvidence {
  readonly records: readonly ChainRecord[];
  /** The head in the model's state; null for a model that was forgotten. */
  readonly head: ChainHead | null;
  readonly anchors: readonly AnchoredHead[];
  readonly nowMs: number;
}

/**
 * A record that is older may have expired: the journal keeps 30 days. The two days between are for heads that were
 * anchored late.
 */
const keptMs = 28 * 24 * 60 * 60 * 1000;

/** Of more changed records than this nobody needs to know which of them were exchanged. */
const exchangedMax = 50;

const factOf = ({ event, receivedAtMs, decisions }: ChainRecord) => ({
  event,
  receivedAtMs,
  decisions: decisions.map(({ decision }) => decision),
});

const placeOf = ({ sequence, hash }: ChainHead): string => `${sequence}/${hash}`;

/** Records that do not give the hash that they carry; with the place of another, they were exchanged. */
const changedRecords = (records: readonly ChainRecord[]): readonly ChainProblem[] => {
  const changed = records.filter(
    (record) => linkHash(record.chain, factOf(record)) !== record.chain.hash,
  );
  return changed.map((record) => {
    const { sequence } = record.chain;
    const fact = factOf(record);
    const own =
      changed.length > exchangedMax
        ? undefined
        : changed.find(({ chain }) => linkHash(chain, fact) === chain.hash);
    return own === undefined
      ? {
          kind: "tampered",
          sequence,
          event: record.event.id,
          what: `record ${sequence} was changed after it was written: its content does not give its hash`,
        }
      : {
          kind: "reordered",
          sequence,
          event: record.event.id,
          what: `record ${sequence} was written as record ${own.chain.sequence}`,
        };
  });
};

const isForgetting = ({ decisions }: ChainRecord): boolean =>
  decisions.some(({ decision }) => decision.do === "forget-model");

/** What a walk has seen so far. */
interface Walk {
  readonly byPlace: ReadonlyMap<string, ChainRecord>;
  readonly unseen: Set<ChainRecord>;
  readonly seen: Set<string>;
  readonly problems: ChainProblem[];
}

/** The record that should be at a place, or else the one that took it, or else the nearest older one. */
const nearest = ({ byPlace, unseen }: Walk, place: ChainHead): ChainRecord | undefined => {
  const right = byPlace.get(placeOf(place));
  if (right !== undefined && unseen.has(right)) return right;
  return [...unseen]
    .filter(({ chain }) => chain.sequence <= place.sequence)
    .toSorted((a, b) => b.chain.sequence - a.chain.sequence || b.receivedAtMs - a.receivedAtMs)[0];
};

/** Whether nothing can be expected to be left of a place whose successor is known, and of those before it. */
const mayHaveExpired = (
  place: ChainHead,
  after: ChainRecord | undefined,
  { anchors, nowMs }: ChainEvidence,
): boolean => {
  const anchor = anchors.find((one) => placeOf(one) === placeOf(place));
  // A head that nobody anchored had a successor within the hour.
  const lastSeenMs = anchor?.anchoredAtMs ?? after?.receivedAtMs ?? nowMs;
  return lastSeenMs < nowMs - keptMs;
};

const gap = (last: number, first: number): string =>
  first === last ? `record ${last} is` : `records ${first} to ${last} are`;

/** Walks back from an end of the chain, and notes what is not as it should be. */
const walkBack = (end: ChainHead, evidence: ChainEvidence, walk: Walk): void => {
  let place = end;
  let after: ChainRecord | undefined;
  while (place.sequence > 0) {
    const found = nearest(walk, place);
    const isHere = found?.chain.sequence === place.sequence;
    if (!isHere && !mayHaveExpired(place, after, evidence)) {
      const missing = gap(place.sequence, (found?.chain.sequence ?? 0) + 1);
      walk.problems.push({
        kind: after === undefined ? "truncated" : "missing",
        sequence: place.sequence,
        event: (after ?? found)?.event.id ?? null,
        what:
          after === undefined
            ? `${missing} missing at the end: the head is ${end.sequence}, the newest record is ${found === undefined ? "gone" : `event ${found.event.id}`}`
            : `${missing} missing before event ${after.event.id}`,
      });
    }
    if (found === undefined) return;
    if (isHere && found.chain.hash !== place.hash) {
      walk.problems.push({
        kind: "rewritten",
        sequence: place.sequence,
        event: found.event.id,
        what: `record ${place.sequence} has hash ${found.chain.hash.slice(0, 12)}, but ${after === undefined ? "the head" : `event ${after.event.id} after it`} names ${place.hash.slice(0, 12)}`,
      });
    }
    walk.unseen.delete(found);
    walk.seen.add(placeOf(found.chain));
    after = found;
    place = { sequence: found.chain.sequence - 1, hash: found.chain.previous };
  }
  if (place.hash !== "") {
    walk.problems.push({
      kind: "missing",
      sequence: 0,
      event: after?.event.id ?? null,
      what: `event ${after?.event.id ?? "unknown"} is record 1 and yet names one before it`,
    });
  }
};

/** Anchored heads that the chain does not pass through, although their records cannot have expired. */
const missedAnchors = (
  { anchors, records, head, nowMs }: ChainEvidence,
  { seen }: Walk,
): readonly ChainProblem[] => {
  const end = records.reduce(
    (last, { chain }) => Math.max(last, chain.sequence),
    head?.sequence ?? 0,
  );
  return anchors
    .filter((anchor) => !seen.has(placeOf(anchor)) && anchor.anchoredAtMs >= nowMs - keptMs)
    .map((anchor) => {
      const { sequence, hash, anchoredAtMs } = anchor;
      const taken = records.find(({ chain }) => chain.sequence === sequence);
      const at = `head ${sequence} (${hash.slice(0, 12)}), anchored at ${new Date(anchoredAtMs).toISOString()}`;
      if (taken !== undefined) {
        const what = `the chain does not pass through ${at}: it has event ${taken.event.id} there`;
        return { kind: "rewritten", sequence, event: taken.event.id, what };
      }
      const isCut = sequence > end;
      return {
        kind: isCut ? "truncated" : "missing",
        sequence,
        event: null,
        what: `the record of ${at}, is gone${isCut ? `: the chain ends at ${end}` : ""}`,
      };
    });
};

/** Walks a model's chain from its end, or its ends when the model was forgotten and applied anew. */
export const verifyChain = (evidence: ChainEvidence): ChainReport => {
  const { records, head, anchors } = evidence;
  const walk: Walk = {
    byPlace: new Map(records.map((record) => [placeOf(record.chain), record])),
    unseen: new Set(records),
    seen: new Set(),
    problems: [],
  };
  if (head !== null && head.sequence > 0) walkBack(head, evidence, walk);
  const lives = records.filter(isForgetting).toSorted((a, b) => b.receivedAtMs - a.receivedAtMs);
  for (const last of lives) {
    if (walk.unseen.has(last)) walkBack(last.chain, evidence, walk);
  }
  const strays = [...walk.unseen].map((record): ChainProblem => ({
    kind: "stray",
    sequence: record.chain.sequence,
    event: record.event.id,
    what: `record ${record.chain.sequence} belongs to no chain that ends at the model's head`,
  }));
  const missed = missedAnchors(evidence, walk);
  const passed = anchors.filter((anchor) => walk.seen.has(placeOf(anchor))).length;
  return {
    problems: [...changedRecords(records), ...walk.problems, ...strays, ...missed],
    records: records.length - strays.length,
    since: records.reduce<number | null>(
      (oldest, { chain }) => Math.min(oldest ?? chain.sequence, chain.sequence),
      null,
    ),
    head,
    anchors: passed,
    expired: anchors.length - passed - missed.length,
  };
};
