/** Decisions on Firestore: the state, the journal and the timers of one event change in one piece, or not at all. */
import type { Firestore } from "firebase-admin/firestore";
import type { ModelName } from "../../events/ids.js";
import type { ModelState } from "../domain/state.js";
import type { Commit } from "../ports/state.js";
import { asCloudError } from "./errors.js";
import type { Change, Documents, Read } from "./firestore-documents.js";
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
const commitsTogetherMax = 32;
const bytesPerCommitMax = 4_000_000;
const documentsPerReadMax = 64;
/** So many reads, and so many commits, of one process are under way; what comes meanwhile goes together into the next. */
const requestsMax = 2;

/** Where documents lie. */
export const paths = {
  model: (model: string) => `models/${model}`,
  entry: (key: string) => `journal/${key}`,
  timer: (model: string, kind: string) => `due/${model}--${kind}`,
  run: (run: string) => `runs/${run}`,
  rollout: (rollout: string) => `rollouts/${rollout}`,
  alertCount: (id: string) => `alertCounts/${id}`,
  deadLetter: (id: string) => `deadLetters/${encodeURIComponent(id)}`,
} as const;

const bytesOf = (change: Change): number =>
  Object.values("to" in change ? (change.to ?? {}) : {}).reduce<number>(
    (sum, value) => sum + (typeof value === "string" ? value.length : 50),
    200,
  );

/** A change that asks nothing of its document but that it is new. */
type PlainChange = Extract<Change, { readonly do: "create" | "set" | "delete" }>;

/** Everything that a commit changes besides the model's own state. */
const besides = (key: string, commit: Commit, slots: number): readonly PlainChange[] => [
  { do: "create", path: paths.entry(key), to: journalDocument(commit.entry, slots) },
  ...commit.timers.map((timer): PlainChange => {
    const path = paths.timer(timer.model, timer.kind);
    return timer.dueAtMs === null
      ? { do: "delete", path }
      : { do: "set", path, to: timerDocument(timer, slots) };
  }),
  ...commit.runs.map((run): PlainChange => ({
    do: "set",
    path: paths.run(run.run),
    to: recordDocument(run),
  })),
  ...commit.rollouts.map((rollout): PlainChange => ({
    do: "set",
    path: paths.rollout(rollout.rollout),
    to: recordDocument(rollout),
  })),
];

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
      const ref = firestore.doc(paths.model(model));
      const document = await transaction.get(ref);
      const commit = decide(document.exists ? parseModel(document.data()) : undefined);
      if (commit === null) return null;
      if (commit.state === null) transaction.delete(ref);
      else if (commit.state !== undefined) {
        transaction.set(ref, modelDocument(commit.state, slots));
      }
      for (const change of besides(key, commit, slots)) {
        const at = firestore.doc(change.path);
        if (change.do === "create") transaction.create(at, change.to);
        else if (change.do === "set") transaction.set(at, change.to);
        else transaction.delete(at);
      }
      return commit;
    },
    { maxAttempts: attemptsMax },
  );

/** What the decision changes, where its state was read before; undefined where only a transaction will do. */
const changesOf = (
  key: string,
  model: ModelName,
  commit: Commit,
  read: Read | null,
  slots: number,
): readonly Change[] | undefined => {
  const others = besides(key, commit, slots);
  const { state } = commit;
  // Without a new state nothing would tell that what else is written was decided on an old one.
  if (state === undefined) return others.length === 1 ? others : undefined;
  if (state === null && read === null) return others;
  const to = state === null ? null : modelDocument(state, slots);
  return [...others, { do: "replace", path: paths.model(model), read, to }];
};

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
  /** Reads a document; null when it is not there. */
  readonly read: (path: string) => Promise<Read | null>;
}

/**
 * Decisions that share requests. The state is read outside a transaction and replaced only if it is still the one that
 * was read, as Firestore's clients for phones do: two requests where a transaction needs three, and those of several
 * events go together. Whoever loses, or fails, decides again in a transaction of its own, which waits instead of losing.
 */
export const firestoreDecisions = (
  documents: Documents,
  client: () => Promise<Firestore>,
  slots: number,
): Decisions => {
  const read = together<string, Read | null>(
    async (wanted) => {
      const found = await documents.read([...new Set(wanted)]);
      return (path) => found.get(path) ?? null;
    },
    { itemsMax: documentsPerReadMax, requestsMax },
  );
  const commit = together<readonly Change[], void>(
    async (groups) => {
      await documents.commit(groups.flat());
      return () => undefined;
    },
    {
      itemsMax: commitsTogetherMax,
      requestsMax,
      weigh: (changes) => changes.reduce((sum, change) => sum + bytesOf(change), 0),
      weightMax: bytesPerCommitMax,
      // Firestore does not say whether a precondition sees the writes before it in the same commit.
      touches: (changes) => changes.map(({ path }) => path),
    },
  );

  return {
    commit,
    read,
    decide: async (key, model, decide) => {
      const before = await read(paths.model(model));
      const decided = decide(before === null ? undefined : parseModel(before.fields));
      if (decided === null) return null;
      const changes = changesOf(key, model, decided, before, slots);
      if (changes !== undefined) {
        try {
          await commit(changes);
          return decided;
        } catch (error) {
          // The journal holds the event; where there was no model, another decision may have made one.
          if (asCloudError(error).status === "ALREADY_EXISTS" && before !== null) throw error;
        }
      }
      return decideAlone(await client(), key, model, decide, slots);
    },
  };
};
