/** The State port on Firestore: one transaction per decision, one document per event, timers as documents. */
import type { Firestore, Query } from "firebase-admin/firestore";
import type { ModelName } from "../../events/ids.js";
import type { ModelState } from "../domain/state.js";
import type { Head } from "../ports/anchors.js";
import type { ModelQuery, Partition, State } from "../ports/state.js";
import { lazily, type GcpConfig } from "./config.js";
import { asCloudError, attempting, translated } from "./errors.js";
import { firestoreClient } from "./firestore-client.js";
import { firestoreDecisions, paths } from "./firestore-decisions.js";
import { firestoreDocuments } from "./firestore-documents.js";
import { inTurn } from "./in-turn.js";
import {
  alertCountDocument,
  deadLetterDocument,
  journalDocument,
  parseAlertCount,
  parseDeadLetter,
  parseEntry,
  parseModel,
  parseRollout,
  parseRun,
  parseTimer,
} from "./state-documents.js";
import { restClient } from "./rest.js";
import { everything, slotsDefault, slotsOf } from "./slots.js";
import { within } from "./within.js";

/** Well below the functions' ack deadline, so that a message is given back while somebody still listens. */
const decisionMsMax = 45_000;
const callMsMax = 20_000;
const recentKeysMax = 2000;
/** Firestore takes at most 30 values in one `array-contains-any`. */
const keysPerQueryMax = 30;

const chunks = <Value>(values: readonly Value[], size: number): Value[][] =>
  Array.from({ length: Math.ceil(values.length / size) }, (_, index) =>
    values.slice(index * size, (index + 1) * size),
  );

const modelQueries = (firestore: Firestore, query: ModelQuery): readonly Query[] => {
  const models = firestore.collection("models");
  switch (query.by) {
    case "dataset":
      return chunks([...new Set(query.keys)], keysPerQueryMax).map((keys) =>
        models.where("datasetKeys", "array-contains-any", keys),
      );
    case "deployed-model":
      return [models.where("deployedModelIds", "array-contains", query.id)];
    case "endpoint":
      return [models.where("endpoints", "array-contains", query.endpoint)];
    case "all":
      return [models];
  }
};

/** The next models by name. */
const byName = (
  query: Query,
  firestore: Firestore,
  after: ModelName | null,
  limit: number,
): Query => {
  const named = query.orderBy("__name__").limit(limit);
  return after === null ? named : named.startAfter(firestore.doc(`models/${after}`));
};

/** The next models by name of those that have a slot: only what is open, or changed, has one. */
const modelsBySlot = (
  firestore: Firestore,
  field: "openSlot" | "unanchoredSlot",
  partition: Partition,
  slots: number,
  after: ModelName | null,
  limit: number,
): readonly Query[] =>
  slotsOf(partition, slots).map((some) =>
    byName(firestore.collection("models").where(field, "in", some), firestore, after, limit),
  );

const headOf = ({ model, sequence, head }: ModelState): Head => ({ model, sequence, hash: head });

const endedRecords =
  (
    collection: "runs" | "rollouts",
    { model, limit }: { readonly model?: ModelName; readonly limit: number },
  ) =>
  (firestore: Firestore): readonly Query[] => {
    const records = firestore.collection(collection);
    const those = model === undefined ? records : records.where("model", "==", model);
    return [those.orderBy("endedAtMs", "desc").limit(limit)];
  };

const uniqueByModel = (states: readonly ModelState[]): ModelState[] => [
  ...new Map(states.map((state) => [state.model, state])).values(),
];

/** The first of several sorted lists' items, sorted. */
const firstOf = <Item>(
  items: readonly Item[],
  rank: (item: Item) => number | string,
  limit: number,
) => items.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)).slice(0, limit);

/**
 * Keys that this process has journalled: most duplicates follow their first one closely, and a commit that is sure to be
 * refused would take others along.
 */
const recentKeys = () => {
  let keys = new Set<string>();
  let older = new Set<string>();
  return {
    has: (key: string): boolean => keys.has(key) || older.has(key),
    add: (key: string): void => {
      if (keys.size >= recentKeysMax) [older, keys] = [keys, new Set()];
      keys.add(key);
    },
  };
};

