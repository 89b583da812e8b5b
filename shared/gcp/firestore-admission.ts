/**
 * The Admission port on Firestore: a document per waiting submission and one ledger per region. On Google Cloud the
 * queries need the composite index submissions (accelerator, slot, enqueuedAtMs).
 */
import type { Firestore, Query } from "firebase-admin/firestore";
import { z } from "zod";
import { anyEvent, type ContinuoEvent } from "../../events/index.js";
import { modelName, runId } from "../../events/ids.js";
import { eventKey, shortHash } from "../domain/ids.js";
import type { Admission, AdmissionLedger, WaitingSubmission } from "../ports/admission.js";
import { lazily, type GcpConfig } from "./config.js";
import { asCloudError, attempting, translated } from "./errors.js";
import { firestoreClient } from "./firestore-client.js";
import { everything, slotOf, slotsDefault, slotsOf } from "./slots.js";
import { within } from "./within.js";

const callMsMax = 20_000;
/** Whoever loses against so many others queues instead. */
const attemptsMax = 3;
const keyLength = 32;

const waitingFields = z
  .object({
    run: runId,
    model: modelName,
    accelerator: z.string(),
    enqueuedAtMs: z.number(),
    event: z.string().transform((text): unknown => JSON.parse(text)),
  })
  .transform(({ accelerator, event, ...rest }): WaitingSubmission => ({
    ...rest,
    accelerator: accelerator === "" ? null : accelerator,
    event: anyEvent.parse(event),
  }));

const ledgerFields = z.object({
  admitted: z.array(z.object({ atMs: z.number(), count: z.number() })),
  closedUntilMs: z.number(),
  holders: z.record(z.string(), z.array(z.object({ model: modelName, run: runId }))),
});

const emptyLedger: AdmissionLedger = { admitted: [], closedUntilMs: 0, holders: {} };

const waitingDocument = ({ accelerator, event, ...rest }: WaitingSubmission, slots: number) => ({
  ...rest,
  accelerator: accelerator ?? "",
  event: JSON.stringify(event),
  slot: slotOf(rest.run, slots),
});

/** A document per event, since a run that is tried again asks anew while its first request may still be listed. */
const submission = (firestore: Firestore, event: ContinuoEvent) =>
  firestore.doc(`submissions/${shortHash(eventKey(event), keyLength)}`);

const read = (document: { readonly exists: boolean; readonly data: () => unknown }) =>
  document.exists ? ledgerFields.parse(document.data()) : emptyLedger;

const competing = (
  firestore: Firestore,
  accelerator: string | null,
  slots: number,
): readonly Query[] =>
  slotsOf(everything, slots).map((some) =>
    firestore
      .collection("submissions")
      .where("accelerator", "==", accelerator ?? "")
      .where("slot", "in", some),
  );

/** The Admission port. */
export const firestoreAdmission = (config: GcpConfig): Admission => {
  const slots = config.slots ?? slotsDefault;
  const client = lazily(() => firestoreClient(config));
  const using = <Result>(
    what: string,
    work: (firestore: Firestore) => Promise<Result>,
  ): Promise<Result> =>
    attempting(what, () =>
      within(
        callMsMax,
        what,
        client().then((firestore) => work(firestore)),
      ),
    );
  const ledgerOf = (firestore: Firestore) => firestore.doc(`admission/${config.region}`);
  return {
    enqueue: (waiting) =>
      using(`queue run ${waiting.run}`, async (firestore) => {
        try {
          await submission(firestore, waiting.event).create(waitingDocument(waiting, slots));
        } catch (error) {
          if (asCloudError(error).status !== "ALREADY_EXISTS") throw error;
        }
      }),
    waiting: ({ accelerator, limit }) =>
      using("find waiting submissions", async (firestore) => {
        const found = await Promise.all(
          competing(firestore, accelerator, slots).map((query) =>
            query.orderBy("enqueuedAtMs").limit(limit).get(),
          ),
        );
        return found
          .flatMap(({ docs }) => docs.map((document) => waitingFields.parse(document.data())))
          .toSorted((a, b) => a.enqueuedAtMs - b.enqueuedAtMs)
          .slice(0, limit);
      }),
    remove: (event) =>
      using(`take ${event.id} out of the queue`, async (firestore) => {
        await submission(firestore, event).delete();
      }),
    length: () =>
      using("count waiting submissions", async (firestore) => {
        const counted = await firestore.collection("submissions").count().get();
        return counted.data().count;
      }),
    place: (run) =>
      using(`find the place of run ${run}`, async (firestore) => {
        const { docs } = await firestore
          .collection("submissions")
          .where("run", "==", run)
          .limit(1)
          .get();
        const [document] = docs;
        if (document === undefined) return null;
        const { accelerator, enqueuedAtMs } = waitingFields.parse(document.data());
        const before = await Promise.all(
          competing(firestore, accelerator, slots).map((query) =>
            query.where("enqueuedAtMs", "<", enqueuedAtMs).count().get(),
          ),
        );
        return before.reduce((place, counted) => place + counted.data().count, 1);
      }),
    ledger: () =>
      using("read the admission ledger", async (firestore) =>
        read(await ledgerOf(firestore).get()),
      ),
    change: async (change) => {
      const what = "change the admission ledger";
      try {
        await within(
          callMsMax,
          what,
          client().then((firestore) =>
            firestore.runTransaction(
              async (transaction) => {
                const ledger = change(read(await transaction.get(ledgerOf(firestore))));
                if (ledger !== null) transaction.set(ledgerOf(firestore), ledger);
              },
              { maxAttempts: attemptsMax },
            ),
          ),
        );
      } catch (error) {
        throw translated(what, error, { isDecision: true });
      }
    },
  };
};
