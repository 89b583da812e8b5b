/** Handlers that read documents by name, list them, and list collections. */
import { RpcError, type ServiceImplementation } from "../protocol/service.js";
import { documentReply, type DocumentReply, type StoredDocument } from "./documents.js";
import type { Engine } from "./engine.js";
import type { FieldPath } from "./field-paths.js";
import { readDatabase, readDocumentName, readParent, type DocumentName } from "./names.js";
import { compareKeys } from "./order-key.js";
import { holdForRead, openView, pastOf, readMicrosOf, type ReadView } from "./read-view.js";
import { timestampOf, type Timestamp } from "./values.js";
import type { WireConsistency, WireMask } from "./wire.js";
import { readMask } from "./writes.js";

interface GetRequest extends WireConsistency {
  readonly name?: string;
  readonly mask?: WireMask;
}

interface BatchGetRequest extends WireConsistency {
  readonly database?: string;
  readonly documents?: readonly string[];
  readonly mask?: WireMask;
}

/** google.firestore.v1.BatchGetDocumentsResponse. */
interface BatchGetReply {
  readonly found?: DocumentReply;
  readonly missing?: string;
  readonly transaction?: Buffer;
  readonly readTime?: Timestamp;
}

/** Reads documents in one moment. */
const readAll = async (
  engine: Engine,
  view: ReadView,
  targets: readonly DocumentName[],
): Promise<readonly (StoredDocument | undefined)[]> => {
  await holdForRead(
    engine,
    view,
    targets.map(({ name }) => name),
  );
  const past = pastOf(engine, view);
  return targets.map((target) => {
    const version = past?.get(target.name);
    return version === undefined ? engine.store.get(target) : version.document;
  });
};

const getDocument =
  (engine: Engine) =>
  async (request: GetRequest): Promise<DocumentReply> => {
    const target = readDocumentName(request.name);
    const view = openView(engine, request, target.database);
    const [document] = await readAll(engine, view, [target]);
    if (document === undefined) {
      throw new RpcError("NOT_FOUND", `Document "${target.name}" not found.`);
    }
    return documentReply(document, readMask(request.mask));
  };

const found = (
  target: DocumentName,
  document: StoredDocument | undefined,
  mask: readonly FieldPath[] | undefined,
): BatchGetReply =>
  document === undefined ? { missing: target.name } : { found: documentReply(document, mask) };

const batchGetDocuments = (engine: Engine) =>
  async function* (request: BatchGetRequest): AsyncGenerator<BatchGetReply> {
    const database = readDatabase(request.database);
    const names = [...new Set(request.documents ?? [])];
    const targets = names.map((name) => readDocumentName(name, database));
    const mask = readMask(request.mask);
    const view = openView(engine, request, database);
    const documents = await readAll(engine, view, targets);
    const readTime = timestampOf(readMicrosOf(engine, view));
    // A transaction that began here comes with the first document: a message of its own would cost a round of the loop.
    const begun = view.begun === undefined ? {} : { transaction: view.begun };
    if (targets.length === 0 && view.begun !== undefined) yield { ...begun, readTime };
    for (const [index, target] of targets.entries()) {
      yield {
        ...found(target, documents[index], mask),
        ...(index === 0 ? begun : {}),
        readTime,
      };
    }
  };

interface ListCollectionIdsRequest {
  readonly parent?: string;
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** A collection is listed while it, or anything below it, holds a document. */
const listCollectionIds =
  (engine: Engine) =>
  (
    request: ListCollectionIdsRequest,
  ): { collectionIds: readonly string[]; nextPageToken?: string } => {
    const { database, segments } = readParent(request.parent);
    const ids = new Set<string>();
    for (const collection of engine.store.collections.below(database, segments, undefined)) {
      const id = collection.segments[segments.length];
      if (id !== undefined && !ids.has(id) && !engine.store.isEmpty(collection)) ids.add(id);
    }
    const after = Buffer.from(request.pageToken ?? "", "base64").toString("utf8");
    const sorted = [...ids].filter((id) => id > after).toSorted(compareKeys);
    const size =
      request.pageSize === undefined || request.pageSize === 0 ? sorted.length : request.pageSize;
    const page = sorted.slice(0, size);
    const last = page.at(-1);
    if (last === undefined || page.length === sorted.length) return { collectionIds: page };
    return { collectionIds: page, nextPageToken: Buffer.from(last, "utf8").toString("base64") };
  };

/** The handlers of this file. */
export const documentReads = (engine: Engine): Omit<ServiceImplementation, "service"> => ({
  unary: { GetDocument: getDocument(engine), ListCollectionIds: listCollectionIds(engine) },
  serverStream: { BatchGetDocuments: batchGetDocuments(engine) },
});
