/** Requests to a container on a loopback port, over connections that stay open. */
import { Agent, request as httpRequest } from "node:http";
import { connect, createServer } from "node:net";
import { RpcError } from "../../protocol/service.js";

const socketsMax = 128;

/** A container's answer. */
export interface UpstreamReply {
  readonly code: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/** One request to a container. */
export interface UpstreamRequest {
  readonly port: number;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Buffer | string;
  readonly timeoutMs: number;
  readonly replyBytesMax: number;
}

/** Sends requests to one container. */
export interface Upstream {
  readonly send: (request: UpstreamRequest) => Promise<UpstreamReply>;
  readonly close: () => void;
}

const attempt = (agent: Agent, options: UpstreamRequest): Promise<UpstreamReply> =>
  new Promise((resolve, reject) => {
    const body = options.body ?? "";
    const request = httpRequest({
      agent,
      host: "127.0.0.1",
      port: options.port,
      method: options.method,
      path: options.path,
      headers:
        options.method === "GET"
          ? {}
          : {
              "content-type": options.contentType ?? "application/json",
              "content-length": Buffer.byteLength(body),
            },
    });
    // One timer for the whole exchange: a container that drips bytes must not hold a caller for ever.
    const timer = setTimeout(() => {
      request.destroy(
        new RpcError(
          "DEADLINE_EXCEEDED",
          `The model server did not answer within ${options.timeoutMs} ms.`,
        ),
      );
    }, options.timeoutMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(
        error instanceof RpcError
          ? error
          : new ConnectionLostError(error.message, request.reusedSocket, { cause: error }),
      );
    };
    request.on("error", fail);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > options.replyBytesMax) {
          request.destroy(
            new RpcError(
              "FAILED_PRECONDITION",
              `The response size exceeds ${(options.replyBytesMax / 1e6).toFixed(3)}MB limit.`,
            ),
          );
          return;
        }
        chunks.push(chunk);
      });
      response.on("error", fail);
      response.on("aborted", () => {
        fail(new Error("the connection closed before the end of the answer"));
      });
      response.on("end", () => {
        clearTimeout(timer);
        const [first] = chunks;
        resolve({
          code: response.statusCode ?? 500,
          contentType: response.headers["content-type"] ?? "application/octet-stream",
          body: chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks),
        });
      });
    });
    request.end(body);
  });

/** The connection to a container broke. */
class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
  readonly wasReused: boolean;

  constructor(message: string, wasReused: boolean, options?: ErrorOptions) {
    super(message, options);
    this.wasReused = wasReused;
  }
}

/** Opens a pool of connections. */
export const upstream = (): Upstream => {
  const agent = new Agent({ keepAlive: true, maxSockets: socketsMax, scheduling: "lifo" });
  return {
    send: async (options) => {
      for (;;) {
        try {
          return await attempt(agent, options);
        } catch (error) {
          if (!(error instanceof ConnectionLostError)) throw error;
          // A kept connection that the container closed in the meantime: it has not seen the request.
          if (error.wasReused) continue;
          throw new RpcError(
            "UNAVAILABLE",
            `The model server's connection failed: ${error.message}.`,
            { cause: error },
          );
        }
      }
    },
    close: () => {
      agent.destroy();
    },
  };
};

/** Whether a port takes connections. */
export const acceptsConnections = (port: number, timeoutMs: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: timeoutMs });
    const answer = (isOpen: boolean) => (): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", answer(true));
    socket.once("error", answer(false));
    socket.once("timeout", answer(false));
  });

const reserved = new Set<number>();

/** A loopback port that is free now; another process may take it at any time. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("the system gave no port"));
      });
    });
  });

/** A loopback port of one's own. */
export interface ReservedPort {
  readonly port: number;
  readonly release: () => void;
}

/**
 * Finds a free loopback port and keeps it from all other predictors until it is released: two that start together
 * must not be sent each other's requests.
 */
export const reservePort = async (): Promise<ReservedPort> => {
  for (;;) {
    const port = await freePort();
    if (reserved.has(port)) continue;
    reserved.add(port);
    return {
      port,
      release: () => {
        reserved.delete(port);
      },
    };
  }
};
