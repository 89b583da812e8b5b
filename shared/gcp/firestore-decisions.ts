/** Decisions on Firestore: the state, the journal and the timers of one event change in one piece, or not at all. */
import type {
  DocumentData,
  DocumentReference,
  DocumentSnapshot,
  Firestore,
  WriteBatch,
} from "firebase-admin/firestore";
import type { ModelName } from "../../events/ids.js";
import type { ModelState } from "../domain/state.js";
import type { Commit } from "../ports/state.js";
import { lazily } from "./config.js";
import { asCloudError } from "./errors.js";
import {
  journalDocument,
  modelDocument,
  parseModel,
  recordDocument,
  timerDocument,
} from "./state-documents.js";
import { together } from "./together.js";

const attemptsMax = 8;
/** Far below Firestore's limits (500 documents, 10 MiB), so that what fails together costs little to send again. */
const writesPerCommitMax = 32;
const bytesPerCommitMax = 4_000_000;
const documentsPerReadMax = 64;
/** So many reads, and so many commits, of one process are under way; what comes meanwhile goes together into the next. */
const requestsMax = 2;

/** Where documents lie. */
export const refs = (firestore: Firestore) => ({
  model: (model: string) => firestore.doc(`models/${model}`),
  entry: (key: string) => firestore.doc(`journal/${key}`),
  timer: (model: string, kind: string) => firestore.doc(`due/${model}--${kind}`),
  run: (run: string) => firestore.doc(`runs/${run}`),
  rollout: (rollout: string) => firestore.doc(`rollouts/${rollout}`),
  alertCount: (id: string) => firestore.doc(`alertCounts/${id}`),
  deadLetter: (id: string) => firestore.doc(`deadLetters/${encodeURIComponent(id)}`),
});

/** One document's change. */
export type Change =
  | {
      readonly do: "create" | "set" | "update";
      readonly ref: DocumentReference;
      readonly to: DocumentData;
    }
  | { readonly do: "delete"; readonly ref: DocumentReference }
  /** Only if nobody changed the document since it was read. */
  | {
      readonly do: "replace";
      readonly ref: DocumentReference;
      readonly read: DocumentSnapshot;
      /** Null deletes it. */
      readonly to: DocumentData | null;
    };

const bytesOf = (change: Change): number =>
  Object.values(change.do === "delete" ? {} : (change.to ?? {})).reduce<number>(
    (sum, value) => sum + (typeof value === "string" ? value.length : 50),
    200,
  );

/** Everything that a commit changes besides the model's own state. */
const besides = (firestore: Firestore, key: string, commit: Commit, slots: number): Change[] => {
  const at = refs(firestore);
  return [
    { do: "create", ref: at.entry(key), to: journalDocument(commit.entry, slots) },
    ...commit.timers.map((timer): Change => {
      const ref = at.timer(timer.model, timer.kind);
      return timer.dueAtMs === null
        ? { do: "delete", ref }
        : { do: "set", ref, to: timerDocument(timer, slots) };
    }),
    ...commit.runs.map((run): Change => ({
      do: "set",
      ref: at.run(run.run),
      to: recordDocument(run),
    })),
    ...commit.rollouts.map((rollout): Change => ({
      do: "set",
      ref: at.rollout(rollout.rollout),
      to: recordDocument(rollout),
    })),
  ];
};

/** Decides inside a transaction, which keeps the model's document to itself while it does. */
const decideAlone = (
  firestore: Firestore,
  key: string,
  model: ModelName,
  decide: (state: ModelState | undefined) => Commit | null,
  slots: number,
): Promise<Commit | null> =>
  firestore.runTransaction(
    async (transaction) => {
      const ref = refs(firestore).model(model);
      const document = await transaction.get(ref);
      const commit = decide(document.exists ? parseModel(document.data()) : undefined);
      if (commit === null) return null;
      if (commit.state === null) transaction.delete(ref);
      else if (commit.state !== undefined) {
        transaction.set(ref, modelDocument(commit.state, slots));
      }
      for (const change of besides(firestore, key, commit, slots)) {
        if (change.do === "create") transaction.create(change.ref, change.to);
        else if (change.do === "set") transaction.set(change.ref, change.to);
        else transaction.delete(change.ref);
      }
      return commit;
    },
    { maxAttempts: attemptsMax },
  );