/** Limits how long the caller waits, and translates what is thrown. */
const limited = <Result>(what: string, work: () => Promise<Result>): Promise<Result> =>
  attempting(what, () => within(callMsMax, what, work()));

/** The State port. */
export const firestoreState = (config: GcpConfig): State => {
  const slots = config.slots ?? slotsDefault;
  const client = lazily(() => firestoreClient(config));
  const turn = inTurn();
  const recent = recentKeys();
  const decisions = firestoreDecisions(
    firestoreDocuments(config, restClient(config)),
    client,
    slots,
  );

  /** The same, by the official client. */
  const using = <Result>(
    what: string,
    work: (firestore: Firestore) => Promise<Result>,
  ): Promise<Result> => limited(what, async () => work(await client()));

  const read = <Value>(
    what: string,
    path: string,
    parse: (document: unknown) => Value,
  ): Promise<Value | null> =>
    limited(what, async () => {
      const document = await decisions.read(path);
      return document === null ? null : parse(document.fields);
    });

  const find = <Value>(
    what: string,
    queries: (firestore: Firestore) => readonly Query[],
    parse: (document: unknown) => Value,
  ): Promise<readonly Value[]> =>
    using(what, async (firestore) => {
      const snapshots = await Promise.all(queries(firestore).map((query) => query.get()));
      return snapshots.flatMap(({ docs }) => docs.map((document) => parse(document.data())));
    });

  const state: State = {
    transact: (key, model, decide) =>
      turn(model, async () => {
        const what = `decide event ${key} for model ${model}`;
        const known = recent.has(key) ? await state.entry(key) : null;
        if (known !== null) return { outcome: "duplicate", entry: known };
        try {
          const commit = await within(decisionMsMax, what, decisions.decide(key, model, decide));
          if (commit === null) return { outcome: "nothing" };
          recent.add(key);
          return { outcome: "committed", commit };
        } catch (error) {
          // The journal holds the key: another delivery was first, or our own commit whose reply was lost.
          const entry =
            asCloudError(error).status === "ALREADY_EXISTS" ? await state.entry(key) : null;
          if (entry !== null) return { outcome: "duplicate", entry };
          throw translated(what, error, { isDecision: true });
        }
      }),
    record: (entry) =>
      limited(`journal event ${entry.key}`, async () => {
        try {
          const path = paths.entry(entry.key);
          await decisions.commit([{ do: "create", path, to: journalDocument(entry, slots) }]);
        } catch (error) {
          if (asCloudError(error).status !== "ALREADY_EXISTS") throw error;
        }
      }),
    markDone: (key) =>
      limited(`mark event ${key} as done`, async () => {
        try {
          const path = paths.entry(key);
          await decisions.commit([{ do: "drop-field", path, field: "pendingSlot" }]);
        } catch (error) {
          // An entry that has expired is pending no more.
          if (asCloudError(error).status !== "NOT_FOUND") throw error;
        }
      }),
    entry: (key) => read(`read event ${key}`, paths.entry(key), parseEntry),
    pendingEntries: async ({ partition, beforeMs, limit }) =>
      firstOf(
        await find(
          "find events with pending effects",
          (firestore) =>
            slotsOf(partition, slots).map((those) =>
              firestore
                .collection("journal")
                .where("pendingSlot", "in", those)
                .where("receivedAtMs", "<", beforeMs)
                .orderBy("receivedAtMs")
                .limit(limit),
            ),
          parseEntry,
        ),
        ({ receivedAtMs }) => receivedAtMs,
        limit,
      ),
    timeline: async ({ model, correlationId, afterMs, untilMs, limit }) =>
      firstOf(
        await find(
          "read the timeline",
          (firestore) => {
            const journal = firestore.collection("journal");
            const ofChain =
              correlationId === undefined
                ? undefined
                : journal.where("correlationId", "==", correlationId);
            const ofModel =
              model === undefined ? undefined : (ofChain ?? journal).where("model", "==", model);
            const those = ofModel ?? ofChain;
            const all =
              those === undefined
                ? slotsOf(everything, slots).map((some) => journal.where("slot", "in", some))
                : [those];
            const span = [
              ...(afterMs === undefined ? [] : [[">", afterMs] as const]),
              ...(untilMs === undefined ? [] : [["<=", untilMs] as const]),
            ];
            return all.map((query) =>
              span
                .reduce((one, [relation, ms]) => one.where("receivedAtMs", relation, ms), query)
                .orderBy("receivedAtMs", "desc")
                .limit(limit),
            );
          },
          parseEntry,
        ),
        ({ receivedAtMs }) => -receivedAtMs,
        limit,
      ),
    chain: ({ model, afterSequence, limit }) =>
      find(
        `read the chain of model ${model}`,
        (firestore) => [
          firestore
            .collection("journal")
            .where("model", "==", model)
            .where("sequence", ">", afterSequence)
            .orderBy("sequence")
            .limit(limit),
        ],
        parseEntry,
      ),
    unanchored: async ({ after, limit }) => {
      const changed = await find(
        "find heads to anchor",
        (firestore) => modelsBySlot(firestore, "unanchoredSlot", everything, slots, after, limit),
        parseModel,
      );
      return firstOf(changed, ({ model }) => model, limit).map(headOf);
    },
    markAnchored: (head) =>
      using(`mark head ${head.sequence} of model ${head.model} as anchored`, async (firestore) => {
        const { FieldValue } = await import("firebase-admin/firestore");
        const ref = firestore.doc(paths.model(head.model));
        await firestore.runTransaction(async (transaction) => {
          const document = await transaction.get(ref);
          if (!document.exists || parseModel(document.data()).head !== head.hash) return;
          transaction.update(ref, { unanchoredSlot: FieldValue.delete() });
        });
      }),
    model: (model) => read(`read model ${model}`, paths.model(model), parseModel),
    models: async (query) =>
      uniqueByModel(
        await find(
          `find models by ${query.by}`,
          (firestore) => modelQueries(firestore, query),
          parseModel,
        ),
      ),
    modelPage: async ({ openIn, after, limit }) =>
      firstOf(
        await find(
          "list models",
          (firestore) =>
            openIn === undefined
              ? [byName(firestore.collection("models"), firestore, after, limit)]
              : modelsBySlot(firestore, "openSlot", openIn, slots, after, limit),
          parseModel,
        ),
        ({ model }) => model,
        limit,
      ),
    dueTimers: async ({ partition, nowMs, limit }) =>
      firstOf(
        await find(
          "find due timers",
          (firestore) =>
            slotsOf(partition, slots).map((those) =>
              firestore
                .collection("due")
                .where("slot", "in", those)
                .where("dueAtMs", "<=", nowMs)
                .orderBy("dueAtMs")
                .limit(limit),
            ),
          parseTimer,
        ),
        ({ dueAtMs }) => dueAtMs,
        limit,
      ),
    run: (run) => read(`read run ${run}`, paths.run(run), parseRun),
    runs: (query) => find("list runs", endedRecords("runs", query), parseRun),
    rollout: (rollout) => read(`read rollout ${rollout}`, paths.rollout(rollout), parseRollout),
    rollouts: (query) => find("list rollouts", endedRecords("rollouts", query), parseRollout),
    countAlerts: (count) =>
      using(`store alert count ${count.id}`, async (firestore) => {
        await firestore.doc(paths.alertCount(count.id)).set(alertCountDocument(count));
      }),
    alertCounts: (run) =>
      find(
        `count the alerts of run ${run}`,
        (firestore) => [firestore.collection("alertCounts").where("run", "==", run).limit(500)],
        parseAlertCount,
      ),
    addDeadLetter: (letter) =>
      using(`store dead letter ${letter.id}`, async (firestore) => {
        try {
          await firestore.doc(paths.deadLetter(letter.id)).create(deadLetterDocument(letter));
        } catch (error) {
          // The same letter delivered again must not lose the mark that it was redriven.
          if (asCloudError(error).status !== "ALREADY_EXISTS") throw error;
        }
      }),
    deadLetters: (limit) =>
      find(
        "list dead letters",
        (firestore) => [
          firestore.collection("deadLetters").orderBy("receivedAtMs", "desc").limit(limit),
        ],
        parseDeadLetter,
      ),
    deadLetter: (id) => read(`read dead letter ${id}`, paths.deadLetter(id), parseDeadLetter),
    markRedriven: (id, atMs) =>
      using(`mark dead letter ${id} as redriven`, async (firestore) => {
        await firestore.doc(paths.deadLetter(id)).update({ redrivenAtMs: atMs });
      }),
  };
  return state;
};
