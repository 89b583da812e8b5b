/**
 * The Leases port on Firestore: a document per name that is never removed, so that its epoch only rises. How long a lease
 * has been held is the time between the document's last change and its read, both by Firestore's own clock.
 */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { sendWithinMs, type Lease, type Leases } from "../ports/leases.js";
import { lazily, type GcpConfig } from "./config.js";
import { translated } from "./errors.js";
import { firestoreClient } from "./firestore-client.js";
import { within } from "./within.js";

const callMsMax = 20_000;

const leaseFields = z.object({
  epoch: z.int(),
  /** Empty when nobody holds it. */
  holder: z.string(),
  written: z.string().nullable(),
});

const unheld: z.infer<typeof leaseFields> = { epoch: 0, holder: "", written: null };

/** The Leases port. */
export const firestoreLeases = (config: GcpConfig): Leases => {
  const client = lazily(() => firestoreClient(config));
  const using = async <Result>(
    what: string,
    work: (firestore: Awaited<ReturnType<typeof firestoreClient>>) => Promise<Result>,
  ): Promise<Result> => {
    try {
      return await within(
        callMsMax,
        what,
        client().then((firestore) => work(firestore)),
      );
    } catch (error) {
      throw translated(what, error, { isDecision: true });
    }
  };
  return {
    acquire: (name, lastsMs) =>
      using(`take lease ${name}`, async (firestore) => {
        const startedAt = performance.now();
        const holder = randomUUID();
        const ref = firestore.doc(`leases/${name}`);
        let mine: Pick<Lease, "epoch" | "written"> | null = null;
        const taken = await firestore.runTransaction(async (transaction) => {
          const document = await transaction.get(ref);
          const before = document.exists ? leaseFields.parse(document.data()) : unheld;
          // Tried again although the first commit had reached the store: it is ours.
          if (before.holder === holder) return mine;
          const changedAtMs = document.updateTime?.toMillis() ?? 0;
          if (before.holder !== "" && document.readTime.toMillis() - changedAtMs < lastsMs) {
            return null;
          }
          const epoch = before.epoch + 1;
          transaction.set(ref, { epoch, holder, written: null });
          // Whoever never gave it back may have written or not.
          mine = { epoch, written: before.holder === "" ? before.written : null };
          return mine;
        });
        return taken === null
          ? null
          : {
              name,
              ...taken,
              isCurrent: () => performance.now() - startedAt < sendWithinMs(lastsMs),
            };
      }),
    release: ({ name, epoch }, written) =>
      using(`give back lease ${name}`, async (firestore) => {
        const ref = firestore.doc(`leases/${name}`);
        await firestore.runTransaction(async (transaction) => {
          const document = await transaction.get(ref);
          const isOurs = document.exists && leaseFields.parse(document.data()).epoch === epoch;
          if (isOurs) transaction.set(ref, { epoch, holder: "", written });
        });
      }),
  };
};