/** Firestore as decisions use it. */
export interface Decisions {
  /**
   * Decides on the model's state and commits; null when there was nothing to write. Throws what Firestore throws:
   * ALREADY_EXISTS when the journal holds the key.
   */
  readonly decide: (
    key: string,
    model: ModelName,
    decide: (state: ModelState | undefined) => Commit | null,
  ) => Promise<Commit | null>;
  /** Commits changes in one piece. */
  readonly commit: (changes: readonly Change[]) => Promise<void>;
  /** Takes an entry's mark that something is still to be done. */
  readonly markDone: (key: string) => Promise<void>;
}

/**
 * Decisions that share requests. The state is read outside a transaction and replaced only if it is still the one that
 * was read, as Firestore's clients for phones do: half the requests of a transaction, and those of several events go
 * together. Whoever loses, or fails, decides again in a transaction of its own, which waits instead of losing again.
 */
export const firestoreDecisions = (client: () => Promise<Firestore>, slots: number): Decisions => {
  const absence = lazily(async () =>
    (await import("firebase-admin/firestore")).FieldValue.delete(),
  );
  const read = together<string, DocumentSnapshot | undefined>(
    async (models) => {
      const firestore = await client();
      const at = refs(firestore);
      const distinct = [...new Set(models)];
      const documents = await firestore.getAll(...distinct.map((model) => at.model(model)));
      const found = new Map(distinct.map((model, index) => [model, documents[index]]));
      return (model) => found.get(model);
    },
    { itemsMax: documentsPerReadMax, requestsMax },
  );

  const add = (batch: WriteBatch, change: Change, absent: unknown): void => {
    switch (change.do) {
      case "create":
        batch.create(change.ref, change.to);
        return;
      case "set":
        batch.set(change.ref, change.to);
        return;
      case "update":
        batch.update(change.ref, change.to);
        return;
      case "delete":
        batch.delete(change.ref);
        return;
      case "replace": {
        const { ref, read: before, to } = change;
        if (before.updateTime === undefined) {
          batch.create(ref, to ?? {});
          return;
        }
        const unchanged = { lastUpdateTime: before.updateTime };
        if (to === null) {
          batch.delete(ref, unchanged);
          return;
        }
        // An update leaves the fields that it does not name, where a replacement has none of them.
        const gone = Object.keys(before.data() ?? {}).map((field) => [field, absent]);
        batch.update(ref, { ...Object.fromEntries(gone), ...to }, unchanged);
      }
    }
  };
  const commit = together<readonly Change[], void>(
    async (groups) => {
      const firestore = await client();
      const absent = await absence();
      const batch = firestore.batch();
      for (const change of groups.flat()) add(batch, change, absent);
      await batch.commit();
      return () => undefined;
    },
    {
      itemsMax: writesPerCommitMax,
      requestsMax,
      weigh: (changes) => changes.reduce((sum, change) => sum + bytesOf(change), 0),
      weightMax: bytesPerCommitMax,
    },
  );

  /** What the decision changes, where its state was read before; undefined where only a transaction will do. */
  const changesOf = (
    firestore: Firestore,
    key: string,
    decided: Commit,
    before: DocumentSnapshot,
  ): readonly Change[] | undefined => {
    const others = besides(firestore, key, decided, slots);
    const { state } = decided;
    // Without a new state nothing would tell that what else is written was decided on an old one.
    if (state === undefined) return others.length === 1 ? others : undefined;
    const { ref } = before;
    if (state === null && !before.exists) return others;
    const to = state === null ? null : modelDocument(state, slots);
    return [...others, { do: "replace", ref, read: before, to }];
  };

  return {
    commit,
    decide: async (key, model, decide) => {
      const firestore = await client();
      const before = await read(model);
      const decided = decide(before?.exists === true ? parseModel(before.data()) : undefined);
      if (decided === null) return null;
      const changes = before && changesOf(firestore, key, decided, before);
      if (changes !== undefined) {
        try {
          await commit(changes);
          return decided;
        } catch (error) {
          // The journal holds the event; where there was no model, another decision may have made one.
          if (asCloudError(error).status === "ALREADY_EXISTS" && before?.exists === true)
            throw error;
        }
      }
      return decideAlone(firestore, key, model, decide, slots);
    },
    markDone: async (key) => {
      const firestore = await client();
      const absent = await absence();
      await commit([
        { do: "update", ref: refs(firestore).entry(key), to: { pendingSlot: absent } },
      ]);
    },
  };
};
