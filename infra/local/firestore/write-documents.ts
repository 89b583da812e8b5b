/** Handlers that write: commits, batches, single documents, and the life of transactions. */
import { randomInt } from "node:crypto";
import { RpcError, statusCode, type ServiceImplementation } from "../protocol/service.js";
import { documentReply, type DocumentReply } from "./documents.js";
import { commit, type Engine } from "./engine.js";
import { readDatabase, readDocumentName, readParent } from "./names.js";
import { limits, microsOf, sizeOfDocument, timestampOf, type Timestamp } from "./values.js";
import type {
  WireDocument,
  WireMask,
  WirePrecondition,
  WireTransactionOptions,
  WireWrite,
} from "./wire.js";
import { readMask, readWrite, type Write, type WriteResult } from "./writes.js";

const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

interface CommitRequest {
  readonly database?: string;
  readonly writes?: readonly WireWrite[];
  readonly transaction?: Buffer;
}

interface CommitResponse {
  readonly writeResults: readonly WriteResult[];
  readonly commitTime: Timestamp;
}

/** Checks the writes of a request and its size. */
export const readWrites = (
  wire: readonly WireWrite[] | undefined,
  database: string,
): readonly Write[] => {
  const writes = (wire ?? []).map((write) => readWrite(write, database));
  let size = 0;
  for (const write of writes) {
    if (write.kind === "update") size += sizeOfDocument(write.target.name, write.fields);
  }
  if (size > limits.requestBytesMax) {
    throw invalid(`Request payload size exceeds the limit: ${limits.requestBytesMax} bytes.`);
  }
  return writes;
};

const commitRequest =
  (engine: Engine) =>
  async (request: CommitRequest): Promise<CommitResponse> => {
    const database = readDatabase(request.database);
    const id = request.transaction;
    const transaction =
      id === undefined || id.length === 0 ? undefined : engine.transactions.use(id, database);
    try {
      const writes = readWrites(request.writes, database);
      const { results, commitMicros } = await commit(engine, writes, transaction);
      return { writeResults: results, commitTime: timestampOf(commitMicros) };
    } finally {
      if (transaction !== undefined) engine.transactions.end(transaction);
    }
  };

interface Status {
  readonly code: number;
  readonly message?: string;
}

interface BatchWriteResponse {
  readonly writeResults: readonly WriteResult[];
  readonly status: readonly Status[];
}

const writeAlone = async (
  engine: Engine,
  write: Write,
): Promise<{ readonly result: WriteResult; readonly status: Status }> => {
  try {
    const { results } = await commit(engine, [write], undefined);
    return { result: results[0] ?? {}, status: { code: statusCode.OK } };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { result: {}, status: { code: statusCode[error.status], message: error.message } };
  }
};

const batchWrite =
  (engine: Engine) =>
  async (request: CommitRequest): Promise<BatchWriteResponse> => {
    const database = readDatabase(request.database);
    const writes = readWrites(request.writes, database);
    if (new Set(writes.map(({ target }) => target.name)).size < writes.length) {
      throw invalid("the same document cannot be written more than once in a single request");
    }
    const outcomes = await Promise.all(writes.map(async (write) => writeAlone(engine, write)));
    return {
      writeResults: outcomes.map(({ result }) => result),
      status: outcomes.map(({ status }) => status),
    };
  };

/** Commits one write and answers the document as it then is. */
const writeAndRead = async (
  engine: Engine,
  wire: WireWrite,
  database: string,
  mask: WireMask | undefined,
): Promise<DocumentReply> => {
  const paths = readMask(mask);
  const write = readWrite(wire, database);
  await commit(engine, [write], undefined);
  const document = engine.store.get(write.target);
  if (document === undefined)
    throw new RpcError("ABORTED", `${write.target.name} was deleted at once.`);
  return documentReply(document, paths);
};

const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const randomId = (): string =>
  Array.from({ length: 20 }, () => idLetters.charAt(randomInt(idLetters.length))).join("");

interface CreateRequest {
  readonly parent?: string;
  readonly collectionId?: string;
  readonly documentId?: string;
  readonly document?: WireDocument;
  readonly mask?: WireMask;
}

const createDocument =
  (engine: Engine) =>
  async (request: CreateRequest): Promise<DocumentReply> => {
    const { database } = readParent(request.parent);
    if (request.collectionId === undefined || request.collectionId === "")
      throw invalid("collection_id is missing.");
    const id =
      request.documentId === undefined || request.documentId === ""
        ? randomId()
        : request.documentId;
    const name = `${request.parent ?? ""}/${request.collectionId}/${id}`;
    const update = { ...request.document, name };
    return writeAndRead(
      engine,
      { update, currentDocument: { exists: false } },
      database,
      request.mask,
    );
  };

interface UpdateRequest {
  readonly document?: WireDocument;
  readonly updateMask?: WireMask;
  readonly mask?: WireMask;
  readonly currentDocument?: WirePrecondition;
}

const updateDocument =
  (engine: Engine) =>
  async ({
    document,
    mask,
    updateMask,
    currentDocument,
  }: UpdateRequest): Promise<DocumentReply> => {
    const { database } = readDocumentName(document?.name);
    const write: WireWrite = {
      ...(document === undefined ? {} : { update: document }),
      ...(updateMask === undefined ? {} : { updateMask }),
      ...(currentDocument === undefined ? {} : { currentDocument }),
    };
    return writeAndRead(engine, write, database, mask);
  };

interface DeleteRequest {
  readonly name?: string;
  readonly currentDocument?: WirePrecondition;
}

const deleteDocument =
  (engine: Engine) =>
  async ({ name, currentDocument }: DeleteRequest): Promise<object> => {
    const { database } = readDocumentName(name);
    const write: WireWrite = {
      delete: name ?? "",
      ...(currentDocument === undefined ? {} : { currentDocument }),
    };
    await commit(engine, [readWrite(write, database)], undefined);
    return {};
  };

interface BeginRequest {
  readonly database?: string;
  readonly options?: WireTransactionOptions;
}

const beginTransaction =
  (engine: Engine) =>
  ({ database, options }: BeginRequest): { readonly transaction: Buffer } => {
    const readTime = options?.readOnly?.readTime;
    if (readTime !== undefined) engine.history.check(microsOf(readTime));
    return {
      transaction: engine.transactions.begin(readDatabase(database), options, "read-write").id,
    };
  };

interface RollbackRequest {
  readonly database?: string;
  readonly transaction?: Buffer;
}

/** Rolling back what has already ended changes nothing and is not an error. */
const rollback =
  (engine: Engine) =>
  ({ database, transaction }: RollbackRequest): object => {
    readDatabase(database);
    if (transaction === undefined || transaction.length === 0)
      throw invalid("Missing required transaction.");
    const live = engine.transactions.find(transaction);
    if (live !== undefined) engine.transactions.end(live);
    return {};
  };

/** The handlers of this file. */
export const documentWrites = (engine: Engine): Omit<ServiceImplementation, "service"> => ({
  unary: {
    Commit: commitRequest(engine),
    BatchWrite: batchWrite(engine),
    CreateDocument: createDocument(engine),
    UpdateDocument: updateDocument(engine),
    DeleteDocument: deleteDocument(engine),
    BeginTransaction: beginTransaction(engine),
    Rollback: rollback(engine),
  },
});
