/** Cloud Firestore of the local cloud: google.firestore.v1.Firestore over gRPC and REST, durable in SQLite. */
import type { CloudContext, CloudProduct } from "../cloud.js";
import { openEngine } from "./engine.js";
import { documentLists } from "./list-documents.js";
import { documentReads } from "./read-documents.js";
import { queryReads } from "./read-queries.js";
import { documentWrites } from "./write-documents.js";

const sweepMs = 5_000;

/** Makes Firestore of the local cloud; its tables are `firestore_...` in the cloud's database. */
export const firestoreProduct = (context: CloudContext): CloudProduct => {
  const engine = openEngine(context);
  const reads = documentReads(engine);
  const lists = documentLists(engine);
  const writes = documentWrites(engine);
  const queries = queryReads(engine);
  let sweeper: ReturnType<typeof setInterval> | undefined;
  return {
    services: [
      {
        service: "google.firestore.v1.Firestore",
        unary: { ...reads.unary, ...lists.unary, ...writes.unary },
        serverStream: { ...reads.serverStream, ...queries.serverStream },
      },
    ],
    start: () => {
      sweeper = setInterval(engine.transactions.sweep, sweepMs).unref();
    },
    stop: () => clearInterval(sweeper),
  };
};
