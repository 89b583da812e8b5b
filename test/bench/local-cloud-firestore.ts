/** Firestore's measurements: transactions that read a document and write it, each client on its own document. */
import { v1 } from "firebase-admin/firestore";
import { grpcOptionsOf, testProject } from "../contract/local-cloud.js";
import { connect } from "../contract/firestore-targets.js";

const root = `projects/${testProject}/databases/(default)`;
let rounds = 0;

const timed = async (clients: number, each: number, one: (client: number) => Promise<void>) => {
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let index = 0; index < each; index += 1) await one(client);
    }),
  );
  return (clients * each * 1000) / (performance.now() - startedAt);
};

/** Transactions a second by firebase-admin. */
export const adminTransactions =
  (clients: number, each: number) =>
  async (port: number): Promise<number> => {
    const { firestore, close } = connect(`127.0.0.1:${port}`);
    rounds += 1;
    const documents = Array.from({ length: clients }, (_, client) =>
      firestore.doc(`bench-${rounds}/${client}`),
    );
    await Promise.all(documents.map((document) => document.set({ count: 0 })));
    const result = await timed(clients, each, async (client) => {
      const document = documents[client];
      if (document === undefined) return;
      await firestore.runTransaction(async (transaction) => {
        const found = await transaction.get(document);
        transaction.update(document, { count: Number(found.get("count")) + 1 });
      });
    });
    await close();
    return result;
  };

/** Transactions a second by the generated client: what the server takes, without firebase-admin's own work. */
export const rawTransactions =
  (clients: number, each: number) =>
  async (port: number): Promise<number> => {
    const client = new v1.FirestoreClient(grpcOptionsOf(port));
    rounds += 1;
    const nameOf = (index: number): string => `${root}/documents/bench-${rounds}/${index}`;
    const write = (index: number, value: number) => ({
      update: { name: nameOf(index), fields: { count: { integerValue: value } } },
    });
    await client.commit({
      database: root,
      writes: Array.from({ length: clients }, (_, index) => write(index, 0)),
    });
    const result = await timed(clients, each, async (index) => {
      const stream = client.batchGetDocuments({
        database: root,
        documents: [nameOf(index)],
        newTransaction: { readWrite: {} },
      });
      let transaction: Uint8Array | undefined;
      let value = 0;
      for await (const reply of stream as AsyncIterable<{
        transaction?: Uint8Array;
        found?: { fields?: { count?: { integerValue?: string } } };
      }>) {
        if (reply.transaction !== undefined && reply.transaction.length > 0) {
          transaction = reply.transaction;
        }
        if (reply.found !== undefined && reply.found !== null) {
          value = Number(reply.found.fields?.count?.integerValue);
        }
      }
      if (transaction === undefined) throw new Error("No transaction was begun");
      await client.commit({ database: root, writes: [write(index, value + 1)], transaction });
    });
    await client.close();
    return result;
  };
