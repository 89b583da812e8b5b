/** The stream of writes that web and mobile clients keep open: each request is one commit, in order. */
import { randomUUID } from "node:crypto";
import { RpcError, type ServiceImplementation } from "../protocol/service.js";
import { commit, type Engine } from "./engine.js";
import { readDatabase } from "./names.js";
import { timestampOf, type Timestamp } from "./values.js";
import type { WireWrite } from "./wire.js";
import { readWrites } from "./write-documents.js";
import type { WriteResult } from "./writes.js";

interface WriteRequest {
  readonly database?: string;
  readonly streamId?: string;
  readonly writes?: readonly WireWrite[];
  readonly streamToken?: Buffer;
}

interface WriteReply {
  readonly streamId?: string;
  readonly streamToken: Buffer;
  readonly writeResults?: readonly WriteResult[];
  readonly commitTime?: Timestamp;
}

const writeStream = (engine: Engine) =>
  async function* (requests: AsyncIterable<WriteRequest>): AsyncGenerator<WriteReply> {
    let database: string | undefined;
    let position = 0;
    const token = (): Buffer => Buffer.from(String(position), "utf8");
    for await (const request of requests) {
      if (database === undefined) {
        database = readDatabase(request.database);
        if ((request.writes ?? []).length > 0) {
          throw new RpcError(
            "INVALID_ARGUMENT",
            "The first request of a write stream must not contain writes.",
          );
        }
        const isNew = request.streamId === undefined || request.streamId === "";
        yield { ...(isNew ? { streamId: randomUUID() } : {}), streamToken: token() };
        continue;
      }
      const { results, commitMicros } = await commit(
        engine,
        readWrites(request.writes, database),
        undefined,
      );
      position += 1;
      yield { streamToken: token(), writeResults: results, commitTime: timestampOf(commitMicros) };
    }
  };

/** The handlers of this file. */
export const documentStreams = (engine: Engine): Omit<ServiceImplementation, "service"> => ({
  bidi: { Write: writeStream(engine) },
});
