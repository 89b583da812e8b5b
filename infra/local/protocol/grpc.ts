/** RPCs over gRPC. */
import grpc from "@grpc/grpc-js";
import { messageBytesMax } from "./body.js";
import type { Dispatch, ServedMethod } from "./dispatch.js";
import { principalOf, toFailure } from "./failure.js";
import { statusBytes } from "./json.js";
import { RpcError, type CallContext } from "./service.js";
import { decodeMessage, encodeMessage, type Message } from "./wire.js";

type AnyCall =
  | grpc.ServerUnaryCall<Buffer, Buffer>
  | grpc.ServerWritableStream<Buffer, Buffer>
  | grpc.ServerDuplexStream<Buffer, Buffer>;

const asIs = (bytes: Buffer): Buffer => bytes;

/** Why a call's signal is aborted; made once, as most calls end that way and an error's stack is costly. */
const hangUp = new Error("The caller hung up.");

const headersOf = (metadata: grpc.Metadata): Readonly<Record<string, string>> => {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata.getMap())) {
    if (typeof value === "string") headers[name] = value;
  }
  return headers;
};

/** What a handler may ask about its call; made for those who ask, as most do not. */
function contextOf(call: AnyCall): CallContext {
  let headers: Readonly<Record<string, string>> | undefined;
  let abort: AbortController | undefined;
  const emitter: NodeJS.EventEmitter = call;
  return {
    transport: "grpc",
    get principal() {
      return principalOf(this.headers["authorization"]);
    },
    get signal() {
      if (abort === undefined) {
        const made = new AbortController();
        abort = made;
        if (call.cancelled) made.abort(hangUp);
        else emitter.once("cancelled", () => made.abort(hangUp));
      }
      return abort.signal;
    },
    get headers() {
      return (headers ??= headersOf(call.metadata));
    },
  };
}

/** Requests of a stream, read as fast as the handler takes them. */
async function* requestsOf(
  call: grpc.ServerDuplexStream<Buffer, Buffer>,
  read: (bytes: Buffer) => Message,
): AsyncGenerator<Message> {
  const queue: Buffer[] = [];
  let isOver = false;
  let wake: (() => void) | undefined;
  call.on("data", (bytes: Buffer) => {
    queue.push(bytes);
    if (queue.length > 100) call.pause();
    wake?.();
  });
  const finish = (): void => {
    isOver = true;
    wake?.();
  };
  call.once("end", finish);
  call.once("cancelled", finish);
  call.once("close", finish);
  for (;;) {
    const bytes = queue.shift();
    if (bytes !== undefined) {
      if (queue.length === 0) call.resume();
      yield read(bytes);
    } else if (isOver) {
      return;
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

/** Resolves when the reader has taken what was written, or is gone. */
const drained = async (call: NodeJS.EventEmitter): Promise<void> =>
  new Promise((resolve) => {
    const go = (): void => {
      call.off("drain", go);
      call.off("cancelled", go);
      resolve();
    };
    call.on("drain", go);
    call.on("cancelled", go);
  });

async function writeAll(
  call: grpc.ServerWritableStream<Buffer, Buffer> | grpc.ServerDuplexStream<Buffer, Buffer>,
  replies: AsyncIterable<unknown>,
  write: (reply: unknown) => Buffer,
): Promise<void> {
  for await (const reply of replies) {
    if (call.cancelled) return;
    if (!call.write(write(reply)) && !call.cancelled) await drained(call);
  }
  if (!call.cancelled) call.end();
}

/** Makes a gRPC server that answers with the dispatch's handlers. */
export function grpcServer(dispatch: Dispatch, log: (line: string) => void): grpc.Server {
  const server = new grpc.Server({
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.max_send_message_length": -1,
    "grpc.enable_channelz": 0,
  });

  const errorOf = (error: unknown, call: string): Partial<grpc.StatusObject> => {
    const failure = toFailure(error, call, log);
    const metadata = new grpc.Metadata();
    if (failure.details.length > 0) {
      const status = { code: failure.code, message: failure.message, details: failure.details };
      const bytes = statusBytes(status, dispatch.lookup);
      if (bytes !== undefined) metadata.set("grpc-status-details-bin", bytes);
    }
    return { code: grpc.status[failure.status], details: failure.message, metadata };
  };

  const register = (one: ServedMethod): void => {
    const { method } = one;
    const name = `${method.service}/${method.name}`;
    const read = (bytes: Buffer): Message => {
      try {
        return decodeMessage(method.request, bytes, dispatch.lookup);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new RpcError("INVALID_ARGUMENT", `The request of ${name} cannot be read: ${reason}`, {
          cause: error,
        });
      }
    };
    const write = (reply: unknown): Buffer => encodeMessage(method.reply, reply, dispatch.lookup);

    const unary = async (
      call: grpc.ServerUnaryCall<Buffer, Buffer>,
      callback: grpc.sendUnaryData<Buffer>,
    ): Promise<void> => {
      try {
        callback(null, write(await one.unary(read(call.request), contextOf(call))));
      } catch (error) {
        callback(errorOf(error, name));
      }
    };
    const serverStream = async (call: grpc.ServerWritableStream<Buffer, Buffer>): Promise<void> => {
      try {
        const replies = one.serverStream(read(call.request), contextOf(call));
        await writeAll(call, replies, write);
      } catch (error) {
        call.emit("error", errorOf(error, name));
      }
    };
    const bidi = async (call: grpc.ServerDuplexStream<Buffer, Buffer>): Promise<void> => {
      try {
        await writeAll(call, one.bidi(requestsOf(call, read), contextOf(call)), write);
      } catch (error) {
        call.emit("error", errorOf(error, name));
      }
    };
    const path = `/${name}`;
    if (method.isRequestStream) {
      server.register<Buffer, Buffer>(
        path,
        (call: grpc.ServerDuplexStream<Buffer, Buffer>) => void bidi(call),
        asIs,
        asIs,
        "bidi",
      );
    } else if (method.isReplyStream) {
      server.register<Buffer, Buffer>(
        path,
        (call: grpc.ServerWritableStream<Buffer, Buffer>) => void serverStream(call),
        asIs,
        asIs,
        "serverStream",
      );
    } else {
      server.register<Buffer, Buffer>(
        path,
        (call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) =>
          void unary(call, callback),
        asIs,
        asIs,
        "unary",
      );
    }
  };
  for (const one of dispatch.methods) register(one);
  return server;
}
