/** Cloud Firestore of the local cloud: google.firestore.v1.Firestore over gRPC and REST, durable in SQLite. */
import type { CloudContext, CloudProduct } from "../cloud.js";
import { openEngine } from "./engine.js";
import { documentListens } from "./listen.js";
import { documentLists } from "./list-documents.js";
import { queryPartitions } from "./partition.js";
import { documentReads } from "./read-documents.js";
import { queryReads } from "./read-queries.js";
import { documentWrites } from "./write-documents.js";
import { documentStreams } from "./write-stream.js";

const sweepMs = 5_000;

/** Makes Firestore of the local cloud; its tables are `firestore_...` in the cloud's database. */
export const firestoreProduct = (context: CloudContext): CloudProduct => {
  const engine = openEngine(context);
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
  return {
    services: [
      {
        service: "google.firestore.v1.Firestore",
        unary: Object.assign({}, ...parts.map(({ unary }) => unary)),
        serverStream: Object.assign({}, ...parts.map(({ serverStream }) => serverStream)),
        bidi: Object.assign({}, ...parts.map(({ bidi }) => bidi)),
      },
    ],
    start: () => {
      sweeper = setInterval(engine.transactions.sweep, sweepMs).unref();
    },
    stop: () => {
      clearInterval(sweeper);
      engine.store.flush();
    },
  };
};
