/** Cloud Firestore of the local cloud: google.firestore.v1.Firestore over gRPC and REST, durable in SQLite. */
import type { CloudContext, CloudProduct } from "../cloud.js";
import { fieldAdmin } from "./admin.js";
import { openEngine } from "./engine.js";
import { openExpiryPolicies, sweepExpired } from "./expiry.js";
import { documentListens } from "./listen.js";
import { documentLists } from "./list-documents.js";
import { queryPartitions } from "./partition.js";
import { documentReads } from "./read-documents.js";
import { queryReads } from "./read-queries.js";
import { documentWrites } from "./write-documents.js";
import { documentStreams } from "./write-stream.js";

const sweepMs = 2_000;

/** Makes Firestore of the local cloud; its tables are `firestore_...` in the cloud's database. */
export const firestoreProduct = (context: CloudContext): CloudProduct => {
  const engine = openEngine(context);
  const policies = openExpiryPolicies(context.db);
  const parts = [
    documentReads,
    documentLists,
    documentWrites,
    documentStreams,
    documentListens,
    queryReads,
    queryPartitions,
  ].map((part) => part(engine));
  let sweeper: ReturnType<typeof setInterval> | undefined;
  let sweeping: Promise<void> | undefined;
  /** Ends transactions that were left alone, and deletes documents whose time is over. */
  const sweep = (): void => {
    engine.transactions.sweep();
    if (policies.all().length === 0) return;
    sweeping ??= sweepExpired(engine, policies, context.now() * 1000)
      .then(
        () => undefined,
        (error: unknown) => {
          context.log(
            `firestore cannot delete what is over: ${error instanceof Error ? error.message : String(error)}`,
          );
        },
      )
      .finally(() => {
        sweeping = undefined;
      });
  };
  return {
    services: [
      {
        service: "google.firestore.v1.Firestore",
        unary: Object.assign({}, ...parts.map(({ unary }) => unary)),
        serverStream: Object.assign({}, ...parts.map(({ serverStream }) => serverStream)),
        bidi: Object.assign({}, ...parts.map(({ bidi }) => bidi)),
      },
      ...fieldAdmin({ db: context.db, policies, nowMicros: engine.clock.now }),
    ],
    start: () => {
      sweeper = setInterval(sweep, sweepMs).unref();
    },
    stop: async () => {
      clearInterval(sweeper);
      await sweeping;
      engine.store.flush();
    },
  };
};
