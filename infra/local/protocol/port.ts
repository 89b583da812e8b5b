/** One port for everything: the first bytes of a connection say whether it is gRPC or plain HTTP. */
import grpc from "@grpc/grpc-js";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A listening port. */
export interface Port {
  readonly port: number;
  readonly close: () => Promise<void>;
}

const firstBytesTimeoutMs = 30_000;
const preface = Buffer.from("PRI * HTTP/2.0");

async function listenAt(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(error);
    };
    server.once("error", fail);
    server.listen({ port, host: "127.0.0.1" }, () => {
      server.off("error", fail);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "EADDRINUSE";

/** Listens at the wanted port of 127.0.0.1, or at the next free one of the hundred after it. */
async function listenNear(server: Server, wanted: number): Promise<number> {
  for (let port = wanted; ; port += 1) {
    try {
      return await listenAt(server, port);
    } catch (error) {
      if (isBusy(error) && port < Math.min(wanted + 100, 65_535)) continue;
      throw error;
    }
  }
}

/** Opens the port. */
export async function openPort(options: {
  readonly port: number;
  readonly grpcServer: grpc.Server;
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}): Promise<Port> {
  const http = createHttpServer((request, response) => void options.onRequest(request, response));
  // Idle connections of clients that pool outlive Node's default of five seconds.
  http.keepAliveTimeout = 65_000;
  http.requestTimeout = 300_000;
  const injector = options.grpcServer.createConnectionInjector(
    grpc.ServerCredentials.createInsecure(),
  );
  const sockets = new Set<Socket>();

  const route = (socket: Socket): void => {
    const onReadable = (): void => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return;
      const known = Math.min(bytes.length, preface.length);
      const isHttp2 = bytes.subarray(0, known).equals(preface.subarray(0, known));
      socket.unshift(bytes);
      // "P" alone may still become POST: wait for the byte that decides.
      if (isHttp2 && known < 3) return;
      socket.off("readable", onReadable);
      socket.setTimeout(0);
      if (isHttp2) injector.injectConnection(socket);
      else http.emit("connection", socket);
    };
    socket.on("readable", onReadable);
  };

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true);
    socket.setTimeout(firstBytesTimeoutMs, () => socket.destroy());
    route(socket);
  });
  const port = await listenNear(server, options.port);
  return {
    port,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      injector.destroy();
      options.grpcServer.forceShutdown();
      http.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
