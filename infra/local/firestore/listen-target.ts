/** One target of a listener: what it knows of the documents, and what changed since it last said so. */
import { RpcError, statusCode } from "../protocol/service.js";
import { documentReply, type DocumentReply, type StoredDocument } from "./documents.js";
import type { Engine } from "./engine.js";
import { readDocumentName, type DocumentName } from "./names.js";
import { isAfterStart, isBeforeEnd, matchOf } from "./query-evaluate.js";
import { readQuery, type Query } from "./query-model.js";
import { isInScope, resultDocument, runQuery } from "./query-run.js";
import { pathKey } from "./names.js";
import { microsOf, timestampOf, type Timestamp } from "./values.js";
import type { WireQuery, WireTimestamp } from "./wire.js";

/** google.firestore.v1.Target. */
export interface WireTarget {
  readonly query?: { readonly parent?: string; readonly structuredQuery?: WireQuery };
  readonly documents?: { readonly documents?: readonly string[] };
  readonly resumeToken?: Buffer;
  readonly readTime?: WireTimestamp;
  readonly targetId?: number;
  readonly once?: boolean;
}

/** google.firestore.v1.ListenResponse. */
export interface ListenReply {
  readonly targetChange?: {
    readonly targetChangeType: "NO_CHANGE" | "ADD" | "REMOVE" | "CURRENT" | "RESET";
    readonly targetIds?: readonly number[];
    readonly cause?: { readonly code: number; readonly message: string };
    readonly resumeToken?: Buffer;
    readonly readTime?: Timestamp;
  };
  readonly documentChange?: {
    readonly document: DocumentReply;
    readonly targetIds: readonly number[];
  };
  readonly documentDelete?: Removal;
  readonly documentRemove?: Removal;
}

interface Removal {
  readonly document: string;
  readonly removedTargetIds: readonly number[];
  readonly readTime: Timestamp;
}

/** A target of a live listener. */
export interface ListenTarget {
  readonly id: number;
  readonly once: boolean;
  /** What is sent when the target is added, up to and including CURRENT. */
  readonly begin: () => readonly ListenReply[];
  /** Notes a document that changed. */
  readonly note: (target: DocumentName) => void;
  /** What changed in the target since it was last asked. */
  readonly changes: () => readonly ListenReply[];
}

/** What a target looks at: documents by name or the results of a query. */
interface View {
  readonly all: (past?: ReturnType<Engine["history"]["since"]>) => readonly StoredDocument[];
  readonly includes: (target: DocumentName) => boolean;
  /** The document as the view shows it; undefined when it is not in it; only for views that can look at one alone. */
  readonly one: ((target: DocumentName, document: StoredDocument) => boolean) | undefined;
  readonly reply: (document: StoredDocument) => DocumentReply;
}

/** A resume token is the time up to which everything was sent. */
export const tokenOf = (micros: number): Buffer => Buffer.from(String(micros), "utf8");

const resumeMicros = (wire: WireTarget): number | undefined => {
  if (wire.readTime !== undefined) return microsOf(wire.readTime);
  const token = wire.resumeToken?.toString("utf8") ?? "";
  return /^\d+$/.test(token) ? Number(token) : undefined;
};

const documentsView = (engine: Engine, names: readonly string[], database: string): View => {
  const targets = names.map((name) => readDocumentName(name, database));
  const wanted = new Set(names);
  return {
    all: (past) =>
      targets.flatMap((target) => {
        const version = past?.get(target.name);
        return (version === undefined ? engine.store.get(target) : version.document) ?? [];
      }),
    includes: ({ name }) => wanted.has(name),
    one: () => true,
    reply: (document) => documentReply(document, undefined),
  };
};

const isResult = (query: Query, target: DocumentName, document: StoredDocument): boolean => {
  const match = matchOf(query, { key: pathKey(target.database, target.segments), document });
  return match !== undefined && isAfterStart(query, match) && isBeforeEnd(query, match);
};

const queryView = (engine: Engine, query: Query): View => ({
  all: (past) => runQuery(engine.store, query, past).rows.map(({ document }) => document),
  includes: ({ database, segments }) => isInScope(query, database, segments),
  // Where only so many results are shown, one document's change can show or hide another.
  one:
    query.limit === undefined && query.offset === 0
      ? (target, document) => isResult(query, target, document)
      : undefined,
  reply: (document) => resultDocument(query, { key: "", document }),
});

const viewOf = (engine: Engine, wire: WireTarget, database: string): View => {
  if (wire.query !== undefined) {
    return queryView(engine, readQuery(wire.query.parent, wire.query.structuredQuery ?? {}));
  }
  if (wire.documents !== undefined)
    return documentsView(engine, wire.documents.documents ?? [], database);
  throw new RpcError("INVALID_ARGUMENT", "A target needs a query or documents.");
};

/** The reply that a target ended, and why. */
export const removedReply = (id: number, error?: RpcError): ListenReply => ({
  targetChange: {
    targetChangeType: "REMOVE",
    targetIds: [id],
    ...(error === undefined
      ? {}
      : { cause: { code: statusCode[error.status], message: error.message } }),
  },
});

/** Opens a target; throws what the service answers for one that cannot be. */
export const openTarget = (
  engine: Engine,
  wire: WireTarget,
  id: number,
  database: string,
): ListenTarget => {
  const view = viewOf(engine, wire, database);
  const targetIds = [id];
  const known = new Map<string, number>();
  const noted = new Map<string, DocumentName>();
  const now = (): Timestamp => timestampOf(engine.clock.now());

  const show = (document: StoredDocument): ListenReply => {
    known.set(document.name, document.updatedMicros);
    return { documentChange: { document: view.reply(document), targetIds } };
  };
  const hide = (name: string): ListenReply => {
    known.delete(name);
    const removal = { document: name, removedTargetIds: targetIds, readTime: now() };
    const exists = engine.store.get(readDocumentName(name)) !== undefined;
    return exists ? { documentRemove: removal } : { documentDelete: removal };
  };
  /** The difference between what is known and what is. */
  const difference = (documents: readonly StoredDocument[]): readonly ListenReply[] => {
    const present = new Set(documents.map(({ name }) => name));
    const gone = [...known.keys()].filter((name) => !present.has(name)).map(hide);
    const changed = documents.filter(
      ({ name, updatedMicros }) => known.get(name) !== updatedMicros,
    );
    return [...gone, ...changed.map(show)];
  };
  const noteChange = (target: DocumentName): readonly ListenReply[] => {
    const document = engine.store.get(target);
    const isShown = document !== undefined && view.one?.(target, document) === true;
    if (!isShown) return known.has(target.name) ? [hide(target.name)] : [];
    return known.get(target.name) === document.updatedMicros ? [] : [show(document)];
  };
  /** What the client knew when it was cut off; undefined when that is no longer known here. */
  const resume = (): boolean => {
    const micros = resumeMicros(wire);
    if (micros === undefined) return false;
    try {
      engine.history.check(micros);
    } catch {
      return false;
    }
    for (const document of view.all(engine.history.since(micros)))
      known.set(document.name, document.updatedMicros);
    return true;
  };

  return {
    id,
    once: wire.once === true,
    begin: () => {
      const isResumed = resume();
      const mustReset = !isResumed && resumeMicros(wire) !== undefined;
      const missing = (wire.documents?.documents ?? []).filter(
        (name) => engine.store.get(readDocumentName(name)) === undefined && !known.has(name),
      );
      return [
        { targetChange: { targetChangeType: "ADD", targetIds } },
        ...(mustReset ? [{ targetChange: { targetChangeType: "RESET" as const, targetIds } }] : []),
        ...difference(view.all()),
        ...missing.map(hide),
        {
          targetChange: {
            targetChangeType: "CURRENT",
            targetIds,
            readTime: now(),
            resumeToken: tokenOf(engine.clock.now()),
          },
        },
      ];
    },
    note: (target) => {
      if (view.includes(target)) noted.set(target.name, target);
    },
    changes: () => {
      if (noted.size === 0) return [];
      const targets = [...noted.values()];
      noted.clear();
      return view.one === undefined ? difference(view.all()) : targets.flatMap(noteChange);
    },
  };
};
